/*
 * cmd_milter.c - "milter": a load on milters that somebody else started
 * (milter.sh does), in rotation, with no mail server between.
 */
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "bench/cmd.h"
#include "bench/milter_load.h"
#include "bench/stat.h"
#include "bench/targets.h"
#include "proto/base/err.h"

struct milter_conf {
	struct cmd_common common;
	char *targets;
	int64_t connections, messages, recipients, hit, rounds;
	bool abort;
	uint64_t ms;
};

#define AT(m) offsetof(struct milter_conf, m)
static const struct conf_option options[] = {
	CMD_COMMON,
	{ .name = "targets", .type = CONF_TEXT, .offset = AT(targets),
	    .help = "NAME=ADDRESS[#PID], several with commas; ratios are to "
	    "the first" },
	{ .name = "connections", .type = CONF_INT, .min = 1, .max = 1000,
	    .offset = AT(connections), .def = "16", .help = "at once" },
	{ .name = "messages", .type = CONF_INT, .min = 1, .max = 1000000,
	    .offset = AT(messages), .def = "10",
	    .help = "of a connection, then a new one" },
	{ .name = "recipients", .type = CONF_INT, .min = 1, .max = 100,
	    .offset = AT(recipients), .def = "1", .help = "of one message" },
	{ .name = "hit", .type = CONF_INT, .min = 0, .max = 100,
	    .offset = AT(hit), .def = "0",
	    .help = "percent of messages from senders that the set blocks" },
	{ .name = "abort", .type = CONF_BOOL, .offset = AT(abort),
	    .help = "no headers and end: the message is given up after its "
	    "recipients" },
	{ .name = "rounds", .type = CONF_INT, .min = 1, .max = SAMPLES_MAX,
	    .offset = AT(rounds), .def = "5", .help = "of all of them" },
	{ .name = "time", .type = CONF_MS, .min = 100, .max = 3600000,
	    .offset = AT(ms), .def = "2s", .help = "of one run" },
	{ .name = NULL }
};

static const struct conf_program program = {
	.name = "postern-bench milter", .options = options,
	.summary = "Puts the same load on several milters in rotation.",
};

struct milter_samples {
	struct samples per_second, p50, p99, cpu, throughput, x_cpu;
	uint64_t messages, refused, unlike;
	uint32_t actions, steps;
};

static void
add(struct milter_samples *s, const struct milter_result *res,
    const struct milter_result *first)
{
	samples_add(&s->per_second, res->per_second);
	samples_add(&s->p50, res->p50_us);
	samples_add(&s->p99, res->p99_us);
	samples_add(&s->cpu, res->cpu_us);
	samples_add(&s->throughput, res->per_second / first->per_second);
	samples_add(&s->x_cpu, first->cpu_us > 0 ? res->cpu_us /
	    first->cpu_us : 0);
	s->messages += res->messages;
	s->refused += res->refused;
	s->unlike += res->unlike;
	s->actions = res->actions;
	s->steps = res->steps;
}

static void
report_target(struct report *r, const struct milter_conf *c,
    const char *name, const struct milter_samples *s)
{
	char what[96], negotiated[32];
	json_t *row;

	snprintf(what, sizeof(what), "%d connections of %d messages, "
	    "%d recipients, %d %% hits%s", (int)c->connections,
	    (int)c->messages, (int)c->recipients, (int)c->hit, c->abort ?
	    ", given up" : "");
	snprintf(negotiated, sizeof(negotiated), "%x/%x", s->actions,
	    s->steps);
	row = json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o}", "load",
	    what, "milter", name, "messages/s", report_number(samples_median(
	    &s->per_second)), "x messages/s", report_spread(&s->throughput),
	    "p50 us", report_number(samples_median(&s->p50)), "p99 us",
	    report_number(samples_median(&s->p99)), "cpu us",
	    report_spread(&s->cpu), "x cpu", report_spread(&s->x_cpu));
	json_object_set_new(row, "refused", json_integer(
	    (json_int_t)s->refused));
	json_object_set_new(row, "unlike", json_integer(
	    (json_int_t)s->unlike));
	json_object_set_new(row, "negotiated", json_string(negotiated));
	report_row(r, "milters", row);
}

static int
run(void *arg, struct cmd_work *w)
{
	const struct milter_conf *c = arg;
	struct diag *why = &w->why;
	struct compare_target t[COMPARE_MAX] = { { .pid = 0 } };
	struct milter_samples s[COMPARE_MAX];
	struct milter_load load = { .connections = (unsigned)c->connections,
	    .messages = (unsigned)c->messages, .recipients =
	    (unsigned)c->recipients, .whole = !c->abort, .hit_pct =
	    (unsigned)c->hit, .seconds = (double)c->ms / 1000 };
	struct milter_result res[COMPARE_MAX];
	struct set set;
	int64_t round;
	int n, i, k, rc;

	memset(s, 0, sizeof(s));
	if (c->targets == NULL)
		return diag_set(why, ERR_INVAL, "--targets is needed");
	if ((rc = cmd_set(&c->common, &set)) < 0 ||
	    (n = rc = targets_parse(c->targets, t, why)) < 0)
		return rc;
	load.set = &set;
	for (round = 0; round < c->rounds; round++) {
		for (k = 0; k < n; k++) {
			i = (int)((round + k) % n);
			load.target = t[i].address;
			load.pid = t[i].pid;
			if ((rc = milter_load_run(&load, &res[i], why)) < 0)
				return rc;
			load.first += (uint64_t)1 << 24;
		}
		for (i = 0; i < n; i++)
			add(&s[i], &res[i], &res[0]);
	}
	for (i = 0; i < n; i++)
		report_target(w->report, c, t[i].name, &s[i]);
	return 0;
}

int
cmd_milter(int argc, char **argv)
{
	struct milter_conf c = { .targets = NULL };

	return cmd_run(&program, &c, argc, argv, run);
}
