/*
 * milter_load.c - one epoll thread of mail servers that speak milter.
 *
 * A connection sends frames until one has an answer; when that came it goes
 * on.  A step is what is sent next.
 */
#include "bench/milter_load.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "bench/net.h"
#include "bench/stat.h"
#include "node/milter_codec.h"
#include "proto/base/buf.h"
#include "proto/base/err.h"

#define EVENTS 128
#define SILENCE_MS 10000
#define IN_MAX 16384
/* what Postfix 3.7 offers */
#define OFFER_ACTIONS 0x1ffu
#define OFFER_STEPS 0x1fffffu

enum step { STEP_OPTIONS, STEP_CONNECT, STEP_HELO, STEP_MAIL, STEP_RCPT,
    STEP_HEADERS, STEP_EOH, STEP_END, STEP_ABORT, STEP_QUIT };

struct mconn {
	int fd;
	enum step step;		/* to be sent next */
	enum step asked;	/* the answer that is awaited is to this */
	unsigned messages, rcpts, refused;
	uint64_t number;	/* of the message at hand */
	bool hit;
	uint64_t since_ns;
	size_t len;
	char in[IN_MAX];
};

struct mrun {
	const struct milter_load *conf;
	struct milter_result *out;
	struct mconn *conn;
	struct hist *hist;
	struct buf text;
	uint64_t next, end_ns;
	unsigned open;
	int epoll;
};

static const struct { const char *name, *value; } headers[] = {
	{ "Received", "from mail.client.example (mail.client.example "
	    "[198.51.100.7])\n\tby mx.acme.example (Postfix) with ESMTP id "
	    "4XyZ1\n\tfor <al@acme.example>; Mon, 23 Nov 2026 17:25:43" },
	{ "From", "Someone <someone@sender.example>" },
	{ "To", "Other <other@acme.example>" },
	{ "Subject", "A question" },
	{ "Date", "Mon, 23 Nov 2026 17:25:43 +0000" },
	{ "Message-Id", "<1@sender.example>" },
	{ "MIME-Version", "1.0" },
	{ "Content-Type", "text/plain; charset=utf-8" },
};

/* Texts to NULL, each with its NUL. */
static void
put(struct buf *out, char command, const char *const *texts, size_t n)
{
	uint32_t len = 1;
	size_t i;

	for (i = 0; i < n; i++)
		len += (uint32_t)strlen(texts[i]) + 1;
	buf_put_u32(out, len);
	buf_putc(out, command);
	for (i = 0; i < n; i++)
		buf_put(out, texts[i], strlen(texts[i]) + 1);
}

/* Macros in front of a command; its letter stands before the first name. */
#define PUT(out, command, ...) do { \
	const char *const texts_[] = { __VA_ARGS__ }; \
	put(out, command, texts_, sizeof(texts_) / sizeof(texts_[0])); \
} while (0)

static void
put_options(struct buf *out)
{
	buf_put_u32(out, 13);
	buf_putc(out, MILTER_OPTNEG);
	buf_put_u32(out, 6);
	buf_put_u32(out, OFFER_ACTIONS);
	buf_put_u32(out, OFFER_STEPS);
}

static void
put_connect(struct buf *out)
{
	static const char address[] = "mail.client.example\0" "4\x95\xb6"
	    "198.51.100.7";

	PUT(out, MILTER_MACRO, "Cj", "mx.acme.example", "{daemon_name}",
	    "mx.acme.example", "v", "Postfix 3.7.11", "_",
	    "mail.client.example [198.51.100.7]", "{client_resolve}", "OK");
	buf_put_u32(out, (uint32_t)sizeof(address) + 1);
	buf_putc(out, MILTER_CONNECT);
	buf_put(out, address, sizeof(address));
}

static void
put_mail(struct mrun *r, struct mconn *c)
{
	char address[SET_ADDRESS_MAX], text[SET_ADDRESS_MAX + 2];

	c->number = r->next++;
	c->hit = r->conf->hit_pct > 0 && set_mix(r->conf->set->seed ^ 0x6d69,
	    c->number) % 100 < r->conf->hit_pct;
	c->rcpts = c->refused = 0;
	c->since_ns = stat_now_ns();
	set_sender(r->conf->set, c->number, c->hit, address);
	snprintf(text, sizeof(text), "<%s>", address);
	PUT(&r->text, MILTER_MACRO, "Mi", "4XyZ1", "{mail_addr}", address,
	    "{mail_host}", "client.example", "{mail_mailer}", "smtp");
	PUT(&r->text, MILTER_MAIL, text);
}

static void
put_rcpt(struct mrun *r, struct mconn *c)
{
	char address[SET_ADDRESS_MAX], text[SET_ADDRESS_MAX + 2];

	set_recipient(r->conf->set, c->number * r->conf->recipients +
	    c->rcpts++, false, address);
	snprintf(text, sizeof(text), "<%s>", address);
	PUT(&r->text, MILTER_MACRO, "R{rcpt_addr}", address, "{rcpt_host}",
	    "acme.example", "{rcpt_mailer}", "local");
	PUT(&r->text, MILTER_RCPT, text);
}

static void
put_headers(struct mrun *r)
{
	size_t i;

	for (i = 0; i < sizeof(headers) / sizeof(headers[0]); i++)
		PUT(&r->text, MILTER_HEADER, headers[i].name,
		    headers[i].value);
}

/* Append one step; true: it has an answer. */
static bool
put_step(struct mrun *r, struct mconn *c)
{
	uint32_t steps = r->out->steps;

	c->asked = c->step;
	switch (c->step++) {
	case STEP_OPTIONS:
		put_options(&r->text);
		return true;
	case STEP_CONNECT:
		put_connect(&r->text);
		return (steps & MILTER_SILENT_CONNECT) == 0;
	case STEP_HELO:
		PUT(&r->text, MILTER_HELO, "mail.client.example");
		return (steps & MILTER_SILENT_HELO) == 0;
	case STEP_MAIL:
		put_mail(r, c);
		return true;
	case STEP_RCPT:
		put_rcpt(r, c);
		return true;
	case STEP_HEADERS:
		if ((steps & MILTER_NO_HEADERS) == 0)
			put_headers(r);
		return false;
	case STEP_EOH:
		if ((steps & MILTER_NO_EOH) != 0)
			return false;
		PUT(&r->text, MILTER_MACRO, "Ni", "4XyZ1");
		put(&r->text, MILTER_EOH, NULL, 0);
		return true;
	case STEP_END:
		PUT(&r->text, MILTER_MACRO, "Ei", "4XyZ1");
		put(&r->text, MILTER_EOB, NULL, 0);
		return true;
	case STEP_ABORT:
		put(&r->text, MILTER_ABORT, NULL, 0);
		return false;
	default:
		put(&r->text, MILTER_QUIT, NULL, 0);
		return false;
	}
}

static int
dial(struct mrun *r, struct mconn *c, struct diag *why)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = c };

	c->fd = net_connect(r->conf->target, 1, why);
	if (c->fd < 0)
		return c->fd;
	epoll_ctl(r->epoll, EPOLL_CTL_ADD, c->fd, &ev);
	c->step = STEP_OPTIONS;
	c->messages = 0;
	c->len = 0;
	r->open++;
	return 0;
}

static int
flush(struct mrun *r, struct mconn *c, struct diag *why)
{
	ssize_t len = (ssize_t)r->text.len;

	/* one message always fits the socket's buffer */
	if (write(c->fd, r->text.data, r->text.len) != len)
		return diag_set(why, ERR_UNREACH, "%s: %s", r->conf->target,
		    strerror(errno));
	buf_reset(&r->text);
	return 0;
}

/* A message is over: the next, on this connection or a new one; none at the
 * end of the time. */
static int
end_message(struct mrun *r, struct mconn *c, bool refused, struct diag *why)
{
	uint64_t now = stat_now_ns();
	int rc;

	r->out->messages++;
	r->out->refused += refused;
	r->out->unlike += refused != c->hit;
	hist_add(r->hist, now - c->since_ns);
	c->step = STEP_MAIL;
	if (++c->messages < r->conf->messages && now < r->end_ns)
		return 0;
	c->step = STEP_QUIT;
	put_step(r, c);
	if ((rc = flush(r, c, why)) < 0)
		return rc;
	close(c->fd);
	c->fd = -1;
	r->open--;
	return now < r->end_ns ? dial(r, c, why) : 0;
}

/* Send until something has an answer. */
static int
go_on(struct mrun *r, struct mconn *c, struct diag *why)
{
	bool aborts;
	int rc;

	while (c->fd >= 0) {
		if (c->step == STEP_HEADERS && c->rcpts < r->conf->recipients)
			c->step = STEP_RCPT;
		else if (c->step == STEP_HEADERS && (!r->conf->whole ||
		    c->refused == c->rcpts))
			c->step = STEP_ABORT;
		aborts = c->step == STEP_ABORT;
		if (put_step(r, c))
			return flush(r, c, why);
		if (aborts && (rc = end_message(r, c, c->refused ==
		    c->rcpts, why)) < 0)
			return rc;
	}
	return 0;
}

static int
take_options(struct mrun *r, const struct milter_frame *f, struct diag *why)
{
	struct milter_options o;
	struct milter_frame head = *f;
	int rc;

	if (head.len > 12)
		head.len = 12;		/* the lists of macros */
	if (f->command != MILTER_OPTNEG || (rc = milter_options_read(&head,
	    &o, why)) < 0)
		return diag_set(why, ERR_CORRUPT, "%s does not negotiate",
		    r->conf->target);
	r->out->actions = o.actions;
	r->out->steps = o.steps;
	return 0;
}

/* One answer. */
static int
take_frame(struct mrun *r, struct mconn *c, const struct milter_frame *f,
    struct diag *why)
{
	bool refuses = strchr("yrt", f->command) != NULL;
	int rc = 0;

	if (c->asked == STEP_OPTIONS) {
		if ((rc = take_options(r, f, why)) < 0)
			return rc;
		return go_on(r, c, why);
	}
	/* at the end changes come before the answer */
	if (c->asked == STEP_END && strchr("h+-mibp", f->command) != NULL)
		return 0;
	if (f->command != 'c' && f->command != 'a' && !refuses)
		return diag_set(why, ERR_CORRUPT, "%s answered '%c' to step "
		    "%d", r->conf->target, f->command, (int)c->asked);
	if (c->asked == STEP_RCPT)
		c->refused += refuses;
	else if (c->asked == STEP_END || refuses)
		rc = end_message(r, c, refuses, why);
	return rc < 0 ? rc : go_on(r, c, why);
}

static int
on_bytes(struct mrun *r, struct mconn *c, struct diag *why)
{
	ssize_t n = read(c->fd, c->in + c->len, sizeof(c->in) - c->len);
	struct milter_parser parser = { 0 };
	struct milter_frame f;
	size_t used, at = 0;
	int rc;

	if (n < 0 && errno == EAGAIN)
		return 0;
	if (n <= 0)
		return diag_set(why, ERR_UNREACH, "%s closed",
		    r->conf->target);
	n += (ssize_t)c->len;
	c->len = 0;
	while (milter_parse(&parser, c->in + at, (size_t)n - at, &f, &used,
	    why) == 0) {
		at += used;
		if ((rc = take_frame(r, c, &f, why)) < 0)
			return rc;
		if (c->fd < 0 || c->asked == STEP_OPTIONS)
			return 0;	/* another connection now */
	}
	memmove(c->in, c->in + at, (size_t)n - at);
	c->len = (size_t)n - at;
	return 0;
}

static int
loop(struct mrun *r, struct diag *why)
{
	struct epoll_event ev[EVENTS];
	int i, n, rc;

	while (r->open > 0) {
		n = epoll_wait(r->epoll, ev, EVENTS, SILENCE_MS);
		if (n == 0)
			return diag_set(why, ERR_TIMEOUT, "%s does not answer",
			    r->conf->target);
		for (i = 0; i < n; i++) {
			if ((rc = on_bytes(r, ev[i].data.ptr, why)) < 0)
				return rc;
		}
	}
	return 0;
}

static int
start(struct mrun *r, struct diag *why)
{
	unsigned i;
	int rc;

	for (i = 0; i < r->conf->connections; i++) {
		if ((rc = dial(r, &r->conn[i], why)) < 0 ||
		    (rc = go_on(r, &r->conn[i], why)) < 0)
			return rc;
	}
	return 0;
}

int
milter_load_run(const struct milter_load *conf, struct milter_result *out,
    struct diag *why)
{
	struct mrun r = { .conf = conf, .out = out, .next = conf->first,
	    .conn = xcalloc(conf->connections, sizeof(struct mconn)),
	    .hist = xcalloc(1, sizeof(struct hist)) };
	double cpu = conf->pid > 0 ? stat_cpu(conf->pid) : 0, begin;
	unsigned i;
	int rc;

	memset(out, 0, sizeof(*out));
	for (i = 0; i < conf->connections; i++)
		r.conn[i].fd = -1;
	buf_init(&r.text, 0);
	r.epoll = epoll_create1(EPOLL_CLOEXEC);
	begin = stat_now();
	r.end_ns = stat_now_ns() + (uint64_t)(conf->seconds * 1e9);
	rc = start(&r, why);
	if (rc == 0)
		rc = loop(&r, why);
	if (rc == 0 && out->messages > 0) {
		out->per_second = (double)out->messages / (stat_now() -
		    begin);
		out->p50_us = hist_us(r.hist, 0.5);
		out->p99_us = hist_us(r.hist, 0.99);
		if (conf->pid > 0)
			out->cpu_us = (stat_cpu(conf->pid) - cpu) * 1e6 /
			    (double)out->messages;
	}
	for (i = 0; i < conf->connections; i++) {
		if (r.conn[i].fd >= 0)
			close(r.conn[i].fd);
	}
	close(r.epoll);
	buf_fini(&r.text);
	free(r.conn);
	free(r.hist);
	return rc;
}
