/*
 * cmd_join.c - "join": a real node that has nothing takes the standard set
 * from the controller's fleet, beside the bare transfer, hash and sorted load
 * of the same chunks, in rotation.
 */
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/cmd.h"
#include "bench/fleet.h"
#include "bench/fleet_real.h"
#include "bench/join_bare.h"
#include "bench/stat.h"
#include "proto/base/clock.h"
#include "proto/base/err.h"
#include "proto/base/file.h"

#define WAIT_S 600
#define LOOK_US 2000

enum { BARE, NODE, SIDES };
static const char *const side_names[SIDES] = { "bare transfer, hash, sorted "
    "load", "node" };

struct join_conf { struct cmd_common common; int64_t rounds; };

static const struct conf_option options[] = {
	CMD_COMMON,
	{ .name = "rounds", .type = CONF_INT, .min = 1, .max = SAMPLES_MAX,
	    .offset = offsetof(struct join_conf, rounds), .def = "3",
	    .help = "of both sides" },
	{ .name = NULL }
};

static const struct conf_program program = {
	.name = "postern-bench join", .options = options,
	.summary = "Lets a node take the standard set whole, over and over.",
};

/* Of one side once; what its process hands back. */
struct outcome { double s, cpu, server_cpu; uint64_t records; };
struct run {
	struct fleet_shared s;
	struct outcome out;
	struct join_bare_times bare;
	struct diag why;
	int rc;
};
struct side { struct samples s, cpu, server, rs, rcpu, rall; };

struct join {
	const struct join_conf *conf;
	struct set set;
	char *dir;
	struct side side[SIDES];
	uint64_t records;
};

/* The bare client's process: waits for the server, then joins. */
static pid_t
fork_bare(struct run *r, const char *dir)
{
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (!r->s.go)
		usleep(LOOK_US);
	if (!r->s.stop)
		r->rc = join_bare(&r->s, dir, &r->bare, &r->why);
	_exit(0);
}

static void
join_as_bare(struct run *r, pid_t pid)
{
	struct rusage u;
	int status;

	r->rc = ERR_INTERNAL;
	r->s.go = true;
	if (wait4(pid, &status, 0, &u) != pid)
		return;
	r->out.s = r->bare.s;
	r->out.records = r->bare.records;
	r->out.cpu = (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	    (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static int
join_as_node(struct run *r, struct fleet_server *f, struct fleet_real *real,
    struct diag *why)
{
	uint64_t begin_us = (uint64_t)clock_wall_us(), at_us = 0, is = 0;
	double end = stat_now() + WAIT_S;
	int rc = fleet_real_start(real, r->s.endpoint, r->s.events,
	    r->s.server_key, true, why);

	while (rc == 0 && is < fleet_real_head(real)->version) {
		usleep(LOOK_US);
		fleet_server_real(f, &is, &at_us);
		if (stat_now() > end)
			rc = diag_set(why, ERR_TIMEOUT, "the node has no "
			    "policy after %d s", WAIT_S);
	}
	if (rc < 0)
		return rc;
	r->out.s = (double)(at_us - begin_us) / 1e6;
	r->out.cpu = fleet_real_cpu(real);
	r->out.records = fleet_real_head(real)->count;
	return fleet_real_check(real, why);
}

/* In a process of its own. */
static int
host(const struct join *j, int which, struct run *r, const char *dir)
{
	struct fleet_server_conf c = { .s = &r->s, .bare = which == BARE,
	    .events = true, .bytes = 1, .dir = dir };
	struct fleet_server *f = NULL;
	pid_t pid = 0;
	double cpu;
	int rc;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	sock_keypair(r->s.client[0].key, r->s.client[0].secret);
	if (which == BARE)
		pid = fork_bare(r, dir);	/* before any thread */
	if ((rc = fleet_real_open(&c.real, &j->set, j->dir, &r->why)) == 0)
		rc = fleet_server_start(&f, &c, &r->why);
	cpu = stat_cpu(0);
	r->s.stop = rc < 0;
	if (which == BARE) {
		join_as_bare(r, pid);
		rc = rc < 0 ? rc : r->rc;
	} else if (rc == 0)
		rc = join_as_node(r, f, c.real, &r->why);
	r->out.server_cpu = stat_cpu(0) - cpu;
	fleet_real_close(&c.real);
	fleet_server_stop(&f);
	return rc;
}

static int
run_side(struct join *j, int which, struct outcome *out, struct diag *why)
{
	struct run *r = mmap(NULL, sizeof(*r), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	char dir[1100];
	pid_t pid;
	int rc;

	if (r == MAP_FAILED)
		return ERR_NOMEM;
	/* on the disk of the set */
	snprintf(dir, sizeof(dir), "%s/run", j->dir);
	if ((rc = file_remove_tree(dir, why)) == 0 &&
	    (rc = file_mkdirs(dir, 0700, why)) == 0) {
		fflush(NULL);
		r->rc = diag_set(&r->why, ERR_INTERNAL, "the server's process "
		    "ended");
		if ((pid = fork()) == 0) {
			r->rc = host(j, which, r, dir);
			_exit(0);
		}
		waitpid(pid, NULL, 0);
		rc = r->rc;
		*out = r->out;
		*why = r->why;
		file_remove_tree(dir, NULL);
	}
	munmap(r, sizeof(*r));
	return rc;
}

static int
round_of(struct join *j, struct diag *why)
{
	struct outcome o[SIDES];
	int i, rc;

	for (i = 0; i < SIDES; i++) {
		struct side *s = &j->side[i];

		if ((rc = run_side(j, i, &o[i], why)) < 0)
			return rc;
		samples_add(&s->s, o[i].s);
		samples_add(&s->cpu, o[i].cpu);
		samples_add(&s->server, o[i].server_cpu);
		samples_add(&s->rs, o[i].s / o[BARE].s);
		samples_add(&s->rcpu, o[i].cpu / o[BARE].cpu);
		samples_add(&s->rall, (o[i].cpu + o[i].server_cpu) /
		    (o[BARE].cpu + o[BARE].server_cpu));
	}
	if (o[BARE].records != o[NODE].records)
		return diag_set(why, ERR_INTERNAL, "%llu records came to the "
		    "bare side and %llu to the node",
		    (unsigned long long)o[BARE].records,
		    (unsigned long long)o[NODE].records);
	return 0;
}

static void
report_all(struct report *r, const struct join *j)
{
	int i;

	for (i = 0; i < SIDES; i++) {
		const struct side *s = &j->side[i];

		report_row(r, "join with the whole set", json_pack(
		    "{s:s, s:I, s:o, s:o, s:o, s:o, s:o, s:o}", "who",
		    side_names[i], "records", (json_int_t)set_count(&j->set),
		    "s", report_spread(&s->s), "x", report_spread(&s->rs),
		    "cpu s", report_spread(&s->cpu), "x cpu",
		    report_spread(&s->rcpu), "server's cpu s",
		    report_spread(&s->server), "x cpu of both",
		    report_spread(&s->rall)));
	}
}

static int
run(void *arg, struct cmd_work *w)
{
	struct join run = { .conf = arg, .dir = w->dir }, *j = &run;
	const struct cmd_common *c = arg;
	struct diag *why = &w->why;
	struct fleet_real *real;
	int64_t i;
	int rc;

	if ((rc = cmd_set(c, &j->set)) < 0 ||
	    (rc = cmd_folder(c, &j->set, j->dir, why)) < 0)
		return rc;
	/* the chunks are made here, not while anything is timed */
	if ((rc = fleet_real_open(&real, &j->set, j->dir, why)) == 0)
		fleet_real_close(&real);
	for (i = 0; i < j->conf->rounds && rc == 0; i++)
		rc = round_of(j, why);
	if (rc == 0)
		report_all(w->report, j);
	return rc;
}

int
cmd_join(int argc, char **argv)
{
	struct join_conf c = { .rounds = 0 };

	return cmd_run(&program, &c, argc, argv, run);
}
