/*
 * load.c - one epoll thread that asks and takes times.
 *
 * The attributes are those that Postfix 3.7 sends, in its order.
 */
#include "bench/load.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "bench/load_http.h"
#include "bench/net.h"
#include "proto/base/err.h"

#define EVENTS 256
#define SILENCE_NS 10000000000u
#define ANSWER_MAX 8192

static const char head[] =
    "request=smtpd_access_policy\nprotocol_state=RCPT\n"
    "protocol_name=ESMTP\nclient_address=198.51.100.7\n"
    "client_name=mail.client.example\nclient_port=38070\n"
    "reverse_client_name=mail.client.example\n"
    "server_address=192.0.2.25\nserver_port=25\n"
    "helo_name=mail.client.example\nsender=";
static const char middle[] =
    "\nrecipient_count=0\nqueue_id=\ninstance=8e.6b0476e9.";
static const char tail[] =
    ".0\nsize=0\netrn_domain=\nstress=\nsasl_method=\nsasl_username=\n"
    "sasl_sender=\nccert_subject=\nccert_issuer=\nccert_fingerprint=\n"
    "ccert_pubkey_fingerprint=\nencryption_protocol=\nencryption_cipher=\n"
    "encryption_keysize=0\npolicy_context=rcpt\n\n";

struct load_conn {
	int fd;
	bool hit;
	uint64_t asked_ns;
	size_t len;
	char answer[ANSWER_MAX];
};

struct run {
	const struct load_conf *conf;
	struct load_result *out;
	struct load_conn *conn;
	int epoll;
	bool http;			/* see load_http_target() */
	bool each;			/* a connection for each request */
	const char *address;
	uint64_t next, begin_ns, end_ns, slice_ns, heard_ns;
	unsigned outstanding;
	struct load_conn **idle;	/* with a rate: free to ask on */
	size_t idle_n;
	struct hist *hist, *slice;	/* all; the slice now */
	struct load_slice *slices;
	size_t slices_n, at;
};

bool
load_is_hit(const struct load_conf *conf, uint64_t n)
{
	return conf->hit_pct > 0 && set_mix(conf->set->seed ^ 0x6869, n) %
	    100 < conf->hit_pct;
}

size_t
load_request(const struct load_conf *conf, uint64_t n, bool hit, char *out)
{
	char sender[SET_ADDRESS_MAX], rcpt[SET_ADDRESS_MAX];
	int len;

	set_sender(conf->set, n, hit, sender);
	set_recipient(conf->set, n, conf->directory, rcpt);
	len = snprintf(out, LOAD_REQUEST_MAX, "%s%s\nrecipient=%s%s%06llx%s",
	    head, sender, rcpt, middle, (unsigned long long)n & 0xffffff,
	    tail);
	return (size_t)len;
}

/* A fresh connection, on which c waits. */
static int
dial(struct run *r, struct load_conn *c, struct diag *why)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = c };

	c->fd = net_connect(r->address, 1, why);
	if (c->fd < 0)
		return c->fd;
	epoll_ctl(r->epoll, EPOLL_CTL_ADD, c->fd, &ev);
	return 0;
}

static int
ask(struct run *r, struct load_conn *c, uint64_t since_ns, struct diag *why)
{
	char text[LOAD_REQUEST_MAX];
	uint64_t n = r->next++;
	size_t len;
	int rc;

	c->hit = load_is_hit(r->conf, n);
	len = r->http ? load_http_request(r->conf, n, c->hit, text) :
	    load_request(r->conf, n, c->hit, text);
	c->len = 0;
	c->asked_ns = since_ns;
	if (c->fd < 0 && (rc = dial(r, c, why)) < 0)
		return rc;
	/* One request outstanding always fits the socket's buffer. */
	if (write(c->fd, text, len) != (ssize_t)len)
		return diag_set(why, ERR_UNREACH, "%s: %s", r->conf->target,
		    strerror(errno));
	return 0;
}

/* Close slices that ended before now. */
static void
end_slices(struct run *r, uint64_t now)
{
	while (r->at < r->slices_n && now - r->begin_ns >= (r->at + 1) *
	    r->slice_ns) {
		struct load_slice *s = &r->slices[r->at++];

		s->n = r->slice->n;
		s->p50_us = hist_us(r->slice, 0.5);
		s->p99_us = hist_us(r->slice, 0.99);
		s->max_us = (double)r->slice->max_ns / 1000;
		memset(r->slice, 0, sizeof(*r->slice));
	}
}

static void
count(struct run *r, struct load_conn *c)
{
	uint64_t now = stat_now_ns();
	bool refused = r->http ? load_http_refused(c->answer) :
	    strncmp(c->answer, "action=DUNNO\n", 13) != 0;

	r->out->requests++;
	r->out->refused += refused;
	r->out->unlike += refused != c->hit;
	hist_add(r->hist, now - c->asked_ns);
	if (r->slices_n > 0) {
		end_slices(r, now);
		hist_add(r->slice, now - c->asked_ns);
	}
}

/* Take what came; true once the answer is whole. */
static int
take(struct run *r, struct load_conn *c, bool *whole, struct diag *why)
{
	ssize_t n = read(c->fd, c->answer + c->len, sizeof(c->answer) - 1 -
	    c->len);

	*whole = false;
	if (n < 0 && errno == EAGAIN)
		return 0;
	if (n == 0 && r->http && c->len > 0) {
		close(c->fd);
		c->fd = -1;
		*whole = true;
		return 0;
	}
	if (n <= 0)
		return diag_set(why, ERR_UNREACH, "%s closed",
		    r->conf->target);
	c->len += (size_t)n;
	c->answer[c->len] = '\0';
	if (r->http)
		return c->len < sizeof(c->answer) - 1 ? 0 : ERR_CORRUPT;
	if (c->len < 2 || memcmp(c->answer + c->len - 2, "\n\n", 2) != 0)
		return c->len < sizeof(c->answer) - 1 ? 0 : ERR_CORRUPT;
	if (strncmp(c->answer, "action=", 7) != 0)
		return diag_set(why, ERR_CORRUPT, "%s answered \"%.40s\"",
		    r->conf->target, c->answer);
	*whole = true;
	if (r->each) {
		close(c->fd);
		c->fd = -1;
	}
	return 0;
}

/* With a rate: when the next request is due. */
static uint64_t
due_ns(const struct run *r)
{
	return r->begin_ns + (uint64_t)((double)(r->next - r->conf->first) /
	    r->conf->rate * 1e9);
}

static bool
is_over(const struct run *r)
{
	return r->outstanding == 0 && (r->conf->rate <= 0 || due_ns(r) >=
	    r->end_ns);
}

/* Ask what is due, as far as connections are free. */
static int
ask_due(struct run *r, struct diag *why)
{
	uint64_t due;
	int rc;

	while (r->idle_n > 0 && (due = due_ns(r)) < r->end_ns &&
	    due <= stat_now_ns()) {
		r->outstanding++;
		if ((rc = ask(r, r->idle[--r->idle_n], due, why)) < 0)
			return rc;
	}
	return 0;
}

/* Until something came, or the next request is due.  How many events. */
static int
await(struct run *r, struct epoll_event *ev)
{
	uint64_t now = stat_now_ns(), until = r->heard_ns + SILENCE_NS, due;
	struct timespec t = { 0, 0 };

	if (r->conf->rate > 0 && r->idle_n > 0 && (due = due_ns(r)) <
	    r->end_ns && due < until)
		until = due;
	if (until > now) {
		t.tv_sec = (time_t)((until - now) / 1000000000);
		t.tv_nsec = (long)((until - now) % 1000000000);
	}
	return epoll_pwait2(r->epoll, ev, EVENTS, &t, NULL);
}

/* This connection's answer is whole: what it does next. */
static int
go_on(struct run *r, struct load_conn *c, struct diag *why)
{
	uint64_t now = stat_now_ns();

	if (r->conf->rate <= 0 && now < r->end_ns)
		return ask(r, c, now, why);
	r->outstanding--;
	r->idle[r->idle_n++] = c;
	return 0;
}

static int
loop(struct run *r, struct diag *why)
{
	struct epoll_event ev[EVENTS];
	bool whole;
	int i, n, rc;

	while (!is_over(r)) {
		if (r->conf->rate > 0 && (rc = ask_due(r, why)) < 0)
			return rc;
		n = await(r, ev);
		if (n == 0 && r->outstanding > 0 && stat_now_ns() >=
		    r->heard_ns + SILENCE_NS)
			return diag_set(why, ERR_TIMEOUT, "%s does not answer",
			    r->conf->target);
		if (n > 0 || r->outstanding == 0)
			r->heard_ns = stat_now_ns();
		for (i = 0; i < n; i++) {
			struct load_conn *c = ev[i].data.ptr;

			if ((rc = take(r, c, &whole, why)) < 0)
				return rc;
			if (!whole)
				continue;
			count(r, c);
			if ((rc = go_on(r, c, why)) < 0)
				return rc;
		}
	}
	return 0;
}

static int
start(struct run *r, struct diag *why)
{
	unsigned i;
	int rc;

	for (i = 0; i < r->conf->connections && !r->http &&
	    !r->each; i++) {
		if ((rc = dial(r, &r->conn[i], why)) < 0)
			return rc;
	}
	r->begin_ns = r->heard_ns = stat_now_ns();
	r->end_ns = r->begin_ns + (uint64_t)(r->conf->seconds * 1e9);
	if (r->slices_n > 0)
		r->slice_ns = (r->end_ns - r->begin_ns) / r->slices_n;
	for (i = 0; i < r->conf->connections; i++) {
		if (r->conf->rate > 0) {
			r->idle[r->idle_n++] = &r->conn[i];
			continue;
		}
		r->outstanding++;
		if ((rc = ask(r, &r->conn[i], stat_now_ns(), why)) < 0)
			return rc;
	}
	return 0;
}

static void
sum_up(struct run *r, double cpu, double client_cpu)
{
	struct load_result *o = r->out;
	double n = o->requests > 0 ? (double)o->requests : 1;

	o->seconds = (double)(stat_now_ns() - r->begin_ns) / 1e9;
	o->per_second = n / o->seconds;
	o->p50_us = hist_us(r->hist, 0.5);
	o->p99_us = hist_us(r->hist, 0.99);
	o->max_us = (double)r->hist->max_ns / 1000;
	o->cpu_us = cpu * 1e6 / n;
	o->client_cpu_us = client_cpu * 1e6 / n;
	if (r->slices_n > 0)
		end_slices(r, r->end_ns);
	if (r->conf->hist != NULL)
		hist_merge(r->conf->hist, r->hist);
}

int
load_run(const struct load_conf *conf, struct load_result *out,
    struct load_slice *slices, size_t slices_n, struct diag *why)
{
	struct run r = { .conf = conf, .out = out, .next = conf->first,
	    .slices = slices, .slices_n = slices == NULL ? 0 : slices_n,
	    .hist = xcalloc(1, sizeof(struct hist)),
	    .slice = xcalloc(1, sizeof(struct hist)),
	    .conn = xcalloc(conf->connections, sizeof(struct load_conn)),
	    .idle = xcalloc(conf->connections, sizeof(struct load_conn *)) };
	double cpu, client;
	unsigned i;
	int rc;

	memset(out, 0, sizeof(*out));
	for (i = 0; i < conf->connections; i++)
		r.conn[i].fd = -1;
	r.http = load_http_target(conf->target, &r.address);
	if (strncmp(r.address, "each:", 5) == 0) {
		r.each = true;
		r.address += 5;
	}
	r.epoll = epoll_create1(EPOLL_CLOEXEC);
	cpu = conf->pid > 0 ? stat_cpu(conf->pid) : 0;
	client = stat_cpu(-1);
	rc = start(&r, why);
	if (rc == 0)
		rc = loop(&r, why);
	if (rc == 0)
		sum_up(&r, conf->pid > 0 ? stat_cpu(conf->pid) - cpu : 0,
		    stat_cpu(-1) - client);
	for (i = 0; i < conf->connections; i++) {
		if (r.conn[i].fd >= 0)
			close(r.conn[i].fd);
	}
	close(r.epoll);
	free(r.conn);
	free(r.idle);
	free(r.hist);
	free(r.slice);
	return rc;
}
