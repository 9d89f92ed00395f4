// SPDX-License-Identifier: Apache-2.0
/* What loadgen prints: a JSON line a request, progress, the summary. */
#include "loadgen.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PROGRESS_EVERY 10 /* ticks to a line, where stderr is no terminal */
#define ERRORS_SHOWN   5

static int compare_u64(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void sort(struct vec *v)
{
	qsort(v->items, v->count, sizeof(uint64_t), compare_u64);
}

/* Nearest rank of a sorted, non-empty vector. */
static uint64_t percentile(const struct vec *v, double p)
{
	size_t rank = (size_t)(p / 100 * (double)v->count + 0.999999);

	return ((const uint64_t *)v->items)[rank ? rank - 1 : 0];
}

/* ---------------------------------------------------------------- one request */
/* Seconds, or null where either end is unknown. */
static json_t *json_span(uint64_t from_ns, uint64_t to_ns)
{
	return from_ns && to_ns ? json_real(seconds(to_ns - from_ns)) : json_null();
}

static json_t *json_count(int64_t count)
{
	return count < 0 ? json_null() : json_integer(count);
}

static json_t *json_text(const char *text)
{
	return text && *text ? json_string(text) : json_null();
}

static json_t *json_gaps(struct vec *gaps)
{
	if (!gaps->count)
		return json_null();
	sort(gaps);
	return json_pack("{sI sf sf sf sf}", "count", (json_int_t)gaps->count, "min",
			 seconds(percentile(gaps, 0)), "p50", seconds(percentile(gaps, 50)), "p99",
			 seconds(percentile(gaps, 99)), "max", seconds(percentile(gaps, 100)));
}

static json_t *json_timings(const struct answer *a)
{
	if (!a->has_timings)
		return json_null();
	return json_pack("{sI sI sI sf sf}", "prompt_n", (json_int_t)a->prompt_n, "cache_n",
			 (json_int_t)a->cache_n, "predicted_n", (json_int_t)a->predicted_n,
			 "prompt_ms", a->prompt_ms, "predicted_ms", a->predicted_ms);
}

/* Time per output token in ns, 0 where it has no meaning. */
static uint64_t tpot_ns(const struct answer *a, uint64_t end_ns)
{
	return a->first_ns && a->output_tokens > 1
		       ? (end_ns - a->first_ns) / (uint64_t)(a->output_tokens - 1)
		       : 0;
}

static void write_json(struct run *r, const struct client *c, enum outcome outcome,
		       const char *error, uint64_t end_ns, struct vec *gaps)
{
	const struct answer *a = &c->answer;
	uint64_t tpot = tpot_ns(a, end_ns);
	char id[64];
	json_t *o;

	request_id(r, c, id, sizeof(id));
	o = json_pack("{ss ss so si sb sb sb}", "request_id", id, "outcome", outcome_name(outcome),
		      "error", json_text(error), "status", a->status, "stream",
		      !r->options.no_stream, "reused", c->reused, "resent", c->resent);
	json_object_set_new(o, "sent_ns", json_count(c->sent_ns ? (int64_t)c->sent_ns : -1));
	json_object_set_new(o, "duration_s", json_span(c->sent_ns, end_ns));
	json_object_set_new(o, "ttft_s", json_span(c->sent_ns, a->first_ns));
	json_object_set_new(o, "time_to_headers_s", json_span(c->sent_ns, a->headers_ns));
	json_object_set_new(o, "tpot_s", tpot ? json_real(seconds(tpot)) : json_null());
	json_object_set_new(o, "itl_s", json_gaps(gaps));
	json_object_set_new(o, "events", json_count(a->events));
	json_object_set_new(o, "content_events", json_count(a->content_events));
	json_object_set_new(o, "finish_reason", json_text(a->finish_reason));
	json_object_set_new(o, "input_tokens", json_count(a->input_tokens));
	json_object_set_new(o, "output_tokens", json_count(a->output_tokens));
	json_object_set_new(o, "cached_tokens", json_count(a->cached_tokens));
	json_object_set_new(o, "timings", json_timings(a));
	json_object_set_new(o, "bytes_in", json_integer((json_int_t)c->sent));
	json_object_set_new(o, "bytes_out", json_integer((json_int_t)a->bytes));
	json_dumpf(o, r->json,
		   JSON_COMPACT | JSON_REAL_PRECISION(12)); /* 100 s to the nanosecond */
	fputc('\n', r->json);
	json_decref(o);
}

static void add_time(struct vec *v, uint64_t from_ns, uint64_t to_ns)
{
	uint64_t span = to_ns - from_ns;

	if (from_ns && to_ns)
		vec_append(v, &span, 1, sizeof(span));
}

static void add_count(uint64_t *sum, int64_t count)
{
	if (count > 0)
		*sum += (uint64_t)count;
}

void report_request(struct run *r, struct client *c, enum outcome outcome, const char *error,
		    uint64_t end_ns)
{
	struct answer *a = &c->answer;

	r->finished[outcome]++;
	r->bytes += a->bytes;
	add_count(&r->input_tokens, a->input_tokens);
	add_count(&r->output_tokens, a->output_tokens);
	add_count(&r->cached_tokens, a->cached_tokens);
	if (outcome == OUTCOME_OK) {
		add_time(&r->ttft, c->sent_ns, a->first_ns);
		add_time(&r->duration, c->sent_ns, end_ns);
		if (tpot_ns(a, end_ns))
			add_time(&r->tpot, 1, 1 + tpot_ns(a, end_ns));
		vec_append(&r->itl, a->gaps.items, a->gaps.count, sizeof(uint64_t));
	}
	if (r->json)
		write_json(r, c, outcome, error, end_ns, &a->gaps);
	if (error && r->finished[outcome] <= ERRORS_SHOWN)
		fprintf(stderr, "loadgen: request %llu: %s (status %d)\n",
			(unsigned long long)c->number, error, a->status);
}

/* ---------------------------------------------------------------- the run */
static uint64_t finished(const struct run *r)
{
	uint64_t sum = 0;

	for (int i = 0; i < OUTCOME_MAX; i++)
		sum += r->finished[i];
	return sum;
}

void report_progress(const struct run *r, uint64_t tick, bool last)
{
	bool tty = isatty(STDERR_FILENO);

	if (!tty && (!r->options.progress || (tick % PROGRESS_EVERY && !last)))
		return;
	fprintf(stderr, "%s  %5.1f s  %llu answered, %llu open, %llu failed, %llu content events%s",
		tty ? "\r" : "", seconds(now_ns() - r->start_ns), (unsigned long long)finished(r),
		(unsigned long long)r->open, (unsigned long long)r->finished[OUTCOME_ERROR],
		(unsigned long long)r->content_events, !tty || last ? "\n" : "\033[K");
}

static void times_row(FILE *f, const char *name, struct vec *v)
{
	static const double points[] = { 0, 50, 90, 99, 100 };

	if (!v->count)
		return;
	sort(v);
	fprintf(f, "%-12s %8zu", name, v->count);
	for (size_t i = 0; i < sizeof(points) / sizeof(*points); i++)
		fprintf(f, " %9.3f", seconds(percentile(v, points[i])) * 1e3);
	fputc('\n', f);
}

void report_summary(struct run *r, FILE *f)
{
	double took = seconds(r->end_ns - r->start_ns);

	fprintf(f, "requests     %llu ok, %llu error, %llu aborted in %.2f s (%.1f/s)\n",
		(unsigned long long)r->finished[OUTCOME_OK],
		(unsigned long long)r->finished[OUTCOME_ERROR],
		(unsigned long long)r->finished[OUTCOME_ABORTED], took, (double)finished(r) / took);
	fprintf(f, "events       %llu, of these content %llu (%.1f/s), %.1f MB\n",
		(unsigned long long)r->events, (unsigned long long)r->content_events,
		(double)r->content_events / took, (double)r->bytes / 1e6);
	fprintf(f,
		"tokens       input %llu (cached %llu), output %llu (%.1f/s), where the server told\n",
		(unsigned long long)r->input_tokens, (unsigned long long)r->cached_tokens,
		(unsigned long long)r->output_tokens, (double)r->output_tokens / took);
	fprintf(f, "\n%-12s %8s %9s %9s %9s %9s %9s\n", "ms", "count", "min", "p50", "p90", "p99",
		"max");
	times_row(f, "TTFT", &r->ttft);
	times_row(f, "ITL", &r->itl);
	times_row(f, "TPOT", &r->tpot);
	times_row(f, "duration", &r->duration);
}
