/*
 * cmd_fleet.c - "fleet": how long a change takes to all nodes, all nodes to a
 * snapshot, and all of them back to a controller that was restarted, beside a
 * bare ROUTER with the same bytes, in rotation.
 */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/cmd.h"
#include "bench/fleet_run.h"
#include "bench/stat.h"
#include "proto/base/err.h"
#include "proto/base/file.h"

#define FEW_NODES 100		/* memory is compared with theirs */

enum { BARE, FLEET, SIDES };
static const char *const side_names[SIDES] = { "bare ROUTER",
    "controller's fleet" };

enum { PARTS_ALL, PARTS_PUSH, PARTS_JOIN, PARTS_RESTART };
static const char *const parts_names[] = { "all", "push", "join", "restart",
    NULL };

struct fleet_conf_bench {
	struct cmd_common common;
	int64_t nodes, rounds, pushes;
	uint64_t bytes, down_ms;
	char *real_set;
	int parts;
};

#define AT(m) offsetof(struct fleet_conf_bench, m)
static const struct conf_option options[] = {
	CMD_COMMON,
	{ .name = "nodes", .type = CONF_INT, .min = 1,
	    .max = FLEET_CLIENTS_MAX - 1, .offset = AT(nodes), .def = "100",
	    .help = "protocol clients, in two processes" },
	{ .name = "rounds", .type = CONF_INT, .min = 1, .max = SAMPLES_MAX,
	    .offset = AT(rounds), .def = "3", .help = "of both sides" },
	{ .name = "pushes", .type = CONF_INT, .min = 1, .max = 1000,
	    .offset = AT(pushes), .def = "20", .help = "of each round" },
	{ .name = "bytes", .type = CONF_BYTES, .min = 1024,
	    .max = 64 << 20, .offset = AT(bytes), .def = "1M",
	    .help = "of the snapshot that all join with" },
	{ .name = "down", .type = CONF_MS, .min = 1, .max = 600000,
	    .offset = AT(down_ms), .def = "3s",
	    .help = "how long a restart takes" },
	{ .name = "real_set", .type = CONF_TEXT, .offset = AT(real_set),
	    .help = "folder of the real node's set, of --scale; instead of "
	    "--dir" },
	{ .name = "parts", .type = CONF_ENUM, .offset = AT(parts),
	    .def = "all", .choices = parts_names, .help = "all, push, join or "
	    "restart alone" },
	{ .name = NULL }
};

static const struct conf_program program = {
	.name = "postern-bench fleet", .options = options,
	.summary = "Pushes changes and a snapshot to many protocol clients and "
	    "a real node, and restarts the controller under them.",
};

struct side {
	struct samples p50, p99, max, cpu, idle;	/* ms; us a node */
	struct samples real_p50, real_p99, real_max;
	struct samples join, join_cpu;			/* s; ms a node */
	struct samples rp99, rreal, rjoin, rcpu, rjcpu;	/* to the bare one */
	struct samples empty_mb, full_mb, few_mb, kb;	/* kb: a node */
	double bytes, missed;
};
struct back {
	struct samples s, p50, p99, burst, handshakes, all, cpu;
};

struct bench {
	const struct fleet_conf_bench *conf;
	struct set set;
	char dir[1024];
	struct side side[SIDES];
	struct back back;
};

static double
last_of(const struct samples *s)
{
	return s->n == 0 ? 0 : s->v[s->n - 1];
}

static void
add_ratio(struct samples *out, const struct samples *a,
    const struct samples *base)
{
	if (last_of(base) > 0)
		samples_add(out, last_of(a) / last_of(base));
}

/* Pushes to all, and the memory of as few as FEW_NODES beside. */
static int
push_side(struct bench *b, int which, struct diag *why)
{
	struct fleet_plan plan = { .what = FLEET_PUSH, .bare = which == BARE,
	    .nodes = (uint32_t)b->conf->nodes,
	    .pushes = (unsigned)b->conf->pushes, .set = &b->set,
	    .real_dir = b->dir };
	struct side *s = &b->side[which], *bare = &b->side[BARE];
	struct fleet_outcome o, few;
	int rc = fleet_run(&plan, &o, why);

	plan.nodes = FEW_NODES;
	plan.pushes = 1;
	plan.real_dir = NULL;
	if (rc == 0 && b->conf->nodes > FEW_NODES)
		rc = fleet_run(&plan, &few, why);
	if (rc < 0)
		return rc;
	samples_add(&s->p50, o.p50_ms);
	samples_add(&s->p99, o.p99_ms);
	samples_add(&s->max, o.max_ms);
	samples_add(&s->real_p50, o.real_p50_ms);
	samples_add(&s->real_p99, o.real_p99_ms);
	samples_add(&s->real_max, o.real_max_ms);
	samples_add(&s->cpu, o.cpu_us);
	samples_add(&s->idle, o.idle_us);
	s->bytes = o.bytes;
	s->missed += o.missed;
	add_ratio(&s->rp99, &s->p99, &bare->p99);
	add_ratio(&s->rcpu, &s->cpu, &bare->cpu);
	add_ratio(&s->rreal, &s->real_p99, &bare->p99);
	samples_add(&s->empty_mb, o.empty_mb);
	samples_add(&s->full_mb, o.full_mb);
	if (b->conf->nodes <= FEW_NODES)
		return 0;
	samples_add(&s->few_mb, few.full_mb);
	samples_add(&s->kb, (o.full_mb - o.empty_mb - few.full_mb +
	    few.empty_mb) * 1024 / (double)(b->conf->nodes - FEW_NODES));
	return 0;
}

static int
join_side(struct bench *b, int which, struct diag *why)
{
	struct fleet_plan plan = { .what = FLEET_JOIN, .bare = which == BARE,
	    .nodes = (uint32_t)b->conf->nodes, .bytes = b->conf->bytes };
	struct side *s = &b->side[which], *bare = &b->side[BARE];
	struct fleet_outcome o;
	int rc = fleet_run(&plan, &o, why);

	if (rc < 0)
		return rc;
	samples_add(&s->join, o.join_s);
	samples_add(&s->join_cpu, o.join_cpu_ms);
	add_ratio(&s->rjoin, &s->join, &bare->join);
	add_ratio(&s->rjcpu, &s->join_cpu, &bare->join_cpu);
	return 0;
}

static int
restart(struct bench *b, struct diag *why)
{
	struct fleet_plan plan = { .what = FLEET_RESTART,
	    .nodes = (uint32_t)b->conf->nodes, .down_ms = b->conf->down_ms };
	struct fleet_outcome o;
	int rc = fleet_run(&plan, &o, why);

	if (rc < 0)
		return rc;
	samples_add(&b->back.s, o.back_s);
	samples_add(&b->back.p50, o.p50_ms / 1000);
	samples_add(&b->back.p99, o.p99_ms / 1000);
	samples_add(&b->back.burst, o.burst);
	samples_add(&b->back.handshakes, o.handshakes);
	samples_add(&b->back.all, o.handshakes_n);
	samples_add(&b->back.cpu, o.back_cpu_ms);
	return 0;
}

/* --- report -------------------------------------------------------------- */

static void
report_push(struct report *r, const struct bench *b)
{
	int i;

	for (i = 0; i < SIDES; i++) {
		const struct side *s = &b->side[i];

		report_row(r, "push of one record to verified", json_pack(
		    "{s:s, s:I, s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
		    "server", side_names[i], "nodes",
		    (json_int_t)b->conf->nodes, "bytes a node",
		    (json_int_t)s->bytes, "missed", (json_int_t)s->missed,
		    "p50 ms", report_spread(&s->p50),
		    "p99 ms", report_spread(&s->p99), "max ms",
		    report_spread(&s->max), "x p99", report_spread(&s->rp99),
		    "cpu us a node", report_spread(&s->cpu), "x cpu",
		    report_spread(&s->rcpu), "idle cpu us a node, s",
		    report_spread(&s->idle)));
	}
	for (i = 0; i < SIDES; i++) {
		const struct side *s = &b->side[i];

		report_row(r, "the real node among them, to enforced",
		    json_pack("{s:s, s:I, s:o, s:o, s:o, s:o}", "server",
		    side_names[i], "records", (json_int_t)set_count(&b->set),
		    "p50 ms", report_spread(&s->real_p50), "p99 ms",
		    report_spread(&s->real_p99), "max ms",
		    report_spread(&s->real_max), "x p99 of clients",
		    report_spread(&s->rreal)));
	}
	for (i = 0; i < SIDES && b->side[i].kb.n > 0; i++) {
		const struct side *s = &b->side[i];

		report_row(r, "memory of the server", json_pack(
		    "{s:s, s:I, s:o, s:I, s:o, s:o, s:o}", "server",
		    side_names[i], "few", (json_int_t)FEW_NODES, "few MB",
		    report_spread(&s->few_mb), "nodes",
		    (json_int_t)b->conf->nodes, "MB",
		    report_spread(&s->full_mb), "without MB",
		    report_spread(&s->empty_mb), "KB a node",
		    report_spread(&s->kb)));
	}
}

static void
report_join(struct report *r, const struct bench *b)
{
	int i;

	for (i = 0; i < SIDES; i++) {
		const struct side *s = &b->side[i];

		report_row(r, "join storm", json_pack(
		    "{s:s, s:I, s:I, s:o, s:o, s:o, s:o}", "server",
		    side_names[i], "nodes", (json_int_t)b->conf->nodes,
		    "bytes", (json_int_t)b->conf->bytes, "all verified s",
		    report_spread(&s->join), "x", report_spread(&s->rjoin),
		    "cpu ms a node", report_spread(&s->join_cpu), "x cpu",
		    report_spread(&s->rjcpu)));
	}
}

static void
report_back(struct report *r, const struct bench *b)
{
	const struct back *k = &b->back;

	report_row(r, "all back after a restart of the controller", json_pack(
	    "{s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "nodes",
	    (json_int_t)b->conf->nodes, "down s",
	    report_number((double)b->conf->down_ms / 1000), "half back s",
	    report_spread(&k->p50), "99 % s", report_spread(&k->p99),
	    "all s", report_spread(&k->s), "most nodes in 1 s",
	    report_spread(&k->burst), "most handshakes in 1 s",
	    report_spread(&k->handshakes), "handshakes",
	    report_spread(&k->all), "cpu ms a node",
	    report_spread(&k->cpu)));
}

static bool
has(const struct bench *b, int part)
{
	return b->conf->parts == PARTS_ALL || b->conf->parts == part;
}

static int
round_of(struct bench *b, struct diag *why)
{
	int i, rc = 0;

	for (i = 0; i < SIDES && rc == 0; i++) {
		if (has(b, PARTS_PUSH))
			rc = push_side(b, i, why);
		if (rc == 0 && has(b, PARTS_JOIN))
			rc = join_side(b, i, why);
	}
	if (rc == 0 && has(b, PARTS_RESTART))
		rc = restart(b, why);
	return rc;
}

static int
run_all(struct bench *b, struct report *r, struct diag *why)
{
	struct cmd_common common = b->conf->common;
	int64_t round;
	int rc = 0;

	if (b->conf->real_set != NULL)
		common.dir = b->conf->real_set;
	if (has(b, PARTS_PUSH) && ((rc = cmd_set(&common, &b->set)) < 0 ||
	    (rc = cmd_folder(&common, &b->set, b->dir, why)) < 0))
		return rc;
	for (round = 0; round < b->conf->rounds && rc == 0; round++)
		rc = round_of(b, why);
	if (b->dir[0] != '\0')
		cmd_folder_end(&common, b->dir);
	if (rc < 0)
		return rc;
	if (has(b, PARTS_PUSH))
		report_push(r, b);
	if (has(b, PARTS_JOIN))
		report_join(r, b);
	if (has(b, PARTS_RESTART))
		report_back(r, b);
	return 0;
}

static int
run(void *arg, struct cmd_work *w)
{
	struct bench *b = xcalloc(1, sizeof(*b));
	int rc;

	b->conf = arg;
	rc = run_all(b, w->report, &w->why);
	free(b);
	return rc;
}

int
cmd_fleet(int argc, char **argv)
{
	struct fleet_conf_bench c = { .nodes = 0 };

	return cmd_run(&program, &c, argc, argv, run);
}
