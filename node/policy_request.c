/*
 * policy_request.c - reads a request's lines, 64 bytes at a time: where the
 * ends of lines and the "=" are becomes bits, and the lines follow from them.
 */
#include "node/policy_request.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "proto/base/err.h"

#define BLOCK 64

/* The empty line: "\n\n", or a "\n" at the very start.  Its end, or 0. */
static size_t
find_end(struct policy_parser *p, const char *data, size_t len)
{
	const char *at = data + p->scanned, *nl;

	while ((nl = memchr(at, '\n', len - (size_t)(at - data))) != NULL) {
		if (nl == data || nl[-1] == '\n')
			return (size_t)(nl - data) + 1;
		at = nl + 1;
	}
	p->scanned = len;
	return 0;
}

/*
 * The attributes that somebody asks for, each in a slot of its own by length
 * and first two letters.  Two of one slot do not compile.
 */
#define SLOTS 32
#define SLOT(len, a, b) (((unsigned)(len) + 4 * (unsigned char)(a) + \
	9 * (unsigned char)(b)) % SLOTS)
#define FIELD(f, a, b) [SLOT(sizeof(#f) - 1, a, b)] = { #f, \
	sizeof(#f) - 1, offsetof(struct policy_request, f) }

static const struct field { char name[24]; uint8_t len, at; } fields[SLOTS] = {
	FIELD(request, 'r', 'e'), FIELD(protocol_state, 'p', 'r'),
	FIELD(sender, 's', 'e'), FIELD(recipient, 'r', 'e'),
	FIELD(client_address, 'c', 'l'), FIELD(client_name, 'c', 'l'),
	FIELD(reverse_client_name, 'r', 'e'), FIELD(helo_name, 'h', 'e'),
	FIELD(instance, 'i', 'n'), FIELD(queue_id, 'q', 'u'),
	FIELD(sasl_username, 's', 'a'), FIELD(sasl_method, 's', 'a'),
	FIELD(policy_context, 'p', 'o'), FIELD(size, 's', 'i'),
	FIELD(server_port, 's', 'e'),
};

static uint64_t
load8(const char *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

/* Two names of len bytes, 4 to 24, without a call. */
static bool
same_name(const char *a, const char *b, size_t len)
{
	uint32_t x, y;

	if (len >= 8)
		return load8(a) == load8(b) &&
		    load8(a + len - 8) == load8(b + len - 8) &&
		    (len <= 16 || load8(a + 8) == load8(b + 8));
	memcpy(&x, a, sizeof(x));
	memcpy(&y, b, sizeof(y));
	if (x != y)
		return false;
	memcpy(&x, a + len - 4, sizeof(x));
	memcpy(&y, b + len - 4, sizeof(y));
	return x == y;
}

/* Where the value of this attribute goes; NULL: nobody asks for it.  name is
 * followed by one byte more. */
static struct value *
field_of(struct policy_request *out, const char *name, size_t len)
{
	const struct field *f = &fields[SLOT(len, name[0], name[1])];

	if (f->len != len || !same_name(f->name, name, len))
		return NULL;
	return (void *)((char *)out + f->at);
}

/* One line without its end; eq is its first "=", or NULL. */
static int
read_line(const char *line, const char *eq, const char *end,
    struct policy_request *out, struct diag *why)
{
	struct value *v, got;

	if (eq == NULL || eq == line)
		return diag_set(why, ERR_INVAL, "a line is not name=value");
	v = field_of(out, line, (size_t)(eq - line));
	if (v == NULL)
		return 0;
	got.p = eq + 1;
	got.len = (size_t)(end - got.p);
	if (v->p != NULL && (v->len != got.len ||
	    memcmp(v->p, got.p, got.len) != 0))
		return diag_set(why, ERR_INVAL, "attribute %.*s stands twice "
		    "with different values", (int)(eq - line), line);
	*v = got;
	return 0;
}

/* Which of up to 64 bytes are what: bit n is byte n. */
struct marks { uint64_t nl, eq, bad; };

#if defined(__SSE2__)
static void
mark_block(const char *p, struct marks *m)
{
	const __m128i nl = _mm_set1_epi8('\n'), eq = _mm_set1_epi8('='),
	    cr = _mm_set1_epi8('\r'), nul = _mm_setzero_si128();
	int i;

	m->nl = m->eq = m->bad = 0;
	for (i = 0; i < BLOCK; i += 16) {
		__m128i in = _mm_loadu_si128((const __m128i *)(const void *)
		    (p + i));

#define BITS(v) ((uint64_t)(uint32_t)_mm_movemask_epi8(v) << i)
		m->nl |= BITS(_mm_cmpeq_epi8(in, nl));
		m->eq |= BITS(_mm_cmpeq_epi8(in, eq));
		m->bad |= BITS(_mm_or_si128(_mm_cmpeq_epi8(in, cr),
		    _mm_cmpeq_epi8(in, nul)));
#undef BITS
	}
}
#else
static void
mark_block(const char *p, struct marks *m)
{
	int i;

	m->nl = m->eq = m->bad = 0;
	for (i = 0; i < BLOCK; i++) {
		m->nl |= (uint64_t)(p[i] == '\n') << i;
		m->eq |= (uint64_t)(p[i] == '=') << i;
		m->bad |= (uint64_t)(p[i] == '\r' || p[i] == '\0') << i;
	}
}
#endif

static void
mark(const char *p, size_t len, struct marks *m)
{
	char rest[BLOCK];

	if (len >= BLOCK) {
		mark_block(p, m);
		return;
	}
	memset(rest, 'x', sizeof(rest));
	memcpy(rest, p, len);
	mark_block(rest, m);
}

/* Bits below bit n, of 0 to 63. */
static uint64_t
below(unsigned n)
{
	return ((uint64_t)1 << n) - 1;
}

/*
 * Read lines up to the empty one, each byte once.  Returns the length up to
 * its end, 0 when it is not there; *rc says what was wrong on the way.
 */
static size_t
read_lines(const char *data, size_t len, struct policy_request *out, int *rc,
    struct diag *why)
{
	const char *line = data, *eq = NULL, *nl;
	struct marks m;
	size_t at;

	*rc = 0;
	for (at = 0; at < len; at += BLOCK) {
		mark(data + at, len - at, &m);
		while (m.nl != 0) {
			unsigned i = (unsigned)__builtin_ctzll(m.nl);
			uint64_t before = below(i);

			nl = data + at + i;
			if (*rc == 0 && (m.bad & before) != 0)
				*rc = diag_set(why, ERR_INVAL, "a line holds "
				    "a NUL or carriage return");
			if (nl == line)
				return (size_t)(nl - data) + 1;
			if (eq == NULL && (m.eq & before) != 0)
				eq = data + at + __builtin_ctzll(m.eq);
			if (*rc == 0)
				*rc = read_line(line, eq, nl, out, why);
			m.nl &= m.nl - 1;
			m.eq &= ~before;
			m.bad &= ~before;
			line = nl + 1;
			eq = NULL;
		}
		if (*rc == 0 && m.bad != 0)
			*rc = diag_set(why, ERR_INVAL, "a line holds a NUL or "
			    "carriage return");
		if (eq == NULL && m.eq != 0)
			eq = data + at + __builtin_ctzll(m.eq);
	}
	return 0;
}

static bool
is_text(const struct value *v, const char *text)
{
	return v->p != NULL && v->len == strlen(text) &&
	    memcmp(v->p, text, v->len) == 0;
}

int
policy_request_parse(struct policy_parser *p, const char *data, size_t len,
    struct policy_request *out, size_t *used, struct diag *why)
{
	size_t most = len < POLICY_REQUEST_MAX ? len : POLICY_REQUEST_MAX;
	size_t end = 0;
	int rc = 0;

	memset(out, 0, sizeof(*out));
	/* A request mostly comes whole.  Of one that does not only the end is
	 * looked for, until it is there. */
	if (p->scanned == 0 || find_end(p, data, most) != 0)
		end = read_lines(data, most, out, &rc, why);
	if (end == 0 && len >= POLICY_REQUEST_MAX)
		return diag_set(why, ERR_TOOBIG, "no end of the request "
		    "within %d bytes", POLICY_REQUEST_MAX);
	if (end == 0) {
		p->scanned = len;
		return ERR_AGAIN;
	}
	if (rc < 0)
		return rc;
	if (!is_text(&out->request, "smtpd_access_policy"))
		return diag_set(why, ERR_INVAL,
		    "no request=smtpd_access_policy");
	*used = end;
	p->scanned = 0;
	return 0;
}

size_t
policy_reply_format(char out[POLICY_REPLY_MAX], const char *action)
{
	static const char head[] = "action=";
	size_t n = sizeof(head) - 1;

	memcpy(out, head, n);
	for (; *action != '\0' && n < POLICY_REPLY_MAX - 2; action++) {
		unsigned char c = (unsigned char)*action;

		out[n++] = c < 0x20 || c >= 0x7f ? '?' : (char)c;
	}
	out[n++] = '\n';
	out[n++] = '\n';
	return n;
}
