/*
 * cmd_fleet.c - "fleet": how long a change takes to all nodes, and all nodes
 * to a snapshot, beside a bare ROUTER with the same bytes, in rotation.
 */
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/cmd.h"
#include "bench/fleet.h"
#include "bench/stat.h"
#include "proto/base/err.h"
#include "proto/base/file.h"

#define PROCESSES 2
#define WAIT_S 60
#define LOOK_US 1000

enum { BARE, FLEET, SIDES };
static const char *const side_names[SIDES] = { "bare ROUTER",
    "controller's fleet" };

struct fleet_conf_bench {
	struct cmd_common common;
	int64_t nodes, rounds, pushes;
	uint64_t bytes;
};

#define AT(m) offsetof(struct fleet_conf_bench, m)
static const struct conf_option options[] = {
	CMD_COMMON,
	{ .name = "nodes", .type = CONF_INT, .min = 1,
	    .max = FLEET_CLIENTS_MAX, .offset = AT(nodes), .def = "100",
	    .help = "protocol clients, in two processes" },
	{ .name = "rounds", .type = CONF_INT, .min = 1, .max = SAMPLES_MAX,
	    .offset = AT(rounds), .def = "3", .help = "of both sides" },
	{ .name = "pushes", .type = CONF_INT, .min = 1, .max = 1000,
	    .offset = AT(pushes), .def = "20", .help = "of each round" },
	{ .name = "bytes", .type = CONF_BYTES, .min = 1024,
	    .max = 64 << 20, .offset = AT(bytes), .def = "1M",
	    .help = "of the snapshot that all join with" },
	{ .name = NULL }
};

static const struct conf_program program = {
	.name = "postern-bench fleet", .options = options,
	.summary = "Pushes changes and a snapshot to many protocol clients.",
};

struct side {
	struct samples p50, p99, max, cpu;	/* of a push: ms, us a node */
	struct samples join, join_cpu;		/* s; ms a node */
	struct samples rp99, rjoin, rcpu;	/* to the bare one */
	size_t bytes;
};

static void
fork_clients(struct fleet_shared *s, pid_t pid[PROCESSES])
{
	uint32_t i, part = (s->n + PROCESSES - 1) / PROCESSES;

	for (i = 0; i < PROCESSES; i++) {
		uint32_t first = i * part, end = first + part;

		pid[i] = fork();
		if (pid[i] != 0)
			continue;
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		while (!s->go)
			usleep(LOOK_US);
		if (first < s->n)
			fleet_clients(s, first, end < s->n ? end : s->n);
		_exit(0);
	}
}

static void
end_clients(struct fleet_shared *s, const pid_t pid[PROCESSES])
{
	int i;

	s->stop = true;
	for (i = 0; i < PROCESSES; i++)
		waitpid(pid[i], NULL, 0);
}

/* Until every client has that version; for 0, until it has joined. */
static int
wait_all(struct fleet_shared *s, uint64_t version, struct diag *why)
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

/* One push, timed; warm: only to see that all are there. */
static int
push_once(struct fleet_server *f, struct fleet_shared *s, struct hist *h,
    bool warm, struct diag *why)
{
	uint64_t version, begin;
	uint32_t i;
	int rc;

	if ((rc = fleet_server_prepare(f, &version, why)) < 0)
		return rc;
	begin = stat_now_ns();
	fleet_server_push(f);
	if ((rc = wait_all(s, version, why)) < 0)
		return rc;
	for (i = 0; i < s->n && !warm; i++)
		hist_add(h, s->client[i].at_ns - begin);
	return 0;
}

static int
push_side(const struct fleet_conf_bench *c, struct fleet_server *f,
    struct fleet_shared *s, struct side *out, struct diag *why)
{
	struct hist *h = xcalloc(1, sizeof(*h));
	double cpu = 0;
	int64_t i;
	int rc = wait_all(s, 0, why);

	for (i = -2; i < c->pushes && rc == 0; i++) {
		double before = stat_cpu(0);

		rc = push_once(f, s, h, i < 0, why);
		if (i >= 0)
			cpu += stat_cpu(0) - before;
	}
	if (rc == 0) {
		samples_add(&out->p50, hist_us(h, 0.5) / 1000);
		samples_add(&out->p99, hist_us(h, 0.99) / 1000);
		samples_add(&out->max, (double)h->max_ns / 1e6);
		samples_add(&out->cpu, cpu * 1e6 / (double)c->pushes / s->n);
		out->bytes = fleet_server_push_bytes(f);
	}
	free(h);
	return rc;
}

static int
join_side(struct fleet_shared *s, struct side *out, double begin, double cpu,
    struct diag *why)
{
	uint64_t last = 0;
	uint32_t i;
	int rc = wait_all(s, 0, why);

	if (rc < 0)
		return rc;
	for (i = 0; i < s->n; i++) {
		if (s->client[i].joined_ns > last)
			last = s->client[i].joined_ns;
	}
	samples_add(&out->join, (double)last / 1e9 - begin);
	samples_add(&out->join_cpu, (stat_cpu(0) - cpu) * 1e3 / s->n);
	return 0;
}

/* One side once: bytes 0 for pushes, else a join storm of so many. */
static int
run_side(const struct fleet_conf_bench *c, struct fleet_shared *s, int which,
    uint64_t bytes, struct side *out, struct diag *why)
{
	struct fleet_server *f = NULL;
	pid_t pid[PROCESSES];
	char dir[] = "/tmp/postern-bench-XXXXXX";
	double begin, cpu;
	uint32_t i;
	int rc;

	memset(s, 0, sizeof(*s));
	s->n = (uint32_t)c->nodes;
	for (i = 0; i < s->n; i++)
		sock_keypair(s->client[i].key, s->client[i].secret);
	/* before any thread is made here */
	fork_clients(s, pid);
	if (mkdtemp(dir) == NULL)
		rc = diag_set(why, ERR_IO, "no folder in /tmp");
	else
		rc = fleet_server_start(&f, s, which == BARE, bytes, dir,
		    why);
	begin = stat_now();
	cpu = stat_cpu(0);
	s->stop = rc < 0;
	s->go = true;
	if (rc == 0)
		rc = bytes == 0 ? push_side(c, f, s, out, why) :
		    join_side(s, out, begin, cpu, why);
	end_clients(s, pid);
	fleet_server_stop(&f);
	file_remove_tree(dir, NULL);
	return rc;
}

static double
last_of(const struct samples *s)
{
	return s->n == 0 ? 0 : s->v[s->n - 1];
}

static void
add_ratios(struct side side[SIDES])
{
	int i;

	for (i = 0; i < SIDES; i++) {
		samples_add(&side[i].rp99, last_of(&side[i].p99) /
		    last_of(&side[BARE].p99));
		samples_add(&side[i].rcpu, last_of(&side[i].cpu) /
		    last_of(&side[BARE].cpu));
		samples_add(&side[i].rjoin, last_of(&side[i].join) /
		    last_of(&side[BARE].join));
	}
}

static void
report_sides(struct report *r, const struct fleet_conf_bench *c,
    const struct side side[SIDES])
{
	int i;

	for (i = 0; i < SIDES; i++)
		report_row(r, "push of one record to verified", json_pack(
		    "{s:s, s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:o}",
		    "server", side_names[i], "nodes", (json_int_t)c->nodes,
		    "bytes a node", (json_int_t)side[i].bytes,
		    "p50 ms", report_spread(&side[i].p50), "p99 ms",
		    report_spread(&side[i].p99), "max ms",
		    report_spread(&side[i].max), "x p99",
		    report_spread(&side[i].rp99), "cpu us a node",
		    report_spread(&side[i].cpu), "x cpu",
		    report_spread(&side[i].rcpu)));
	for (i = 0; i < SIDES; i++)
		report_row(r, "join storm", json_pack(
		    "{s:s, s:I, s:I, s:o, s:o, s:o}", "server",
		    side_names[i], "nodes", (json_int_t)c->nodes,
		    "bytes", (json_int_t)c->bytes, "all verified s",
		    report_spread(&side[i].join), "x", report_spread(
		    &side[i].rjoin), "cpu ms a node",
		    report_spread(&side[i].join_cpu)));
}

static int
run(const struct fleet_conf_bench *c, struct report *r, struct diag *why)
{
	struct fleet_shared *s = mmap(NULL, sizeof(*s), PROT_READ |
	    PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct side side[SIDES];
	int64_t round;
	int i, rc = 0;

	if (s == MAP_FAILED)
		return ERR_NOMEM;
	memset(side, 0, sizeof(side));
	for (round = 0; round < c->rounds && rc == 0; round++) {
		for (i = 0; i < SIDES && rc == 0; i++) {
			rc = run_side(c, s, i, 0, &side[i], why);
			if (rc == 0)
				rc = run_side(c, s, i, c->bytes, &side[i],
				    why);
		}
		if (rc == 0)
			add_ratios(side);
	}
	munmap(s, sizeof(*s));
	if (rc == 0)
		report_sides(r, c, side);
	return rc;
}

int
cmd_fleet(int argc, char **argv)
{
	struct fleet_conf_bench c = { .nodes = 0 };
	struct diag why = { "" };
	struct report *r;
	int status, rc;

	if (!cmd_load(&program, &c, argc, argv, &status))
		return status;
	r = report_new((enum report_form)c.common.output, "fleet");
	rc = run(&c, r, &why);
	if (rc == 0)
		report_end(r);
	report_free(&r);
	conf_fini(&program, &c);
	return rc < 0 ? cmd_failed(&program, rc, &why) : 0;
}
