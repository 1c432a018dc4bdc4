/*
 * cmd_smtp.c - "smtp": recipients a second through mail servers that somebody
 * else started (smtp.sh does), in rotation.
 */
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "bench/cmd.h"
#include "bench/smtp_load.h"
#include "bench/targets.h"
#include "proto/base/err.h"

struct smtp_conf {
	struct cmd_common common;
	char *targets;
	int64_t connections, recipients, bytes, rounds, server;
	uint64_t ms;
};

#define AT(m) offsetof(struct smtp_conf, m)
static const struct conf_option options[] = {
	CMD_COMMON,
	{ .name = "targets", .type = CONF_TEXT, .offset = AT(targets),
	    .help = "NAME=HOST:PORT[#PID], several with commas; ratios are "
	    "to the first" },
	{ .name = "connections", .type = CONF_INT, .min = 1, .max = 1000,
	    .offset = AT(connections), .def = "16", .help = "at once" },
	{ .name = "recipients", .type = CONF_INT, .min = 1, .max = 100,
	    .offset = AT(recipients), .def = "1",
	    .help = "of one transaction" },
	{ .name = "server", .type = CONF_INT, .min = 0, .max = INT32_MAX,
	    .offset = AT(server), .def = "0", .help = "process of the mail "
	    "server, over all of its own: its CPU is counted, too" },
	{ .name = "bytes", .type = CONF_INT, .min = 0, .max = 30000,
	    .offset = AT(bytes), .def = "0",
	    .help = "of a message; 0: the transaction ends with RSET" },
	{ .name = "rounds", .type = CONF_INT, .min = 1, .max = SAMPLES_MAX,
	    .offset = AT(rounds), .def = "5", .help = "of all of them" },
	{ .name = "time", .type = CONF_MS, .min = 100, .max = 3600000,
	    .offset = AT(ms), .def = "2s", .help = "of one run" },
	{ .name = NULL }
};

static const struct conf_program program = {
	.name = "postern-bench smtp", .options = options,
	.summary = "Recipients a second through mail servers.",
};

struct smtp_samples {
	struct samples per_second, p50, p99, cpu, all, ratio, x_cpu, x_all;
	uint64_t recipients, refused;
};

static void
report_target(struct report *r, const struct smtp_conf *c, const char *name,
    const struct smtp_samples *s)
{
	char what[96];

	if (c->bytes > 0)
		snprintf(what, sizeof(what), "%d connections, messages of %d "
		    "bytes, %d recipients", (int)c->connections,
		    (int)c->bytes, (int)c->recipients);
	else
		snprintf(what, sizeof(what), "%d connections, %d recipients",
		    (int)c->connections, (int)c->recipients);
	report_row(r, "smtp", json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:o, "
	    "s:o, s:o, s:o, s:I, s:I}", "load", what, "server", name, "rcpt/s",
	    report_number(samples_median(&s->per_second)), "x rcpt/s",
	    report_spread(&s->ratio), "p50 us", report_number(samples_median(
	    &s->p50)), "p99 us", report_number(samples_median(&s->p99)),
	    "cpu us of backend", report_spread(&s->cpu), "x cpu",
	    report_spread(&s->x_cpu), "cpu us of all", report_spread(&s->all),
	    "x cpu of all", report_spread(&s->x_all), "recipients",
	    (json_int_t)s->recipients, "refused", (json_int_t)s->refused));
}

static void
add(struct smtp_samples *s, const struct smtp_result *res,
    const struct smtp_result *first)
{
	samples_add(&s->per_second, res->per_second);
	samples_add(&s->p50, res->p50_us);
	samples_add(&s->p99, res->p99_us);
	samples_add(&s->cpu, res->cpu_us);
	samples_add(&s->ratio, res->per_second / first->per_second);
	samples_add(&s->x_cpu, first->cpu_us > 0 ? res->cpu_us /
	    first->cpu_us : 0);
	samples_add(&s->all, res->all_cpu_us);
	samples_add(&s->x_all, first->all_cpu_us > 0 ? res->all_cpu_us /
	    first->all_cpu_us : 0);
	s->recipients += res->recipients;
	s->refused += res->refused;
}

/* Rounds over all of them, each begun by another; one before that counts for
 * nothing: a mail server starts its processes when they are asked for. */
static int
run_rounds(const struct smtp_conf *c, struct smtp_load *load,
    const struct compare_target *t, int n, struct smtp_samples *s,
    struct diag *why)
{
	struct smtp_result res[COMPARE_MAX];
	int64_t round;
	int i, k, rc;

	for (round = 0; round <= c->rounds; round++) {
		for (k = 0; k < n; k++) {
			i = (int)((round + k) % n);
			load->target = t[i].address;
			load->pid = t[i].pid;
			if ((rc = smtp_load_run(load, &res[i], why)) < 0)
				return rc;
			load->first += (uint64_t)1 << 24;
		}
		for (i = 0; i < n && round > 0; i++)
			add(&s[i], &res[i], &res[0]);
	}
	return 0;
}

static int
run(void *arg, struct cmd_work *w)
{
	const struct smtp_conf *c = arg;
	struct diag *why = &w->why;
	struct compare_target t[COMPARE_MAX] = { { .pid = 0 } };
	struct smtp_samples s[COMPARE_MAX];
	struct smtp_load load = { .connections = (unsigned)c->connections,
	    .recipients = (unsigned)c->recipients,
	    .bytes = (unsigned)c->bytes, .server = (pid_t)c->server,
	    .seconds = (double)c->ms / 1000 };
	struct set set;
	int n, i, rc;

	memset(s, 0, sizeof(s));
	if (c->targets == NULL)
		return diag_set(why, ERR_INVAL, "--targets is needed");
	if ((rc = cmd_set(&c->common, &set)) < 0 ||
	    (n = rc = targets_parse(c->targets, t, why)) < 0)
		return rc;
	load.set = &set;
	if ((rc = run_rounds(c, &load, t, n, s, why)) < 0)
		return rc;
	for (i = 0; i < n; i++)
		report_target(w->report, c, t[i].name, &s[i]);
	return 0;
}

int
cmd_smtp(int argc, char **argv)
{
	struct smtp_conf c = { .targets = NULL };

	return cmd_run(&program, &c, argc, argv, run);
}
