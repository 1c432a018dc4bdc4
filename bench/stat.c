/*
 * stat.c - clocks, histograms, medians.
 */
#include "bench/stat.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static uint64_t
ns_of(clockid_t clock)
{
	struct timespec t;

	if (clock_gettime(clock, &t) < 0)
		return 0;
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

uint64_t
stat_now_ns(void)
{
	return ns_of(CLOCK_MONOTONIC);
}

double
stat_now(void)
{
	return (double)stat_now_ns() / 1e9;
}

static double
cpu_of(pid_t pid)
{
	clockid_t clock = CLOCK_THREAD_CPUTIME_ID;

	if (pid >= 0 && clock_getcpuclockid(pid, &clock) != 0)
		return 0;
	return (double)ns_of(clock) / 1e9;
}

/* Of the children that pid has waited for: proc(5), stat, in ticks. */
static double
cpu_of_ended(pid_t pid)
{
	unsigned long user, system;
	char path[64], line[1024];
	const char *rest = NULL;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	if ((f = fopen(path, "r")) == NULL)
		return 0;
	/* the name of the program may hold anything, even ")" */
	if (fgets(line, sizeof(line), f) != NULL)
		rest = strrchr(line, ')');
	fclose(f);
	if (rest == NULL || sscanf(rest + 1, " %*c %*d %*d %*d %*d %*d %*u "
	    "%*u %*u %*u %*u %*u %*u %lu %lu", &user, &system) != 2)
		return 0;
	return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

/* A child's children, too, those that ended among them: some servers have a
 * master over their parent, and Postfix's processes come and go. */
double
stat_cpu(pid_t pid)
{
	double sum = cpu_of(pid);
	char path[64];
	int child;
	FILE *f;

	if (pid > 0)
		sum += cpu_of_ended(pid);

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)pid,
	    (int)pid);
	if (pid <= 0 || (f = fopen(path, "r")) == NULL)
		return sum;
	while (fscanf(f, "%d", &child) == 1)
		sum += stat_cpu(child);
	fclose(f);
	return sum;
}

static long
status_kb(pid_t pid, const char *name)
{
	char path[64], line[256];
	long kb = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	if ((f = fopen(path, "r")) == NULL)
		return 0;
	while (fgets(line, sizeof(line), f) != NULL) {
		if (strncmp(line, name, strlen(name)) == 0)
			kb = strtol(line + strlen(name), NULL, 10);
	}
	fclose(f);
	return kb;
}

long
stat_rss_anon_kb(pid_t pid)
{
	return status_kb(pid, "RssAnon:");
}

long
stat_rss_kb(pid_t pid)
{
	return status_kb(pid, "VmRSS:");
}

/* Below 32 one bucket a nanosecond, then 32 an octave. */
static unsigned
bucket_of(uint64_t ns)
{
	unsigned top, at;

	if (ns < 32)
		return (unsigned)ns;
	top = 63 - (unsigned)__builtin_clzll(ns);
	at = (top - 4) * 32 + (unsigned)((ns >> (top - 5)) & 31);
	return at < HIST_BUCKETS ? at : HIST_BUCKETS - 1;
}

static uint64_t
value_of(unsigned at)
{
	unsigned top = at / 32 + 4;

	return at < 32 ? at : ((uint64_t)32 + at % 32) << (top - 5);
}

void
hist_add(struct hist *h, uint64_t ns)
{
	h->n++;
	h->bucket[bucket_of(ns)]++;
	if (ns > h->max_ns)
		h->max_ns = ns;
}

void
hist_merge(struct hist *h, const struct hist *more)
{
	unsigned i;

	h->n += more->n;
	if (more->max_ns > h->max_ns)
		h->max_ns = more->max_ns;
	for (i = 0; i < HIST_BUCKETS; i++)
		h->bucket[i] += more->bucket[i];
}

double
hist_us(const struct hist *h, double part)
{
	uint64_t seen = 0, want = (uint64_t)(part * (double)h->n);
	unsigned i;

	for (i = 0; i < HIST_BUCKETS; i++) {
		seen += h->bucket[i];
		if (seen > want)
			return (double)value_of(i) / 1000;
	}
	return (double)h->max_ns / 1000;
}

void
samples_add(struct samples *s, double v)
{
	if (s->n < SAMPLES_MAX)
		s->v[s->n++] = v;
}

static int
by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/* The value at this part of the sorted samples. */
static double
at_part(const struct samples *s, double part)
{
	double v[SAMPLES_MAX];

	if (s->n == 0)
		return 0;
	memcpy(v, s->v, s->n * sizeof(v[0]));
	qsort(v, s->n, sizeof(v[0]), by_value);
	if (part == 0.5 && s->n % 2 == 0)
		return (v[s->n / 2 - 1] + v[s->n / 2]) / 2;
	return v[(size_t)(part * (double)(s->n - 1))];
}

double
samples_median(const struct samples *s)
{
	return at_part(s, 0.5);
}

double
samples_min(const struct samples *s)
{
	return at_part(s, 0);
}

double
samples_max(const struct samples *s)
{
	return at_part(s, 1);
}
