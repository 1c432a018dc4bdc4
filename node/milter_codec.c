/*
 * milter_codec.c - frames in and out, see milter_codec.h.
 */
#include "node/milter_codec.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "proto/base/err.h"

static uint32_t
u32_at(const char *p)
{
	const uint8_t *b = (const uint8_t *)p;

	return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 |
	    (uint32_t)b[2] << 8 | b[3];
}

int
milter_parse(struct milter_parser *p, const char *data, size_t len,
    struct milter_frame *out, size_t *used, struct diag *why)
{
	size_t skip = p->skip < len ? (size_t)p->skip : len, keep;
	uint32_t n;

	p->skip -= skip;
	*used = skip;
	data += skip;
	len -= skip;
	if (len < 4)
		return ERR_AGAIN;
	n = u32_at(data);
	if (n == 0)
		return diag_set(why, ERR_INVAL, "a frame without a command");
	if (n > MILTER_FRAME_MAX)
		return diag_set(why, ERR_TOOBIG, "a frame of %lu bytes",
		    (unsigned long)n);
	keep = n <= MILTER_KEEP_MAX ? n : MILTER_KEEP_MAX;
	if (len - 4 < keep)
		return ERR_AGAIN;
	out->command = (uint8_t)data[4];
	out->data = data + 5;
	out->len = keep - 1;
	out->cut = keep < n;
	p->skip = n - keep;
	*used = skip + 4 + keep;
	return 0;
}

static int
malformed(const struct milter_frame *f, const char *what, struct diag *why)
{
	return diag_set(why, ERR_INVAL, "command 0x%02x: %s", f->command,
	    what);
}

/* Take the text up to the next NUL from *at on. */
static bool
take_text(const struct milter_frame *f, size_t *at, struct value *out)
{
	const char *p = f->data + *at;
	const char *nul = *at < f->len ? memchr(p, 0, f->len - *at) : NULL;

	if (nul == NULL)
		return false;
	*out = (struct value){ p, (size_t)(nul - p) };
	*at += out->len + 1;
	return true;
}

int
milter_options_read(const struct milter_frame *f, struct milter_options *out,
    struct diag *why)
{
	if (f->cut || f->len < 12)
		return malformed(f, "options of another length", why);
	out->version = u32_at(f->data);
	out->actions = u32_at(f->data + 4);
	out->steps = u32_at(f->data + 8);
	if (out->version < 2)
		return malformed(f, "a protocol version below 2", why);
	return 0;
}

int
milter_connect_read(const struct milter_frame *f, struct milter_connect *out,
    struct diag *why)
{
	size_t at = 0;
	char family;

	memset(out, 0, sizeof(*out));
	if (f->cut || !take_text(f, &at, &out->name) || at == f->len)
		return malformed(f, "no name and family", why);
	family = f->data[at++];
	if (family == 'U')
		return at == f->len ? 0 : malformed(f, "too long", why);
	if (strchr("46L", family) == NULL || family == '\0')
		return malformed(f, "an unknown family", why);
	if (f->len - at < 2)
		return malformed(f, "no port", why);
	at += 2;
	if (!take_text(f, &at, &out->address) || at != f->len)
		return malformed(f, "no address", why);
	if (family == 'L')
		out->address = (struct value){ NULL, 0 };
	else if (out->address.len > 5 && strncasecmp(out->address.p, "IPv6:",
	    5) == 0) {
		out->address.p += 5;
		out->address.len -= 5;
	}
	return 0;
}

int
milter_args_read(const struct milter_frame *f, struct milter_args *out,
    struct diag *why)
{
	size_t at = 0;

	out->n = 0;
	if (f->cut)
		return malformed(f, "too long", why);
	while (at < f->len) {
		if (out->n == MILTER_ARGS_MAX)
			return malformed(f, "too many parameters", why);
		if (!take_text(f, &at, &out->arg[out->n++]))
			return malformed(f, "a text without its end", why);
	}
	return out->n > 0 ? 0 : malformed(f, "no address", why);
}

int
milter_text_read(const struct milter_frame *f, struct value *out,
    struct diag *why)
{
	size_t at = 0;

	if (f->cut || !take_text(f, &at, out) || at != f->len)
		return malformed(f, "it is not one text", why);
	return 0;
}

int
milter_header_read(const struct milter_frame *f, struct milter_header *out,
    struct diag *why)
{
	size_t at = 0;

	if (!take_text(f, &at, &out->name))
		return malformed(f, "no name", why);
	if (f->cut) {
		out->value = (struct value){ f->data + at, f->len - at };
		return 0;
	}
	if (!take_text(f, &at, &out->value) || at != f->len)
		return malformed(f, "no value", why);
	return 0;
}

int
milter_macros_read(const struct milter_frame *f, milter_macro_fn fn,
    void *arg, struct diag *why)
{
	size_t at = 1;

	if (f->cut || f->len == 0)
		return malformed(f, "macros without a command", why);
	while (at < f->len) {
		struct value name, text;

		if (!take_text(f, &at, &name))
			return malformed(f, "a name without its end", why);
		/* Postfix ends an empty list with an empty text */
		if (at == f->len && name.len == 0)
			break;
		if (!take_text(f, &at, &text))
			return malformed(f, "a macro without a value", why);
		if (name.len > 2 && name.p[0] == '{' &&
		    name.p[name.len - 1] == '}') {
			name.p++;
			name.len -= 2;
		}
		fn(arg, name, text);
	}
	return 0;
}

int
milter_nothing_read(const struct milter_frame *f, struct diag *why)
{
	return f->cut || f->len > 0 ? malformed(f, "it has data", why) : 0;
}

static void
begin(struct buf *out, size_t data_len, char command)
{
	buf_put_u32(out, (uint32_t)data_len + 1);
	buf_put(out, &command, 1);
}

void
milter_put_continue(struct buf *out)
{
	begin(out, 0, 'c');
}

/* Stages of the macro lists: connect 0, MAIL 2, RCPT 3, end of message 5. */
static const struct { uint32_t stage; const char *names; } macros[] = {
	{ 0, "_ {client_resolve}" },
	{ 2, "i {auth_type} {auth_authen}" },
	{ 3, "i {rcpt_addr} {rcpt_host} {rcpt_mailer}" },
	{ 5, "i" },
};

void
milter_put_options(struct buf *out, const struct milter_options *o)
{
	bool lists = (o->actions & MILTER_SET_MACROS) != 0;
	size_t i, n = 12;

	for (i = 0; lists && i < sizeof(macros) / sizeof(macros[0]); i++)
		n += 4 + strlen(macros[i].names) + 1;
	begin(out, n, 'O');
	buf_put_u32(out, o->version);
	buf_put_u32(out, o->actions);
	buf_put_u32(out, o->steps);
	for (i = 0; lists && i < sizeof(macros) / sizeof(macros[0]); i++) {
		buf_put_u32(out, macros[i].stage);
		buf_put(out, macros[i].names, strlen(macros[i].names) + 1);
	}
}

void
milter_put_reply(struct buf *out, int code, const char *enhanced,
    const char *text)
{
	size_t n = strlen(text), i;
	char head[32];

	/* a mail server takes what is behind a single % as a format */
	for (i = 0; text[i] != '\0'; i++)
		n += text[i] == '%';
	snprintf(head, sizeof(head), "%d %s ", code, enhanced);
	begin(out, strlen(head) + n + 1, 'y');
	buf_puts(out, head);
	for (; *text != '\0'; text++)
		buf_put(out, *text == '%' ? "%%" : text, *text == '%' ? 2 : 1);
	buf_put(out, "", 1);
}

void
milter_put_delete_rcpt(struct buf *out, struct value rcpt)
{
	begin(out, rcpt.len + 1, '-');
	buf_put(out, rcpt.p, rcpt.len);
	buf_put(out, "", 1);
}

void
milter_put_add_header(struct buf *out, const char *name, const char *value)
{
	size_t name_len = strlen(name) + 1, value_len = strlen(value) + 1;

	begin(out, name_len + value_len, 'h');
	buf_put(out, name, name_len);
	buf_put(out, value, value_len);
}

void
milter_put_delete_header(struct buf *out, const char *name, uint32_t index)
{
	size_t name_len = strlen(name) + 1;

	begin(out, 4 + name_len + 1, 'm');
	buf_put_u32(out, index);
	buf_put(out, name, name_len);
	buf_put(out, "", 1);
}
