/*
 * stat.h - times, histograms of latencies, medians with their spread, and
 * what other processes cost.
 */
#ifndef BENCH_STAT_H
#define BENCH_STAT_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Seconds of the monotonic clock; nanoseconds of it. */
double stat_now(void);
uint64_t stat_now_ns(void);

/* Processor seconds of a process, its threads and its children so far, ended
 * ones too (those by 10 ms); 0: this one without children, -1: the calling
 * thread.  0 when there is none. */
double stat_cpu(pid_t pid);
/* Kilobytes of its private memory that is no file's, and of all of it, from
 * /proc; 0 when there is no such process. */
long stat_rss_anon_kb(pid_t pid);
long stat_rss_kb(pid_t pid);

/* Buckets of latencies, 32 an octave: a value is right within 3 %. */
#define HIST_BUCKETS (40 * 32)
struct hist {
	uint64_t n, max_ns;
	uint32_t bucket[HIST_BUCKETS];
};
void hist_add(struct hist *h, uint64_t ns);
/* Add all that the other holds. */
void hist_merge(struct hist *h, const struct hist *more);
/* The value below which that part (0.5, 0.99) lies, in microseconds. */
double hist_us(const struct hist *h, double part);

/* Values of one thing over the rounds. */
#define SAMPLES_MAX 64
struct samples { size_t n; double v[SAMPLES_MAX]; };
/* Over SAMPLES_MAX are dropped. */
void samples_add(struct samples *s, double v);
double samples_median(const struct samples *s);
double samples_min(const struct samples *s);
double samples_max(const struct samples *s);

#endif
