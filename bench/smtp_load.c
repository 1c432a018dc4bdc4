/*
 * smtp_load.c - one epoll thread of SMTP clients.
 *
 * A client is a number of replies it still waits for; when none is left it
 * sends the next transaction, first EHLO.
 */
#include "bench/smtp_load.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "bench/net.h"
#include "bench/stat.h"
#include "proto/base/buf.h"
#include "proto/base/err.h"

#define EVENTS 128
#define SILENCE_MS 30000
#define LINE_MAX_LEN 2048

struct client {
	int fd;
	unsigned waits;		/* replies to come */
	bool greeted, ready;	/* the banner came; EHLO was answered */
	uint64_t sent_ns;
	unsigned at;		/* reply number in this transaction */
	size_t len;
	char line[LINE_MAX_LEN];
};

struct smtp_run {
	const struct smtp_load *conf;
	struct smtp_result *out;
	struct client *client;
	struct hist *hist;
	struct buf text, message;
	uint64_t next;
	int epoll;
};

static int
send_buf(struct smtp_run *r, struct client *c, const struct buf *b,
    struct diag *why)
{
	/* little enough that the socket's buffer takes it */
	if (write(c->fd, b->data, b->len) != (ssize_t)b->len)
		return diag_set(why, ERR_UNREACH, "%s: %s", r->conf->target,
		    strerror(errno));
	return 0;
}

static int
send_text(struct smtp_run *r, struct client *c, struct diag *why)
{
	c->sent_ns = stat_now_ns();
	c->at = 0;
	return send_buf(r, c, &r->text, why);
}

/* A message of so many bytes, with its end. */
static void
make_message(struct buf *out, size_t bytes)
{
	static const char line[] = "This line is one of many that are alike, "
	    "as long as lines of a message are.\r\n";

	buf_puts(out, "From: Someone <someone@sender.example>\r\n"
	    "To: Other <other@acme.example>\r\nSubject: A question\r\n"
	    "Date: Mon, 23 Nov 2026 17:25:43 +0000\r\n"
	    "Message-Id: <1@sender.example>\r\n\r\n");
	while (out->len + sizeof(line) <= bytes)
		buf_puts(out, line);
	buf_puts(out, ".\r\n");
}

static int
send_next(struct smtp_run *r, struct client *c, struct diag *why)
{
	char address[SET_ADDRESS_MAX];
	uint64_t n = r->next++;
	unsigned i;

	buf_reset(&r->text);
	if (!c->greeted) {
		c->greeted = true;
		c->waits = 1;
		buf_puts(&r->text, "EHLO client.example\r\n");
		return send_text(r, c, why);
	}
	c->ready = true;
	c->waits = r->conf->recipients + 2;
	set_sender(r->conf->set, n, false, address);
	buf_printf(&r->text, "MAIL FROM:<%s>\r\n", address);
	for (i = 0; i < r->conf->recipients; i++) {
		set_recipient(r->conf->set, n * r->conf->recipients + i,
		    false, address);
		buf_printf(&r->text, "RCPT TO:<%s>\r\n", address);
	}
	buf_puts(&r->text, r->conf->bytes > 0 ? "DATA\r\n" : "RSET\r\n");
	return send_text(r, c, why);
}

/* One whole line without its end; only the last of a reply counts. */
static int
on_line(struct smtp_run *r, struct client *c, struct diag *why)
{
	bool good = c->line[0] == '2';

	if (c->len < 4 || c->line[3] == '-')
		return 0;
	if (c->waits == 0)
		return diag_set(why, ERR_UNREACH, "%s says %.60s",
		    r->conf->target, c->line);
	if (c->ready && c->at > 0 && c->at <= r->conf->recipients) {
		r->out->recipients++;
		r->out->refused += !good;
	} else if (c->ready && r->conf->bytes > 0 && c->at ==
	    r->conf->recipients + 1) {
		/* DATA: the message, or nobody is left to get it */
		if (strncmp(c->line, "354", 3) == 0) {
			c->at++;
			return send_buf(r, c, &r->message, why);
		}
	} else if (c->ready && c->at == r->conf->recipients + 2 && !good)
		r->out->refused += r->conf->recipients;
	else if (!good)
		return diag_set(why, ERR_UNREACH, "%s says %.60s",
		    r->conf->target, c->line);
	c->at++;
	if (--c->waits == 0 && c->ready)
		hist_add(r->hist, stat_now_ns() - c->sent_ns);
	return 0;
}

static int
on_bytes(struct smtp_run *r, struct client *c, struct diag *why)
{
	char text[8192];
	ssize_t n = read(c->fd, text, sizeof(text)), i;
	int rc = 0;

	if (n < 0 && errno == EAGAIN)
		return 0;
	if (n <= 0)
		return diag_set(why, ERR_UNREACH, "%s closed",
		    r->conf->target);
	for (i = 0; i < n && rc == 0; i++) {
		if (text[i] != '\n') {
			if (c->len < sizeof(c->line) - 1)
				c->line[c->len++] = text[i];
			continue;
		}
		c->line[c->len] = '\0';
		rc = on_line(r, c, why);
		c->len = 0;
	}
	return rc;
}

static int
loop(struct smtp_run *r, struct diag *why)
{
	struct epoll_event ev[EVENTS];
	uint64_t end = stat_now_ns() + (uint64_t)(r->conf->seconds * 1e9);
	int i, n, rc;

	while (stat_now_ns() < end) {
		n = epoll_wait(r->epoll, ev, EVENTS, SILENCE_MS);
		if (n == 0)
			return diag_set(why, ERR_TIMEOUT, "%s is silent",
			    r->conf->target);
		for (i = 0; i < n; i++) {
			struct client *c = ev[i].data.ptr;

			if ((rc = on_bytes(r, c, why)) < 0 ||
			    (c->waits == 0 && (rc = send_next(r, c,
			    why)) < 0))
				return rc;
		}
	}
	return 0;
}

static int
start(struct smtp_run *r, struct diag *why)
{
	struct epoll_event ev = { .events = EPOLLIN };
	unsigned i;
	int fd;

	for (i = 0; i < r->conf->connections; i++) {
		fd = net_connect(r->conf->target, 1, why);
		if (fd < 0)
			return fd;
		r->client[i].fd = fd;
		r->client[i].waits = 1;		/* the banner */
		ev.data.ptr = &r->client[i];
		epoll_ctl(r->epoll, EPOLL_CTL_ADD, fd, &ev);
	}
	return 0;
}

static double
cpu_of(pid_t pid)
{
	return pid > 0 ? stat_cpu(pid) : 0;
}

int
smtp_load_run(const struct smtp_load *conf, struct smtp_result *out,
    struct diag *why)
{
	struct smtp_run r = { .conf = conf, .out = out, .next = conf->first,
	    .client = xcalloc(conf->connections, sizeof(struct client)),
	    .hist = xcalloc(1, sizeof(struct hist)) };
	double cpu = cpu_of(conf->pid), server = cpu_of(conf->server), begin;
	unsigned i;
	int rc;

	memset(out, 0, sizeof(*out));
	for (i = 0; i < conf->connections; i++)
		r.client[i].fd = -1;
	buf_init(&r.text, 0);
	buf_init(&r.message, 0);
	make_message(&r.message, conf->bytes);
	r.epoll = epoll_create1(EPOLL_CLOEXEC);
	begin = stat_now();
	rc = start(&r, why);
	if (rc == 0)
		rc = loop(&r, why);
	if (rc == 0 && out->recipients > 0) {
		out->per_second = (double)out->recipients / (stat_now() -
		    begin);
		out->p50_us = hist_us(r.hist, 0.5);
		out->p99_us = hist_us(r.hist, 0.99);
		cpu = cpu_of(conf->pid) - cpu;
		server = cpu_of(conf->server) - server;
		out->cpu_us = cpu * 1e6 / (double)out->recipients;
		out->all_cpu_us = conf->server <= 0 ? 0 : (cpu + server) *
		    1e6 / (double)out->recipients;
	}
	for (i = 0; i < conf->connections; i++) {
		if (r.client[i].fd >= 0)
			close(r.client[i].fd);
	}
	close(r.epoll);
	buf_fini(&r.text);
	buf_fini(&r.message);
	free(r.client);
	free(r.hist);
	return rc;
}
