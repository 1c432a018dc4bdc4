/*
 * policy_request.c - reads a request's lines, 64 bytes at a time: where the
 * ends of lines and the "=" are becomes bits, and the lines follow from them.
 */
#include "node/policy_request.h"

#include <endian.h>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "node/text.h"
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
 * The attributes that somebody asks for, each in a slot of its own by its first
 * four letters, or behind one there that begins as it does.  Two of one slot do
 * not compile.
 */
#define PREFIX 4
#define SLOTS 32
#define SLOT_BY 0xa6cecc1bu	/* found by trying */
#define SLOT(a, b, c, d) ((uint32_t)((uint32_t)(a) | (uint32_t)(b) << 8 | \
	(uint32_t)(c) << 16 | (uint32_t)(d) << 24) * SLOT_BY >> 27)
#define FIELD(f, also) { #f, sizeof(#f) - 1, \
	offsetof(struct policy_request, f), also }

struct field {
	char name[24];
	uint8_t len, at;
	uint8_t also;		/* 1 + place in others[]; 0: none */
} __attribute__((aligned(32)));

static const struct field others[] = {
	FIELD(client_name, 0), FIELD(sasl_method, 0),
};

static const struct field fields[SLOTS] = {
	[SLOT('r', 'e', 'q', 'u')] = FIELD(request, 0),
	[SLOT('p', 'r', 'o', 't')] = FIELD(protocol_state, 0),
	[SLOT('s', 'e', 'n', 'd')] = FIELD(sender, 0),
	[SLOT('r', 'e', 'c', 'i')] = FIELD(recipient, 0),
	[SLOT('c', 'l', 'i', 'e')] = FIELD(client_address, 1),
	[SLOT('r', 'e', 'v', 'e')] = FIELD(reverse_client_name, 0),
	[SLOT('h', 'e', 'l', 'o')] = FIELD(helo_name, 0),
	[SLOT('i', 'n', 's', 't')] = FIELD(instance, 0),
	[SLOT('q', 'u', 'e', 'u')] = FIELD(queue_id, 0),
	[SLOT('s', 'a', 's', 'l')] = FIELD(sasl_username, 2),
	[SLOT('p', 'o', 'l', 'i')] = FIELD(policy_context, 0),
	[SLOT('s', 'i', 'z', 'e')] = FIELD(size, 0),
	[SLOT('s', 'e', 'r', 'v')] = FIELD(server_port, 0),
};

static uint32_t
load4(const char *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static uint64_t
load8(const char *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

/* Two names of len bytes, 4 to 24, without a call; they begin alike. */
static bool
same_name(const char *a, const char *b, size_t len)
{
	if (len < 8)
		return load4(a + len - 4) == load4(b + len - 4);
	return load8(a) == load8(b) &&
	    load8(a + len - 8) == load8(b + len - 8) &&
	    (len <= 16 || load8(a + 8) == load8(b + 8));
}

/* The attribute of a line; NULL when nobody asks for it. */
static const struct field *
field_of(const char *line, size_t len)
{
	const struct field *f;
	uint32_t first;

	if (len <= PREFIX)
		return NULL;
	first = load4(line);
	f = &fields[le32toh(first) * SLOT_BY >> 27];
	if (load4(f->name) != first)
		return NULL;
	while (f->len >= len || line[f->len] != '=' ||
	    !same_name(f->name, line, f->len)) {
		if (f->also == 0)
			return NULL;
		f = &others[f->also - 1];
	}
	return f;
}

/* The value of attribute f, from its line up to end. */
static int
take_value(const char *line, const char *end, const struct field *f,
    struct policy_request *out, struct diag *why)
{
	struct value *v = (void *)((char *)out + f->at), got;

	got.p = line + f->len + 1;
	got.len = (size_t)(end - got.p);
	if (v->p != NULL && (v->len != got.len ||
	    memcmp(v->p, got.p, got.len) != 0))
		return diag_set(why, ERR_INVAL, "attribute %s stands twice "
		    "with different values", f->name);
	*v = got;
	return 0;
}

/* Which of up to 64 bytes are what: bit n is byte n. */
struct marks { uint64_t nl, eq; bool bad; };

static inline bool
is_bad(char c)
{
	return c == '\r' || c == '\0';
}

#if defined(__SSE2__)
static inline void
mark_block(const char *p, struct marks *m)
{
	const __m128i nl = _mm_set1_epi8('\n'), eq = _mm_set1_epi8('='),
	    cr = _mm_set1_epi8('\r'), nul = _mm_setzero_si128();
	uint64_t nls = 0, eqs = 0;
	__m128i bad = nul;

#define BITS(v, i) ((uint64_t)(uint32_t)_mm_movemask_epi8(v) << (i))
#define PART(i) do { \
		__m128i in = _mm_loadu_si128((const __m128i *)(const void *) \
		    (p + (i))); \
		nls |= BITS(_mm_cmpeq_epi8(in, nl), i); \
		eqs |= BITS(_mm_cmpeq_epi8(in, eq), i); \
		bad = _mm_or_si128(bad, _mm_or_si128(_mm_cmpeq_epi8(in, cr), \
		    _mm_cmpeq_epi8(in, nul))); \
	} while (0)
	PART(0);
	PART(16);
	PART(32);
	PART(48);
#undef PART
	m->nl = nls;
	m->eq = eqs;
	m->bad = _mm_movemask_epi8(bad) != 0;
#undef BITS
}
#else
static void
mark_block(const char *p, struct marks *m)
{
	int i;

	m->nl = m->eq = 0;
	m->bad = false;
	for (i = 0; i < BLOCK; i++) {
		m->nl |= (uint64_t)(p[i] == '\n') << i;
		m->eq |= (uint64_t)(p[i] == '=') << i;
		m->bad |= is_bad(p[i]);
	}
}
#endif

/* The same of fewer: what is behind them is nothing of it. */
static void
mark_rest(const char *p, size_t len, struct marks *m)
{
	char rest[BLOCK];

	memset(rest, 'x', sizeof(rest));
	memcpy(rest, p, len);
	mark_block(rest, m);
}

static const char *
first_bad(const char *p)
{
	while (!is_bad(*p))
		p++;
	return p;
}

/*
 * Read lines up to the empty one, each byte once.  Returns the length up to
 * its end, 0 when it is not there; *out_rc says what was wrong on the way.
 */
static size_t
read_lines(const char *data, size_t len, struct policy_request *out,
    int *out_rc, struct diag *why)
{
	const char *line = data, *bad = NULL, *p, *nl, *end = data + len;
	const struct field *f;
	struct marks m;
	uint64_t eqs, nls, upto;
	bool has_eq = false;	/* in an earlier block, this line */
	int rc = 0;

	for (p = data; p < end; p += BLOCK) {
		if (end - p >= BLOCK)
			mark_block(p, &m);
		else
			mark_rest(p, (size_t)(end - p), &m);
		if (m.bad && bad == NULL)
			bad = first_bad(p);
		eqs = m.eq;
		for (nls = m.nl; nls != 0; nls &= nls - 1) {
			nl = p + __builtin_ctzll(nls);
			if (nl == line)
				goto whole;
			upto = nls ^ (nls - 1);
			f = field_of(line, (size_t)(nl - line));
			if (f != NULL && rc == 0)
				rc = take_value(line, nl, f, out, why);
			else if (rc == 0 && (*line == '=' ||
			    (!has_eq && (eqs & upto) == 0)))
				rc = diag_set(why, ERR_INVAL,
				    "a line is not name=value");
			eqs &= ~upto;
			has_eq = false;
			line = nl + 1;
		}
		has_eq |= eqs != 0;
	}
	return 0;
whole:
	if (rc == 0 && bad != NULL && bad < nl)
		rc = diag_set(why, ERR_INVAL, "a line holds a NUL or "
		    "carriage return");
	*out_rc = rc;
	return (size_t)(nl - data) + 1;
}

static bool
is_text(const struct value *v, const char *text)
{
	return v->p != NULL && v->len == strlen(text) &&
	    memcmp(v->p, text, v->len) == 0;
}

/* One by one: of all at once the compiler makes a "rep stos", which takes
 * longer to begin. */
static void
clear(struct policy_request *q)
{
	static const struct value none;

	q->request = q->protocol_state = q->sender = q->recipient = none;
	q->client_address = q->client_name = q->reverse_client_name = none;
	q->helo_name = q->instance = q->queue_id = q->sasl_username = none;
	q->sasl_method = q->policy_context = q->size = q->server_port = none;
}

int
policy_request_parse(struct policy_parser *p, const char *data, size_t len,
    struct policy_request *out, size_t *used, struct diag *why)
{
	size_t most = len < POLICY_REQUEST_MAX ? len : POLICY_REQUEST_MAX;
	size_t end = 0;
	int rc = 0;

	clear(out);
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
	const size_t at = sizeof(head) - 1;
	size_t n = strlen(action), i;

	memcpy(out, head, at);
	if (n > POLICY_REPLY_MAX - 2 - at)
		n = POLICY_REPLY_MAX - 2 - at;
	if (text_put(out + at, action, n)) {
		for (i = at; i < at + n; i++) {
			if ((out[i] & 0x80) != 0)
				out[i] = '?';
		}
	}
	n += at;
	out[n++] = '\n';
	out[n++] = '\n';
	return n;
}
