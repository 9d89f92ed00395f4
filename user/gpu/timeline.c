// SPDX-License-Identifier: Apache-2.0
#include "gpu/timeline.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/keyed_hash.h"
#include "base/utf8.h"
#include "gpu/kernel_names.h"

/* What processes can make up is bounded. */
#define TRACKS_MAX 4096
#define NAMES_MAX  65536

/* A stream of a GPU, or a thread that launches. */
struct track {
	struct track_key {
		uint32_t tgid;
		uint32_t number;	    /* of the stream or thread */
		char gpu[GPU_UUID_MAX + 1]; /* "" of a thread */
	} key;
	unsigned int id; /* from 1: what the format calls a thread */
	char index[GPU_INDEX_MAX];
	UT_hash_handle hh;
};

/* A kernel's name, once. */
struct name {
	char *pretty; /* demangled */
	UT_hash_handle hh;
	char raw[];
};

struct event {
	uint64_t start_ns, end_ns;
	uint64_t bytes;
	const struct track *track;
	const struct name *name; /* kernels; NULL: not told */
	uint32_t correlation, graph;
	uint8_t kind, sub;
};

struct timeline {
	struct event *events; /* a ring of `max` */
	size_t max, count, next;
	struct track *tracks;
	struct name *names;
	uint64_t dropped;
};

/* ------------------------------------------------------------------ open and close */

struct timeline *timeline_new(size_t max_events)
{
	struct timeline *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->max = max_events;
	t->events = calloc(max_events, sizeof(*t->events));
	if (t->events)
		return t;
	free(t);
	return NULL;
}

static void name_free(struct name *n)
{
	if (!n)
		return;
	free(n->pretty);
	free(n);
}

void timeline_free(struct timeline *t)
{
	struct track *track, *next_track;
	struct name *name, *next_name;

	if (!t)
		return;
	HASH_ITER(hh, t->tracks, track, next_track) {
		HASH_DEL(t->tracks, track);
		free(track);
	}
	HASH_ITER(hh, t->names, name, next_name) {
		HASH_DEL(t->names, name);
		name_free(name);
	}
	free(t->events);
	free(t);
}

/* ------------------------------------------------------------------ keeping */

static const struct track *track_of(struct timeline *t, const struct activity_work *w)
{
	struct track_key key = { .tgid = w->tgid };
	struct track *track;

	key.number = w->use ? w->record->stream : w->record->tid;
	/* One that nobody has announced is known by its ordinal. */
	if (w->use && *w->use->gpu->uuid)
		strcpy(key.gpu, w->use->gpu->uuid);
	else if (w->use)
		snprintf(key.gpu, sizeof(key.gpu), "%u", w->use->ordinal);
	HASH_FIND(hh, t->tracks, &key, sizeof(key), track);
	if (track || HASH_COUNT(t->tracks) >= TRACKS_MAX)
		return track;
	track = calloc(1, sizeof(*track));
	if (!track)
		return NULL;
	track->key = key;
	track->id = HASH_COUNT(t->tracks) + 1;
	if (w->use)
		strcpy(track->index, w->use->gpu->index);
	HASH_ADD(hh, t->tracks, key, sizeof(key), track);
	if (track->hh.tbl)
		return track;
	free(track);
	return NULL;
}

static const struct name *name_of(struct timeline *t, const char *raw)
{
	struct name *n = NULL;

	if (!raw)
		return NULL;
	HASH_FIND_STR(t->names, raw, n);
	if (n || HASH_COUNT(t->names) >= NAMES_MAX)
		return n;
	n = calloc(1, sizeof(*n) + strlen(raw) + 1);
	if (!n)
		return NULL;
	strcpy(n->raw, raw);
	n->pretty = kernel_name_pretty(raw);
	if (n->pretty) {
		utf8_repair(n->pretty);
		HASH_ADD_STR(t->names, raw, n);
	}
	if (n->hh.tbl)
		return n;
	name_free(n);
	return NULL;
}

void timeline_add(struct timeline *t, const struct activity_work *w)
{
	const struct tks_cupti_record *r = w->record;
	const struct track *track = track_of(t, w);

	if (!track) {
		t->dropped++;
		return;
	}
	t->events[t->next] = (struct event){
		.start_ns = r->start_ns,
		.end_ns = r->end_ns,
		.bytes = r->bytes,
		.track = track,
		.name = name_of(t, w->name),
		.correlation = r->correlation,
		.graph = r->graph,
		.kind = r->kind,
		.sub = r->sub,
	};
	t->next = (t->next + 1) % t->max;
	if (t->count < t->max)
		t->count++;
	else
		t->dropped++;
}

void timeline_get_stats(const struct timeline *t, struct timeline_stats *stats)
{
	*stats = (struct timeline_stats){ .events = t->count, .dropped = t->dropped };
}

/* ------------------------------------------------------------------ writing */

struct writer {
	FILE *f;
	uint64_t origin_ns; /* all times count from here */
	int err;
};

/* One element of traceEvents after the first; takes the reference. */
static void put(struct writer *w, json_t *event)
{
	if (!event)
		w->err = -ENOMEM;
	else if (fputs(",\n", w->f) < 0 ||
		 json_dumpf(event, w->f,
			    JSON_COMPACT | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(15)))
		w->err = -EIO;
	json_decref(event);
}

/* The format counts in microseconds. */
static double micros(const struct writer *w, uint64_t ns)
{
	return (double)(int64_t)(ns - w->origin_ns) / 1e3;
}

static void put_metadata(struct writer *w, const struct track *track, const char *what,
			 const char *name)
{
	put(w, json_pack("{s:s,s:s,s:i,s:i,s:{s:s}}", "ph", "M", "name", what, "pid",
			 (int)track->key.tgid, "tid", (int)track->id, "args", "name", name));
}

static void put_track(struct writer *w, const struct track *track, const char *process)
{
	char text[64];

	if (!track->key.gpu[0])
		snprintf(text, sizeof(text), "thread %" PRIu32, track->key.number);
	else
		snprintf(text, sizeof(text), "GPU %s stream %" PRIu32,
			 strcmp(track->index, GPU_INDEX_NONE) ? track->index : track->key.gpu,
			 track->key.number);
	if (process)
		put_metadata(w, track, "process_name", process);
	put_metadata(w, track, "thread_name", text);
}

static const char *label_of(const struct event *e, char text[32])
{
	switch (e->kind) {
	case TKS_CUPTI_KERNEL:
		return e->name ? e->name->pretty : "kernel";
	case TKS_CUPTI_GRAPH:
		snprintf(text, 32, "graph %" PRIu32, e->graph);
		return text;
	case TKS_CUPTI_MEMCPY:
		snprintf(text, 32, "memcpy %s", memcpy_label(e->sub));
		return text;
	case TKS_CUPTI_MEMSET:
		return "memset";
	default:
		return "launch";
	}
}

static json_t *arguments(const struct event *e)
{
	json_t *args = json_pack("{s:I}", "correlation", (json_int_t)e->correlation);

	if (e->kind == TKS_CUPTI_MEMCPY || e->kind == TKS_CUPTI_MEMSET)
		json_object_set_new(args, "bytes", json_integer((json_int_t)e->bytes));
	if (e->kind == TKS_CUPTI_KERNEL)
		json_object_set_new(args, "blocks", json_integer((json_int_t)e->bytes));
	if (e->kind == TKS_CUPTI_KERNEL && e->name)
		json_object_set_new(args, "class",
				    json_string(kernel_class_label(kernel_class_of(e->name->raw))));
	return args;
}

/* An arrow begins in its call, and ends at what the call has launched. */
static void put_arrow(struct writer *w, const struct event *e)
{
	bool call = e->kind == TKS_CUPTI_LAUNCH;
	char id[32];

	if (!call && e->kind != TKS_CUPTI_KERNEL && e->kind != TKS_CUPTI_GRAPH)
		return;
	snprintf(id, sizeof(id), "%" PRIu32 ":%" PRIu32, e->track->key.tgid, e->correlation);
	put(w, json_pack("{s:s,s:s,s:s,s:s,s:s,s:f,s:i,s:i}", "ph", call ? "s" : "f", "bp", "e",
			 "name", "launch", "cat", "launch", "id", id, "ts", micros(w, e->start_ns),
			 "pid", (int)e->track->key.tgid, "tid", (int)e->track->id));
}

static void put_event(struct writer *w, const struct event *e)
{
	char text[32];

	put(w,
	    json_pack("{s:s,s:s,s:s,s:f,s:f,s:i,s:i,s:o}", "ph", "X", "name", label_of(e, text),
		      "cat", e->kind == TKS_CUPTI_LAUNCH ? "cpu" : "gpu", "ts",
		      micros(w, e->start_ns), "dur", (double)(e->end_ns - e->start_ns) / 1e3, "pid",
		      (int)e->track->key.tgid, "tid", (int)e->track->id, "args", arguments(e)));
	put_arrow(w, e);
}

static const struct event *event_at(const struct timeline *t, size_t i)
{
	return &t->events[(t->next + t->max - t->count + i) % t->max];
}

static uint64_t first_start(const struct timeline *t, uint64_t since_ns)
{
	uint64_t first = UINT64_MAX;

	for (size_t i = 0; i < t->count; i++) {
		const struct event *e = event_at(t, i);

		if (e->end_ns >= since_ns && e->start_ns < first)
			first = e->start_ns;
	}
	return first;
}

int timeline_write(struct timeline *t, FILE *f, uint64_t since_ns,
		   const char *(*process)(void *ctx, uint32_t tgid), void *ctx)
{
	struct writer w = { .f = f, .origin_ns = first_start(t, since_ns) };

	/* The first element only says who wrote this, so that all others begin with a comma. */
	fputs("{\"displayTimeUnit\":\"ns\",\"traceEvents\":[\n"
	      "{\"ph\":\"M\",\"name\":\"trace_writer\",\"pid\":0,\"args\":{\"name\":\"tokscope\"}}",
	      f);
	for (const struct track *track = t->tracks; track && !w.err; track = track->hh.next)
		put_track(&w, track, process(ctx, track->key.tgid));
	for (size_t i = 0; i < t->count && !w.err; i++)
		if (event_at(t, i)->end_ns >= since_ns)
			put_event(&w, event_at(t, i));
	if (fputs("\n]}\n", f) < 0 || ferror(f))
		w.err = w.err ?: -EIO;
	return w.err;
}
