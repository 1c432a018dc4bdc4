/*
 * httpd.c - a small strict HTTP/1.1 server over libmicrohttpd 0.9.75.
 *
 * libmicrohttpd lets through what a proxy in front may read in another way
 * (two Content-Length, Transfer-Encoding beside it, "%00" in a path), and
 * its time-out is for silence only.  So what it parsed is looked at again
 * here, and a connection has a deadline.
 *
 * All runs on one thread, ours: it lets libmicrohttpd work, then cuts the
 * connections that are late.  No lock is needed, and no descriptor can be
 * closed between being found late and being shut down.  Time that a handler
 * takes does not count against those who wait for it.
 */
#include "proto/base/httpd.h"

#include <microhttpd.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "proto/base/clock.h"
#include "proto/base/err.h"
#include "proto/base/file.h"
#include "proto/base/httpd_check.h"
#include "proto/base/httpd_listen.h"

#define CONN_MEMORY ((size_t)40 << 10)	/* a whole head, read and parsed */
#define PEM_MAX ((size_t)256 << 10)
#define REPLY_MAX ((size_t)256 << 20)
#define TICK_MS 50		/* how late a cut or a stop may be */
#define TLS_PRIORITIES "SECURE128:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"

/* A connection: one request, then one reply, each within the deadline. */
struct conn {
	struct conn *next, **link;
	int fd;
	uint64_t since_ms;	/* by awake_ms() */
	bool cut;
};

struct request {
	bool bad_target, begun, too_big;
	const char *target_end;		/* where it stood in the request line */
	struct buf body;
};

struct httpd {
	struct MHD_Daemon *mhd;
	httpd_fn fn;
	void *arg;
	size_t max_body;
	uint64_t deadline_ms, handler_ms;
	struct conn *conns;
	pthread_t thread;
	atomic_bool stopping;
	struct buf cert, key;
	char url[96];
};

/* Time that passes only while no handler runs. */
static uint64_t
awake_ms(const struct httpd *h)
{
	return clock_mono_ms() - h->handler_ms;
}

/* --- connections and their deadline -------------------------------------- */

static void
on_connection(void *arg, struct MHD_Connection *mc, void **ctx,
    enum MHD_ConnectionNotificationCode code)
{
	struct httpd *h = arg;
	struct conn *c = *ctx;

	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		c = xcalloc(1, sizeof(*c));
		c->fd = MHD_get_connection_info(mc,
		    MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
		c->since_ms = awake_ms(h);
		c->next = h->conns;
		c->link = &h->conns;
		if (c->next != NULL)
			c->next->link = &c->next;
		h->conns = c;
		*ctx = c;
	} else if (c != NULL) {
		*c->link = c->next;
		if (c->next != NULL)
			c->next->link = c->link;
		free(c);
		*ctx = NULL;
	}
}

/* libmicrohttpd sees the end of the stream, and closes and forgets it; by a
 * reset, or what the client does not take would stay in the kernel. */
static void
cut_late(struct httpd *h)
{
	struct linger reset = { .l_onoff = 1 };
	uint64_t now = awake_ms(h);
	struct conn *c;

	for (c = h->conns; c != NULL; c = c->next) {
		if (c->cut || now - c->since_ms < h->deadline_ms)
			continue;
		setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &reset,
		    sizeof(reset));
		shutdown(c->fd, SHUT_RDWR);
		c->cut = true;
	}
}

static struct conn *
conn_of(struct MHD_Connection *mc)
{
	return MHD_get_connection_info(mc,
	    MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
}

static void *
serve(void *arg)
{
	struct httpd *h = arg;

	while (!atomic_load(&h->stopping)) {
		MHD_run_wait(h->mhd, TICK_MS);
		cut_late(h);
	}
	return NULL;
}

/* --- what is refused before the handler ---------------------------------- */

static void *
on_target(void *arg, const char *uri, struct MHD_Connection *mc)
{
	struct request *r = xcalloc(1, sizeof(*r));

	(void)arg, (void)mc;
	r->bad_target = !httpd_is_target(uri);
	r->target_end = uri + strlen(uri);
	buf_init(&r->body, 0);
	return r;
}

static enum MHD_Result
on_header(void *arg, enum MHD_ValueKind kind, const char *name,
    size_t name_len, const char *val, size_t val_len)
{
	(void)kind;
	httpd_head_add(arg, name, name_len, val, val_len);
	return MHD_YES;
}

/*
 * Does more than a space stand between the target and the version?  Both
 * were cut in place out of one line, so a NUL byte sent amid the target shows
 * as a gap.  (Elsewhere in memory, both are no longer of one line.)
 */
static bool
has_gap(const struct request *r, const char *version)
{
	uintptr_t gap = (uintptr_t)version - (uintptr_t)r->target_end;

	return gap > 1 && gap < HTTPD_HEAD_MAX;
}

/* The status to refuse the request with, once its head is there; 0: none.
 * *body_len is what the head says of its body. */
static int
refuse_head(const struct httpd *h, struct MHD_Connection *mc,
    const struct request *r, const char *path, const char *method,
    const char *version, uint64_t *body_len)
{
	struct httpd_head head = {
		.bad = r->bad_target || has_gap(r, version) };

	MHD_get_connection_values_n(mc, MHD_HEADER_KIND, on_header, &head);
	head.len = MHD_get_connection_info(mc,
	    MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE)->header_size;
	*body_len = head.body_len;
	return httpd_head_status(&head, path, method, version, h->max_body);
}

/* --- replies ------------------------------------------------------------- */

static enum MHD_Result
put_reply(struct httpd *h, struct MHD_Connection *mc,
    struct httpd_reply *reply)
{
	size_t len = reply->body.len;
	char *data = buf_steal(&reply->body);
	struct MHD_Response *m;
	enum MHD_Result rc;

	if (data == NULL)
		return MHD_NO;
	m = MHD_create_response_from_buffer(len, data, MHD_RESPMEM_MUST_FREE);
	if (m == NULL) {
		free(data);
		return MHD_NO;
	}
	MHD_add_response_header(m, "Connection", "close");
	MHD_add_response_header(m, "Content-Type", reply->type);
	MHD_add_response_header(m, "X-Content-Type-Options", "nosniff");
	MHD_add_response_header(m, "Cache-Control", "no-store");
	if (reply->allow != NULL)
		MHD_add_response_header(m, "Allow", reply->allow);
	if (reply->www_authenticate)
		MHD_add_response_header(m, "WWW-Authenticate", "Bearer");
	rc = MHD_queue_response(mc, (unsigned)reply->status, m);
	MHD_destroy_response(m);
	conn_of(mc)->since_ms = awake_ms(h);	/* now to take the reply */
	return rc;
}

static void
set_error(struct httpd_reply *reply, int status, const char *code,
    const char *message)
{
	buf_reset(&reply->body);
	reply->status = status;
	reply->type = "application/json";
	buf_printf(&reply->body, "{\"error\":{\"code\":\"%s\","
	    "\"message\":\"%s\"}}\n", code, message);
}

static void
set_fault(struct httpd_reply *reply)
{
	set_error(reply, MHD_HTTP_INTERNAL_SERVER_ERROR, "internal",
	    "a fault on our side; see the log");
}

/* Both sizes, so that who sent it knows into how many parts it goes; a body
 * in chunks (body_len 0) has said none. */
static void
set_too_large(struct httpd_reply *reply, uint64_t body_len, size_t max)
{
	char text[128];

	if (body_len > 0)
		snprintf(text, sizeof(text), "the body has %llu bytes, at "
		    "most %zu are read here: send it in parts",
		    (unsigned long long)body_len, max);
	else
		snprintf(text, sizeof(text), "the body has more than the %zu "
		    "bytes that are read here: send it in parts", max);
	set_error(reply, MHD_HTTP_CONTENT_TOO_LARGE, "too_large", text);
}

static enum MHD_Result
refuse(struct httpd *h, struct MHD_Connection *mc, int status,
    uint64_t body_len)
{
	struct httpd_reply reply = { .status = 0 };

	buf_init(&reply.body, 0);
	switch (status) {
	case MHD_HTTP_BAD_REQUEST:
		set_error(&reply, status, "usage",
		    "the request is not well-formed");
		break;
	case MHD_HTTP_CONTENT_TOO_LARGE:
		set_too_large(&reply, body_len, h->max_body);
		break;
	case MHD_HTTP_REQUEST_HEADER_FIELDS_TOO_LARGE:
		set_error(&reply, status, "too_large",
		    "the headers are over the limit");
		break;
	case MHD_HTTP_NOT_IMPLEMENTED:
		set_error(&reply, status, "usage", "the method is not known");
		break;
	case MHD_HTTP_HTTP_VERSION_NOT_SUPPORTED:
		set_error(&reply, status, "usage", "HTTP/1.1 is spoken here");
		break;
	default:
		set_fault(&reply);
	}
	return put_reply(h, mc, &reply);
}

/* --- the handler --------------------------------------------------------- */

static void
peer_text(struct MHD_Connection *mc, char out[INET6_ADDRSTRLEN])
{
	const struct sockaddr *sa = MHD_get_connection_info(mc,
	    MHD_CONNECTION_INFO_CLIENT_ADDRESS)->client_addr;

	if (getnameinfo(sa, sa->sa_family == AF_INET6 ?
	    sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in), out,
	    INET6_ADDRSTRLEN, NULL, 0, NI_NUMERICHOST) != 0)
		out[0] = '\0';
}

static enum MHD_Result
handle(struct httpd *h, struct MHD_Connection *mc, struct request *r,
    const char *path, const char *method)
{
	char peer[INET6_ADDRSTRLEN];
	struct httpd_request req = { .path = path, .peer = peer, .impl = mc,
		.body = r->body.data != NULL ? r->body.data : "",
		.body_len = r->body.len };
	struct httpd_reply reply = { .status = MHD_HTTP_OK,
		.type = "application/json" };
	uint64_t begin = clock_mono_ms();

	/* libmicrohttpd leaves the body of a reply to HEAD away itself. */
	req.method = strcmp(method, "HEAD") == 0 ? "GET" : method;
	req.authorization = httpd_header(&req, "Authorization");
	req.content_type = httpd_header(&req, "Content-Type");
	peer_text(mc, peer);
	buf_init(&reply.body, REPLY_MAX);
	h->fn(h->arg, &req, &reply);
	h->handler_ms += clock_mono_ms() - begin;
	/* What a handler says of its own fault stays inside. */
	if (reply.body.err != 0 || reply.status < 200 || reply.status > 599 ||
	    reply.status == MHD_HTTP_INTERNAL_SERVER_ERROR)
		set_fault(&reply);
	return put_reply(h, mc, &reply);
}

/* Called with the head, with each piece of the body, and at the end. */
static enum MHD_Result
on_request(void *arg, struct MHD_Connection *mc, const char *path,
    const char *method, const char *version, const char *data, size_t *len,
    void **ctx)
{
	struct httpd *h = arg;
	struct request *r = *ctx;
	uint64_t body_len;
	int status;

	if (r == NULL)
		return MHD_NO;
	if (!r->begun) {
		r->begun = true;
		status = refuse_head(h, mc, r, path, method, version,
		    &body_len);
		return status == 0 ? MHD_YES : refuse(h, mc, status,
		    body_len);
	}
	if (*len > 0) {
		/* libmicrohttpd takes no reply amid a body: the rest of one
		 * in chunks is read past, until the deadline at most. */
		if (*len > h->max_body - r->body.len)
			r->too_big = true;
		if (!r->too_big)
			buf_put(&r->body, data, *len);
		*len = 0;
		return MHD_YES;
	}
	if (r->too_big || r->body.err != 0)
		return refuse(h, mc, MHD_HTTP_CONTENT_TOO_LARGE, 0);
	return handle(h, mc, r, path, method);
}

static void
on_done(void *arg, struct MHD_Connection *mc, void **ctx,
    enum MHD_RequestTerminationCode code)
{
	struct request *r = *ctx;

	(void)arg, (void)mc, (void)code;
	if (r == NULL)
		return;
	buf_fini(&r->body);
	free(r);
	*ctx = NULL;
}

const char *
httpd_query(const struct httpd_request *r, const char *name)
{
	return MHD_lookup_connection_value((struct MHD_Connection *)r->impl,
	    MHD_GET_ARGUMENT_KIND, name);
}

const char *
httpd_header(const struct httpd_request *r, const char *name)
{
	return MHD_lookup_connection_value((struct MHD_Connection *)r->impl,
	    MHD_HEADER_KIND, name);
}

/* --- start and stop ------------------------------------------------------ */

static int
read_tls(struct httpd *h, const struct httpd_conf *conf,
    const union httpd_address *at, struct diag *why)
{
	int rc;

	if ((conf->tls_cert == NULL) != (conf->tls_key == NULL))
		return diag_set(why, ERR_INVAL, "TLS needs both a "
		    "certificate and a key");
	if (conf->tls_cert == NULL && !httpd_is_loopback(at))
		return diag_set(why, ERR_INVAL, "%s is not a loopback "
		    "address: give a TLS certificate and key, or listen on "
		    "127.0.0.1 behind a proxy that has them", conf->address);
	if (conf->tls_cert == NULL)
		return 0;
	if ((rc = file_read(conf->tls_cert, PEM_MAX, &h->cert, why)) < 0)
		return rc;
	return file_read_secret(conf->tls_key, PEM_MAX, &h->key, why);
}

static int
start_mhd(struct httpd *h, const struct httpd_conf *conf, int fd, bool v6,
    struct diag *why)
{
	bool tls = conf->tls_cert != NULL;
	struct MHD_OptionItem tls_items[] = {
		{ MHD_OPTION_HTTPS_MEM_CERT, 0, h->cert.data },
		{ MHD_OPTION_HTTPS_MEM_KEY, 0, h->key.data },
		{ MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)TLS_PRIORITIES },
		{ MHD_OPTION_END, 0, NULL } };
	struct MHD_OptionItem none[] = { { MHD_OPTION_END, 0, NULL } };

	h->mhd = MHD_start_daemon(MHD_USE_EPOLL | (tls ? MHD_USE_TLS : 0) |
	    (v6 ? MHD_USE_IPv6 : 0), 0, NULL, NULL, on_request, h,
	    MHD_OPTION_LISTEN_SOCKET, fd,
	    MHD_OPTION_NOTIFY_CONNECTION, on_connection, h,
	    MHD_OPTION_NOTIFY_COMPLETED, on_done, h,
	    MHD_OPTION_URI_LOG_CALLBACK, on_target, h,
	    MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONN_MEMORY,
	    MHD_OPTION_CONNECTION_LIMIT, conf->max_conns,
	    MHD_OPTION_PER_IP_CONNECTION_LIMIT, conf->max_conns_per_ip,
	    MHD_OPTION_STRICT_FOR_CLIENT, 1,
	    MHD_OPTION_ARRAY, tls ? tls_items : none,
	    MHD_OPTION_END);
	if (h->mhd != NULL)
		return 0;
	/* Bad PEM is the one thing left that an operator can have wrong. */
	return tls ? diag_set(why, ERR_INVAL, "cannot start TLS: is %s a PEM "
	    "certificate, and %s its key?", conf->tls_cert, conf->tls_key) :
	    diag_set(why, ERR_IO, "cannot start the server on %s",
	    conf->address);
}

/* SIGPIPE among them, which TLS may raise; the rest are the program's. */
static int
start_thread(struct httpd *h)
{
	sigset_t all, old;
	int rc;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	rc = pthread_create(&h->thread, NULL, serve, h);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return rc;
}

static void
free_httpd(struct httpd *h)
{
	if (h->mhd != NULL)
		MHD_stop_daemon(h->mhd);
	if (h->key.data != NULL)
		explicit_bzero(h->key.data, h->key.len);
	buf_fini(&h->key);
	buf_fini(&h->cert);
	free(h);
}

int
httpd_start(struct httpd **out, const struct httpd_conf *conf, httpd_fn fn,
    void *arg, struct diag *why)
{
	struct httpd *h = xcalloc(1, sizeof(*h));
	union httpd_address at;
	char text[HTTPD_ADDRESS_LEN];
	int fd = -1, rc;

	*out = NULL;
	h->fn = fn;
	h->arg = arg;
	h->max_body = conf->max_body;
	h->deadline_ms = conf->deadline_ms;
	if ((rc = httpd_resolve(conf->address, &at, why)) < 0 ||
	    (rc = read_tls(h, conf, &at, why)) < 0 ||
	    (rc = httpd_listen(&at, &fd, why)) < 0 ||
	    (rc = start_mhd(h, conf, fd, at.sa.sa_family == AF_INET6, why)) < 0)
		goto out;
	if (start_thread(h) != 0) {
		rc = diag_set(why, ERR_IO, "cannot start a thread");
		goto out;
	}
	httpd_address_text(&at, text);
	snprintf(h->url, sizeof(h->url), "%s://%s",
	    conf->tls_cert != NULL ? "https" : "http", text);
	*out = h;
	h = NULL;
out:
	if (h != NULL)
		free_httpd(h);
	return rc;
}

void
httpd_stop(struct httpd **h)
{
	if (*h == NULL)
		return;
	atomic_store(&(*h)->stopping, true);
	pthread_join((*h)->thread, NULL);
	free_httpd(*h);
	*h = NULL;
}

const char *
httpd_url(const struct httpd *h)
{
	return h->url;
}
