/*
 * cmd_events.c - "events": how fast the events of nodes come into the message
 * center, what that costs both sides, and what it takes on the disk, beside a
 * bare ROUTER and LevelDB with the same frames, in rotation.
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
#include "bench/events.h"
#include "bench/stat.h"
#include "proto/base/err.h"
#include "proto/base/file.h"

#define WAIT_S 300
#define LOOK_US 2000

enum { BARE, CENTER, SIDES };
static const char *const side_names[SIDES] = { "bare ROUTER, LevelDB",
    "message center" };

struct events_conf {
	struct cmd_common common;
	int64_t nodes, rounds, events;
};

#define AT(m) offsetof(struct events_conf, m)
static const struct conf_option options[] = {
	CMD_COMMON,
	{ .name = "nodes", .type = CONF_INT, .min = 1,
	    .max = EVENTS_NODES_MAX, .offset = AT(nodes), .def = "1",
	    .help = "that send at once, each a process" },
	{ .name = "rounds", .type = CONF_INT, .min = 1, .max = SAMPLES_MAX,
	    .offset = AT(rounds), .def = "3", .help = "of both sides" },
	{ .name = "events", .type = CONF_INT, .min = 1000, .max = 100000000,
	    .offset = AT(events), .def = "50000", .help = "of each node" },
	{ .name = NULL }
};

static const struct conf_program program = {
	.name = "postern-bench events", .options = options,
	.summary = "Sends the events of nodes to the message center.",
};

struct side {
	struct samples rate, node_cpu, cpu, disk;
	struct samples rrate, rnode_cpu, rcpu, rdisk;	/* to the bare one */
};

static void
fork_nodes(struct events_shared *s, pid_t *pid)
{
	uint32_t i;

	for (i = 0; i < s->nodes; i++) {
		if ((pid[i] = fork()) != 0)
			continue;
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		events_send(s, i);
		_exit(0);
	}
}

/* Until all are ready (begun false), have begun, or have ended. */
enum until { READY, BEGUN, ENDED };

static int
wait_all(struct events_shared *s, enum until what, struct diag *why)
{
	double end = stat_now() + WAIT_S;
	uint32_t i = 0;

	while (i < s->nodes) {
		const struct events_node *n = &s->node[i];

		if (s->failed)
			return diag_set(why, ERR_IO, "an event was not "
			    "stored");
		if (what == READY ? n->ready : what == BEGUN ?
		    n->begin_ns != 0 : n->end_ns != 0)
			i++;
		else if (stat_now() > end)
			return diag_set(why, ERR_TIMEOUT, "node %u is not "
			    "through after %d s", i, WAIT_S);
		else
			usleep(LOOK_US);
	}
	return 0;
}

static void
measure(const struct events_shared *s, double cpu, struct side *out)
{
	uint64_t begin = UINT64_MAX, end = 0, n = 0;
	double node_cpu = 0;
	uint32_t i;

	for (i = 0; i < s->nodes; i++) {
		const struct events_node *o = &s->node[i];

		if (o->begin_ns < begin)
			begin = o->begin_ns;
		if (o->end_ns > end)
			end = o->end_ns;
		n += s->n - o->first_n;
		node_cpu += o->cpu;
	}
	samples_add(&out->rate, (double)n * 1e9 / (double)(end - begin));
	samples_add(&out->node_cpu, node_cpu * 1e6 / (double)n);
	samples_add(&out->cpu, cpu * 1e6 / (double)n);
}

static int
run_side(const struct events_conf *c, const struct set *set,
    struct events_shared *s, int which, struct side *out, struct diag *why)
{
	struct events_server *server = NULL;
	pid_t pid[EVENTS_NODES_MAX];
	uint64_t bytes, stored;
	double cpu = 0;
	uint32_t i;
	int rc;

	memset(s, 0, sizeof(*s));
	s->set = set;
	s->n = (uint64_t)c->events;
	s->nodes = (uint32_t)c->nodes;
	s->bare = which == BARE;
	strcpy(s->dir, "/tmp/postern-bench-XXXXXX");
	for (i = 0; i < s->nodes; i++)
		sock_keypair(s->node[i].key, s->node[i].secret);
	if (mkdtemp(s->dir) == NULL)
		return diag_set(why, ERR_IO, "no folder in /tmp");
	/* before any thread is made here */
	fork_nodes(s, pid);
	if ((rc = wait_all(s, READY, why)) == 0)
		rc = events_server_start(&server, s, why);
	s->go = rc == 0;
	if (rc == 0 && (rc = wait_all(s, BEGUN, why)) == 0) {
		cpu = stat_cpu(0);
		rc = wait_all(s, ENDED, why);
		cpu = stat_cpu(0) - cpu;
	}
	s->stop = true;
	for (i = 0; i < s->nodes; i++)
		waitpid(pid[i], NULL, 0);
	events_server_stop(&server, &bytes, &stored);
	file_remove_tree(s->dir, NULL);
	if (rc == 0 && stored != s->n * s->nodes)
		rc = diag_set(why, ERR_CORRUPT, "%llu events were sent, %llu "
		    "stored", (unsigned long long)s->n * s->nodes,
		    (unsigned long long)stored);
	if (rc < 0)
		return rc;
	measure(s, cpu, out);
	samples_add(&out->disk, (double)bytes / (double)stored);
	return 0;
}

static void
add_ratio(struct samples *to, const struct samples *a,
    const struct samples *bare)
{
	samples_add(to, a->v[a->n - 1] / bare->v[bare->n - 1]);
}

static void
add_ratios(struct side side[SIDES])
{
	const struct side *b = &side[BARE];
	int i;

	for (i = 0; i < SIDES; i++) {
		add_ratio(&side[i].rrate, &side[i].rate, &b->rate);
		add_ratio(&side[i].rnode_cpu, &side[i].node_cpu,
		    &b->node_cpu);
		add_ratio(&side[i].rcpu, &side[i].cpu, &b->cpu);
		add_ratio(&side[i].rdisk, &side[i].disk, &b->disk);
	}
}

static void
report_sides(struct report *r, const struct events_conf *c,
    const struct side side[SIDES])
{
	int i;

	for (i = 0; i < SIDES; i++)
		report_row(r, "events into the message center", json_pack(
		    "{s:s, s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
		    "server", side_names[i], "nodes", (json_int_t)c->nodes,
		    "events a node", (json_int_t)c->events,
		    "events/s", report_spread(&side[i].rate),
		    "x events/s", report_spread(&side[i].rrate),
		    "node cpu us", report_spread(&side[i].node_cpu),
		    "x node cpu", report_spread(&side[i].rnode_cpu),
		    "cpu us", report_spread(&side[i].cpu),
		    "x cpu", report_spread(&side[i].rcpu),
		    "disk bytes", report_spread(&side[i].disk),
		    "x disk", report_spread(&side[i].rdisk)));
}

static int
run_rounds(const struct events_conf *c, const struct set *set,
    struct report *r, struct diag *why)
{
	struct events_shared *s = mmap(NULL, sizeof(*s), PROT_READ |
	    PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct side side[SIDES];
	int64_t round;
	int i, rc = 0;

	if (s == MAP_FAILED)
		return ERR_NOMEM;
	memset(side, 0, sizeof(side));
	for (round = 0; round < c->rounds && rc == 0; round++) {
		for (i = 0; i < SIDES && rc == 0; i++)
			rc = run_side(c, set, s, i, &side[i], why);
		if (rc == 0)
			add_ratios(side);
	}
	munmap(s, sizeof(*s));
	if (rc == 0)
		report_sides(r, c, side);
	return rc;
}

static int
run(void *arg, struct cmd_work *w)
{
	const struct events_conf *c = arg;
	struct set set;
	int rc = cmd_set(&c->common, &set);

	return rc < 0 ? rc : run_rounds(c, &set, w->report, &w->why);
}

int
cmd_events(int argc, char **argv)
{
	struct events_conf c = { .nodes = 0 };

	return cmd_run(&program, &c, argc, argv, run);
}
