/*
 * fleet_run.c - forks the clients, then serves them; a restart is watched
 * every few milliseconds.
 */
#include "bench/fleet_run.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/fleet_real.h"
#include "bench/stat.h"
#include "proto/base/clock.h"
#include "proto/base/err.h"
#include "proto/base/file.h"

#define PROCESSES 2
#define WAIT_S 120
#define LOOK_US 1000
#define IDLE_S 2
#define WATCH_US 5000
#define WATCH_MAX 30000

/* What the process of a run shares with its clients and with who asked. */
struct run {
	struct fleet_shared s;
	struct fleet_outcome out;
	struct diag why;
	int rc;
};

struct host {
	const struct fleet_plan *plan;
	struct run *run;
	struct fleet_shared *s;
	struct fleet_outcome *out;
	struct fleet_server *server;
	struct fleet_real *real;	/* or NULL */
	pid_t client[PROCESSES];
};

static void
fork_clients(struct host *h)
{
	struct fleet_shared *s = h->s;
	uint32_t i, part = (s->n + PROCESSES - 1) / PROCESSES;

	for (i = 0; i < PROCESSES; i++) {
		uint32_t first = i * part, end = first + part;

		h->client[i] = fork();
		if (h->client[i] != 0)
			continue;
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		while (!s->go)
			usleep(LOOK_US);
		if (first < s->n && !s->stop)
			fleet_clients(s, first, end < s->n ? end : s->n);
		_exit(0);
	}
}

static void
end_clients(struct host *h)
{
	int i;

	h->s->stop = true;
	for (i = 0; i < PROCESSES; i++)
		waitpid(h->client[i], NULL, 0);
}

/* Until every client has that version; for 0, until it has joined. */
static int
wait_clients(struct fleet_shared *s, uint64_t version, struct diag *why)
{
	double end = stat_now() + WAIT_S;
	uint32_t i = 0;

	while (i < s->n) {
		const struct fleet_client *c = &s->client[i];

		if (s->failed > 0)
			return diag_set(why, ERR_AUTH, "a client could not "
			    "verify what it got");
		if (version == 0 ? c->joined_ns != 0 : c->version >= version)
			i++;
		else if (stat_now() > end)
			return diag_set(why, ERR_TIMEOUT, "client %u has "
			    "not got version %llu", i,
			    (unsigned long long)version);
		else
			usleep(LOOK_US);
	}
	return 0;
}

/* Until the real node told that it enforces that version; when it did. */
static int
wait_real(struct host *h, uint64_t version, uint64_t *at_us,
    struct diag *why)
{
	double end = stat_now() + WAIT_S;
	uint64_t is = 0;

	while (h->real != NULL) {
		fleet_server_real(h->server, &is, at_us);
		if (is >= version)
			return 0;
		if (stat_now() > end)
			return diag_set(why, ERR_TIMEOUT, "the real node is "
			    "at version %llu, not at %llu",
			    (unsigned long long)is,
			    (unsigned long long)version);
		usleep(LOOK_US);
	}
	return 0;
}

struct pushes { struct hist clients, real; };

/* One push, timed; warm: only to see that all are there. */
static int
push_once(struct host *h, struct pushes *p, bool warm, struct diag *why)
{
	uint64_t version, begin, begin_us, at_us = 0;
	uint32_t i;
	int rc;

	if ((rc = fleet_server_prepare(h->server, &version, why)) < 0)
		return rc;
	begin = stat_now_ns();
	begin_us = (uint64_t)clock_wall_us();
	fleet_server_push(h->server);
	if ((rc = wait_clients(h->s, version, why)) < 0 ||
	    (rc = wait_real(h, version, &at_us, why)) < 0)
		return rc;
	for (i = 0; i < h->s->n && !warm; i++)
		hist_add(&p->clients, h->s->client[i].at_ns - begin);
	if (h->real != NULL && !warm)
		hist_add(&p->real, (at_us - begin_us) * 1000);
	return 0;
}

static double
own_mb(void)
{
	return (double)stat_rss_anon_kb(getpid()) / 1024;
}

/* What a second costs while nobody does anything. */
static void
measure_idle(struct host *h)
{
	double cpu = stat_cpu(0);

	usleep(IDLE_S * 1000000);
	h->out->idle_us = (stat_cpu(0) - cpu) * 1e6 / IDLE_S / h->s->n;
	h->out->full_mb = own_mb();
}

static int
push_all(struct host *h, struct diag *why)
{
	struct pushes *p = xcalloc(1, sizeof(*p));
	struct fleet_outcome *o = h->out;
	uint64_t at;
	double cpu = 0;
	int i, rc = wait_clients(h->s, 0, why);

	if (rc == 0)
		rc = wait_real(h, h->s->have.version, &at, why);
	if (rc == 0)
		measure_idle(h);
	for (i = -2; i < (int)h->plan->pushes && rc == 0; i++) {
		double before = stat_cpu(0);

		rc = push_once(h, p, i < 0, why);
		if (i >= 0)
			cpu += stat_cpu(0) - before;
	}
	if (rc == 0 && h->real != NULL)
		rc = fleet_real_check(h->real, why);
	o->p50_ms = hist_us(&p->clients, 0.5) / 1000;
	o->p99_ms = hist_us(&p->clients, 0.99) / 1000;
	o->max_ms = (double)p->clients.max_ns / 1e6;
	o->real_p50_ms = hist_us(&p->real, 0.5) / 1000;
	o->real_p99_ms = hist_us(&p->real, 0.99) / 1000;
	o->real_max_ms = (double)p->real.max_ns / 1e6;
	o->cpu_us = cpu * 1e6 / h->plan->pushes / h->s->n;
	o->missed = h->s->missed;
	o->bytes = (double)fleet_server_push_bytes(h->server);
	free(p);
	return rc;
}

static int
join_all(struct host *h, double begin, double cpu, struct diag *why)
{
	uint64_t last = 0;
	uint32_t i;
	int rc = wait_clients(h->s, 0, why);

	if (rc < 0)
		return rc;
	for (i = 0; i < h->s->n; i++) {
		if (h->s->client[i].joined_ns > last)
			last = h->s->client[i].joined_ns;
	}
	h->out->join_s = (double)last / 1e9 - begin;
	h->out->join_cpu_ms = (stat_cpu(0) - cpu) * 1e3 / h->s->n;
	return 0;
}

/* --- restart ------------------------------------------------------------- */

/* Counts over time, every WATCH_US or so. */
struct watch { size_t n; double at[WATCH_MAX]; uint64_t count[WATCH_MAX]; };

static void
note(struct watch *w, double at, uint64_t count)
{
	if (w->n == WATCH_MAX)
		return;
	w->at[w->n] = at;
	w->count[w->n++] = count;
}

/* The most that came within one second. */
static double
burst(const struct watch *w)
{
	uint64_t most = 0;
	size_t i, k = 0;

	for (i = 0; i < w->n; i++) {
		while (w->at[i] - w->at[k] > 1)
			k++;
		if (w->count[i] - (k > 0 ? w->count[k - 1] : 0) > most)
			most = w->count[i] - (k > 0 ? w->count[k - 1] : 0);
	}
	return (double)most;
}

/* When that part of all was there. */
static double
when(const struct watch *w, double part, uint32_t n)
{
	size_t i = 0;

	while (i + 1 < w->n && (double)w->count[i] < part * n)
		i++;
	return w->n == 0 ? 0 : w->at[i];
}

static int
watch_return(struct host *h, struct watch *heard, struct watch *shaken,
    struct diag *why)
{
	double begin = stat_now(), now = 0, own = stat_cpu(-1);
	uint32_t n = 0;

	while (n < h->s->n && now < WAIT_S) {
		usleep(WATCH_US);
		now = stat_now() - begin;
		n = fleet_server_heard(h->server);
		note(heard, now, n);
		note(shaken, now, fleet_server_handshakes(h->server));
	}
	h->out->back_cpu_ms -= (stat_cpu(-1) - own) * 1e3 / h->s->n;
	return n == h->s->n ? 0 : diag_set(why, ERR_TIMEOUT, "%u of %u nodes "
	    "came back within %d s", n, h->s->n, WAIT_S);
}

static int
restart(struct host *h, struct diag *why)
{
	struct watch *heard = xcalloc(2, sizeof(*heard)), *shaken = heard + 1;
	struct fleet_outcome *o = h->out;
	int rc = wait_clients(h->s, 0, why);
	double cpu;

	if (rc == 0) {
		measure_idle(h);
		fleet_server_down(h->server);
		usleep((useconds_t)h->plan->down_ms * 1000);
		cpu = stat_cpu(0);
		if ((rc = fleet_server_up(h->server, why)) == 0)
			rc = watch_return(h, heard, shaken, why);
		o->back_cpu_ms += (stat_cpu(0) - cpu) * 1e3 / h->s->n;
		o->p50_ms = when(heard, 0.5, h->s->n) * 1000;
		o->p99_ms = when(heard, 0.99, h->s->n) * 1000;
		o->back_s = when(heard, 1, h->s->n);
		o->burst = burst(heard);
		o->handshakes = burst(shaken);
		if (shaken->n > 0)
			o->handshakes_n =
			    (double)shaken->count[shaken->n - 1];
	}
	free(heard);
	return rc;
}

/* --- the process --------------------------------------------------------- */

static int
start(struct host *h, const char *dir, struct diag *why)
{
	struct fleet_server_conf c = { .s = h->s, .bare = h->plan->bare,
	    .events = h->plan->what == FLEET_RESTART, .dir = dir,
	    .bytes = h->plan->what == FLEET_JOIN ? h->plan->bytes : 0 };
	int rc = 0;

	if (h->plan->real_dir != NULL)
		rc = fleet_real_open(&h->real, h->plan->set,
		    h->plan->real_dir, why);
	c.real = h->real;
	if (rc == 0)
		rc = fleet_server_start(&h->server, &c, why);
	h->out->empty_mb = own_mb();
	return rc;
}

static int
serve(struct host *h, const char *dir, struct diag *why)
{
	double begin, cpu;
	int rc = start(h, dir, why);

	begin = stat_now();
	cpu = stat_cpu(0);
	h->s->stop = rc < 0;
	h->s->go = true;
	if (rc == 0 && h->real != NULL)
		rc = fleet_real_start(h->real, h->s->endpoint,
		    h->s->events[0] == '\0' ? "tcp://127.0.0.1:1" :
		    h->s->events, h->s->server_key, false, why);
	if (rc == 0)
		rc = h->plan->what == FLEET_PUSH ? push_all(h, why) :
		    h->plan->what == FLEET_JOIN ? join_all(h, begin, cpu,
		    why) : restart(h, why);
	end_clients(h);
	fleet_real_close(&h->real);
	fleet_server_stop(&h->server);
	return rc;
}

static void
host(const struct fleet_plan *plan, struct run *run)
{
	struct host h = { .plan = plan, .run = run, .s = &run->s,
	    .out = &run->out };
	char dir[] = "/tmp/postern-bench-XXXXXX";
	uint32_t i;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	h.s->n = plan->nodes;
	for (i = 0; i < h.s->n; i++)
		sock_keypair(h.s->client[i].key, h.s->client[i].secret);
	/* before any thread is made here */
	fork_clients(&h);
	if (mkdtemp(dir) == NULL) {
		run->rc = diag_set(&run->why, ERR_IO, "no folder in /tmp");
		h.s->stop = h.s->go = true;
		end_clients(&h);
		return;
	}
	run->rc = serve(&h, dir, &run->why);
	file_remove_tree(dir, NULL);
}

int
fleet_run(const struct fleet_plan *plan, struct fleet_outcome *out,
    struct diag *why)
{
	struct run *run = mmap(NULL, sizeof(*run), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pid;
	int rc;

	if (run == MAP_FAILED)
		return ERR_NOMEM;
	run->rc = diag_set(&run->why, ERR_INTERNAL, "the server's process "
	    "ended");
	fflush(NULL);
	if ((pid = fork()) == 0) {
		host(plan, run);
		_exit(0);
	}
	if (pid > 0)
		waitpid(pid, NULL, 0);
	rc = run->rc;
	*out = run->out;
	*why = run->why;
	munmap(run, sizeof(*run));
	return rc;
}
