// SPDX-License-Identifier: Apache-2.0
/* What becomes of the values of a probe: `results:` -> actions, rows of results, timers. */
#include "probe/pack_read.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ------------------------------------------------------------------ tables */

/* The keys that may stand beside a result's own. */
#define EXTRA_KEYS(X)       \
	X(METRIC, "metric") \
	X(NAME, "name")     \
	X(STAGE, "stage")   \
	X(STATE, "state")   \
	X(API, "api")       \
	X(LOOSE, "loose")   \
	X(KEY, "key")       \
	X(REQUEST, "request") X(SLOT, "slot")

enum extra {
#define X(id, key) EXTRA_##id,
	EXTRA_KEYS(X)
#undef X
	EXTRAS,
};

static const char *const extra_keys[EXTRAS] = {
#define X(id, key) key,
	EXTRA_KEYS(X)
#undef X
};

#define BIT(extra) (1u << EXTRA_##extra)
#define REPORT	   (BIT(METRIC) | BIT(NAME))
#define TIMED	   (REPORT | BIT(STAGE) | BIT(API))

/* X(key, what the kernel side does, what it makes, the keys that may stand beside it) */
#define VERBS(X)                                                        \
	X("counter", COUNT, RESULT_COUNTER, REPORT | BIT(API))          \
	X("histogram", HISTOGRAM, RESULT_HISTOGRAM, REPORT)             \
	X("duration", DURATION, RESULT_DURATION, TIMED)                 \
	X("gauge", GAUGE_SET, RESULT_GAUGE, REPORT | BIT(STATE))        \
	X("gauge_add", GAUGE_ADD, RESULT_GAUGE, REPORT | BIT(STATE))    \
	X("start", START, NO_RESULT, BIT(KEY) | BIT(LOOSE))             \
	X("stop", STOP, RESULT_DURATION, TIMED | BIT(KEY) | BIT(LOOSE)) \
	X("lap", LAP, RESULT_DURATION, TIMED | BIT(KEY))                \
	X("event", EMIT, NO_RESULT, BIT(REQUEST) | BIT(SLOT))
#define NO_RESULT ((enum pack_result_kind) - 1)

static const struct verb {
	const char *key;
	enum tks_probe_action_kind action;
	enum pack_result_kind kind;
	unsigned int extras;
} verbs[] = {
#define X(key, action, kind, extras) { key, TKS_PROBE_##action, kind, extras },
	VERBS(X)
#undef X
};

static const struct event {
	const char *name;
	bool needs_request; /* else one of request and slot, where it needs_one */
	bool needs_one;
} events[EVENTS] = {
	[EVENT_NONE] = { "", false, false },
	[EVENT_TOKENIZED] = { "tokenized", false, false },
	[EVENT_QUEUED] = { "queued", true, true },
	[EVENT_STARTED] = { "started", true, true },
	[EVENT_TOKEN] = { "token", false, true },
	[EVENT_FINISHED] = { "finished", false, true },
};

/* ------------------------------------------------------------------ one result, as it is written */

struct result {
	const struct verb *verb;
	const yaml_node_t *at, *operand;
	const yaml_node_t *extra[EXTRAS];
};

static int read_verb(struct doc *d, const struct doc_field *f, const yaml_node_t *n, void *object)
{
	struct result *r = object;

	if (r->verb)
		return doc_fail(d, n, "'%s' and '%s' are two results: write them as two list items",
				r->verb->key, f->key);
	for (size_t i = 0; i < COUNT(verbs); i++)
		if (!strcmp(verbs[i].key, f->key))
			r->verb = &verbs[i];
	r->operand = n;
	return 0;
}

static const struct doc_field fields[] = {
#define X(key, ...) { key, read_verb, 0, false },
	VERBS(X)
#undef X
#define X(id, key) { key, doc_read_node, offsetof(struct result, extra[EXTRA_##id]), false },
		EXTRA_KEYS(X)
#undef X
};

static int check_extras(struct doc *d, const struct result *r)
{
	char allowed[128] = "none";
	size_t len = 0;

	for (size_t i = 0; i < EXTRAS; i++)
		if (r->verb->extras & 1u << i)
			len += snprintf(allowed + len, sizeof(allowed) - len, "%s%s",
					len ? ", " : "", extra_keys[i]);
	for (size_t i = 0; i < EXTRAS; i++)
		if (r->extra[i] && !(r->verb->extras & 1u << i))
			return doc_fail(d, r->extra[i], "'%s' does not go with '%s'; known: %s",
					extra_keys[i], r->verb->key, allowed);
	return 0;
}

/* ------------------------------------------------------------------ values and keys */

struct reading {
	struct doc *d;
	struct pack_draft *draft;
	struct pack_probe *p;
	bool used[TKS_PROBE_READS];
};

/* The number of the value of this name. */
static int value_of(struct reading *g, const yaml_node_t *n, const char *name, uint8_t *value)
{
	const char *known[TKS_PROBE_READS];

	for (uint32_t i = 0; i < g->p->spec.reads; i++) {
		known[i] = g->p->value_name[i];
		if (strcmp(known[i], name))
			continue;
		*value = i;
		g->used[i] = true;
		return 0;
	}
	return doc_unknown(g->d, n, "value", name, known, g->p->spec.reads);
}

static int read_value_name(struct reading *g, const yaml_node_t *n, uint8_t *value)
{
	const char *name = doc_scalar(g->d, n);

	return name ? value_of(g, n, name, value) : -EINVAL;
}

/* "1" or a value; for gauge_add also their negatives. */
static int read_amount(struct reading *g, const yaml_node_t *n, bool may_fall,
		       struct tks_probe_action *a)
{
	const char *text = doc_scalar(g->d, n);

	if (!text)
		return -EINVAL;
	a->imm = 1;
	if (may_fall && *text == '-') {
		a->imm = -1;
		text++;
	}
	if (!strcmp(text, "1"))
		return 0;
	return value_of(g, n, text, &a->value);
}

/* ------------------------------------------------------------------ rows */

static int read_row(struct reading *g, const struct result *r, uint16_t *number)
{
	const struct pack_row written = {
		.at = r->at,
		.metric = r->extra[EXTRA_METRIC],
		.name = r->extra[EXTRA_NAME],
		.each = g->draft->each,
		.label = { [LABEL_STAGE] = r->extra[EXTRA_STAGE],
			   [LABEL_STATE] = r->extra[EXTRA_STATE],
			   [LABEL_API] = r->extra[EXTRA_API] },
	};
	struct pack_result row = { .kind = r->verb->kind,
				   .by_value = r->verb->action == TKS_PROBE_GAUGE_SET };

	return pack_read_row(g->d, g->draft->pack, g->p, &written, &row, number);
}

/* ------------------------------------------------------------------ timers */

static int find_timer(struct reading *g, const yaml_node_t *n, uint16_t *number)
{
	const char *name = doc_word(g->d, n, PACK_NAME_MAX - 1);
	struct pack_timer *grown;
	uint16_t count = g->draft->pack->timer_count;

	if (!name)
		return -EINVAL;
	for (*number = 0; *number < count; ++*number)
		if (!strcmp(g->draft->timers[*number].name, name))
			return 0;
	grown = reallocarray(g->draft->timers, count + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	g->draft->timers = grown;
	grown[count] = (struct pack_timer){ .at = n };
	strcpy(grown[count].name, name);
	g->draft->pack->timer_count++;
	return 0;
}

/* The kernel side counts by probe: all of its starts are loose, or none; likewise its stops. */
static int read_loose(struct reading *g, const struct result *r, enum tks_probe_action_kind kind)
{
	static const struct doc_field field = { .key = "loose" };
	const yaml_node_t *n = r->extra[EXTRA_LOOSE];
	bool *loose = kind == TKS_PROBE_START ? &g->p->loose_start : &g->p->loose_stop;
	bool now = false;

	if (kind == TKS_PROBE_LAP)
		return 0;
	if (n && doc_read_flag(g->d, &field, n, &now))
		return -EINVAL;
	for (uint32_t i = 0; i < g->p->spec.actions; i++)
		if (g->p->spec.action[i].kind == kind && *loose != now)
			return doc_fail(g->d, r->at,
					"of one probe, either all '%s' are loose or none",
					r->verb->key);
	*loose = now;
	return 0;
}

static int read_timer(struct reading *g, const struct result *r, struct tks_probe_action *a,
		      uint16_t *number)
{
	const yaml_node_t *key = r->extra[EXTRA_KEY];
	const char *name = key ? doc_scalar(g->d, key) : "thread";
	bool by_thread = name && !strcmp(name, "thread");
	struct pack_timer *t;
	int err = find_timer(g, r->operand, number);

	if (!name)
		return -EINVAL;
	if (!err && !by_thread)
		err = value_of(g, key, name, &a->key);
	if (err)
		return err;
	t = &g->draft->timers[*number];
	if ((t->started || t->stopped) && t->by_thread != by_thread)
		return doc_fail(
			g->d, r->at,
			"timer '%s' has the thread as its key in one place and a value in another: "
			"they never meet",
			t->name);
	t->by_thread = by_thread;
	t->started |= a->kind != TKS_PROBE_STOP;
	t->stopped |= a->kind != TKS_PROBE_START;
	return read_loose(g, r, a->kind);
}

int pack_check_timers(struct doc *d, const struct pack_draft *draft)
{
	for (uint16_t i = 0; i < draft->pack->timer_count; i++) {
		const struct pack_timer *t = &draft->timers[i];

		if (!t->started || !t->stopped)
			return doc_fail(d, t->at, "timer '%s' is never %s in this pack", t->name,
					t->started ? "stopped" : "started");
	}
	return 0;
}

/* ------------------------------------------------------------------ events */

static int find_event(struct doc *d, const yaml_node_t *n, enum pack_event *event)
{
	const char *name = doc_scalar(d, n);
	const char *known[EVENTS - 1];

	if (!name)
		return -EINVAL;
	for (size_t i = EVENT_NONE + 1; i < EVENTS; i++) {
		known[i - 1] = events[i].name;
		if (strcmp(name, events[i].name))
			continue;
		*event = i;
		return 0;
	}
	return doc_unknown(d, n, "event", name, known, COUNT(known));
}

/* Does a STOP or LAP stand before? It gives the event its duration. */
static bool was_timed(const struct pack_probe *p)
{
	for (uint32_t i = 0; i < p->spec.actions; i++)
		if (p->spec.action[i].kind == TKS_PROBE_STOP ||
		    p->spec.action[i].kind == TKS_PROBE_LAP)
			return true;
	return false;
}

static int read_event(struct reading *g, const struct result *r, struct tks_probe_action *a)
{
	const yaml_node_t *request = r->extra[EXTRA_REQUEST], *slot = r->extra[EXTRA_SLOT];
	struct pack_probe *p = g->p;
	int err = find_event(g->d, r->operand, &p->event);

	if (!err && p->emits)
		return doc_fail(g->d, r->at, "a probe has one event at most");
	if (!err && request)
		err = read_value_name(g, request, &p->event_id);
	if (!err && slot)
		err = read_value_name(g, slot, &p->event_slot);
	if (err)
		return err;
	if (events[p->event].needs_request && !request)
		return doc_fail(g->d, r->at, "event '%s' needs 'request'", events[p->event].name);
	if (events[p->event].needs_one && !request && !slot)
		return doc_fail(g->d, r->at,
				"event '%s' needs 'slot', or 'request' where there are no slots",
				events[p->event].name);
	if (p->event == EVENT_TOKENIZED && !was_timed(p))
		return doc_fail(g->d, r->at,
				"event 'tokenized' needs a 'stop' before it: how long it took");
	if (!slot)
		p->event_slot = p->event_id;
	p->emits = true;
	a->imm = p->event;
	return 0;
}

/* ------------------------------------------------------------------ all of a probe */

static int read_operand(struct reading *g, const struct result *r, struct tks_probe_action *a,
			uint16_t *timer)
{
	switch (a->kind) {
	case TKS_PROBE_START:
	case TKS_PROBE_STOP:
	case TKS_PROBE_LAP:
		return read_timer(g, r, a, timer);
	case TKS_PROBE_EMIT:
		return read_event(g, r, a);
	case TKS_PROBE_COUNT:
	case TKS_PROBE_GAUGE_ADD:
		return read_amount(g, r->operand, a->kind == TKS_PROBE_GAUGE_ADD, a);
	default:
		return read_value_name(g, r->operand, &a->value);
	}
}

static int read_result(struct doc *d, const yaml_node_t *n, void *object)
{
	struct reading *g = object;
	struct pack_probe *p = g->p;
	struct result r = { .at = n };
	uint16_t row = TKS_PROBE_NO_METRIC, timer = 0;
	struct tks_probe_action a = { .value = TKS_PROBE_NO_READ,
				      .key = TKS_PROBE_NO_READ,
				      .metric = TKS_PROBE_NO_METRIC };
	int err = doc_mapping(d, n, "a result", fields, COUNT(fields), &r);

	if (err)
		return err;
	if (!r.verb)
		return doc_fail(
			d, n,
			"a result has one of counter, histogram, duration, gauge, gauge_add, "
			"start, stop, lap and event");
	if (p->spec.actions == TKS_PROBE_ACTIONS)
		return doc_fail(d, n, "a probe has %d results at most", TKS_PROBE_ACTIONS);
	a.kind = r.verb->action;
	err = check_extras(d, &r);
	if (!err)
		err = read_operand(g, &r, &a, &timer);
	if (!err && r.verb->kind != NO_RESULT)
		err = read_row(g, &r, &row);
	if (err)
		return err;
	p->local_result[p->spec.actions] = row;
	p->local_timer[p->spec.actions] = timer;
	p->spec.action[p->spec.actions++] = a;
	return 0;
}

/* A value without a use is a mistake, unless it guards the others. */
static int check_used(struct reading *g, const yaml_node_t *at)
{
	for (uint32_t i = 0; i < g->p->spec.reads; i++) {
		const struct tks_probe_read *r = &g->p->spec.read[i];
		bool guards = r->min != INT64_MIN || r->max != INT64_MAX ||
			      r->only_min != INT64_MIN || r->only_max != INT64_MAX;

		if (!g->used[i] && !guards)
			return doc_fail(g->d, at, "value '%s' is used by no result",
					g->p->value_name[i]);
	}
	return 0;
}

int pack_read_results(struct doc *d, struct pack_draft *draft, struct pack_probe *p,
		      const yaml_node_t *results)
{
	struct reading g = { .d = d, .draft = draft, .p = p };
	int err = doc_items(d, results, "results", read_result, &g);

	if (err)
		return err;
	if (!p->spec.actions)
		return doc_fail(d, results, "the list of results is empty");
	return check_used(&g, results);
}
