// SPDX-License-Identifier: Apache-2.0
/* Probes in servers: the specs of sites, and what the kernel side has counted. */
#include <asm/ptrace.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "load/internal.h"

#ifdef __aarch64__
#define REGS_BYTES sizeof(struct user_pt_regs)
#else
#define REGS_BYTES sizeof(struct pt_regs)
#endif

/* ------------------------------------------------------------------ specs */

static bool step_valid(const struct tks_probe_step *s)
{
	switch (s->op) {
	case TKS_PROBE_REG:
		return s->imm >= 0 && (size_t)s->imm <= REGS_BYTES - sizeof(uint64_t);
	case TKS_PROBE_LOAD:
	case TKS_PROBE_CAST:
		return s->size == 1 || s->size == 2 || s->size == 4 || s->size == 8;
	case TKS_PROBE_DIVIDE:
		return s->imm > 0;
	default:
		return s->op <= TKS_PROBE_SCALE;
	}
}

static bool read_valid(const struct tks_probe_read *r)
{
	for (size_t i = 0; i < TKS_PROBE_STEPS; i++)
		if (!step_valid(&r->steps[i]))
			return false;
	return true;
}

/* What an action takes; of the others the index means nothing. */
enum {
	TAKES_VALUE = 1,
	TAKES_SIZE = 2,
	TAKES_KEY = 4
};
static const uint8_t takes[] = {
	[TKS_PROBE_NOTHING] = 0,
	[TKS_PROBE_COUNT] = TAKES_VALUE,
	/* Not negative: histograms have no cells for that. */
	[TKS_PROBE_HISTOGRAM] = TAKES_VALUE | TAKES_SIZE,
	[TKS_PROBE_DURATION] = TAKES_VALUE | TAKES_SIZE,
	[TKS_PROBE_START] = TAKES_KEY,
	[TKS_PROBE_STOP] = TAKES_KEY,
	[TKS_PROBE_LAP] = TAKES_KEY,
	[TKS_PROBE_GAUGE_ADD] = TAKES_VALUE,
	[TKS_PROBE_GAUGE_SET] = TAKES_VALUE,
	[TKS_PROBE_EMIT] = 0,
};

/* A read that the site has, or none. */
static bool index_valid(const struct tks_probe_site *s, uint8_t index)
{
	return index < s->reads || index == TKS_PROBE_NO_READ;
}

static bool never_negative(const struct tks_probe_site *s, uint8_t index)
{
	return index == TKS_PROBE_NO_READ || s->read[index].min >= 0 ||
	       s->read[index].only_min >= 0;
}

static bool action_valid(const struct tks_probe_site *s, const struct tks_probe_action *a)
{
	if (a->kind >= sizeof(takes))
		return false;
	if (takes[a->kind] & TAKES_VALUE && !index_valid(s, a->value))
		return false;
	if (takes[a->kind] & TAKES_SIZE && !never_negative(s, a->value))
		return false;
	return !(takes[a->kind] & TAKES_KEY) || index_valid(s, a->key);
}

static bool site_valid(const struct tks_probe_site *s)
{
	if (s->reads > TKS_PROBE_READS || s->actions > TKS_PROBE_ACTIONS)
		return false;
	for (size_t i = 0; i < s->reads; i++)
		if (!read_valid(&s->read[i]))
			return false;
	for (size_t i = 0; i < s->actions; i++)
		if (!action_valid(s, &s->action[i]))
			return false;
	return true;
}

static int map_set(const struct bpf_map *map, const void *key, const void *value)
{
	return bpf_map_update_elem(bpf_map__fd(map), key, value, BPF_ANY) ? -errno : 0;
}

static uint32_t shard_row(uint32_t shard, uint32_t site)
{
	return shard * TKS_PROBE_SITES + site;
}

int loader_probe_site(struct loader *l, uint32_t site, const struct tks_probe_site *spec)
{
	const struct tks_probe_hits none = { 0 };
	const struct tks_probe_off on = { 0 };
	int err = 0;

	if (!l->probes.supported)
		return -EOPNOTSUPP;
	if (site >= TKS_PROBE_SITES || !site_valid(spec))
		return -EINVAL;
	for (uint32_t i = 0; !err && i < TKS_PROBE_SHARDS; i++) {
		uint32_t row = shard_row(i, site);

		err = map_set(l->skel->maps.probe_hits, &row, &none);
	}
	if (!err)
		err = map_set(l->skel->maps.probe_sites, &site, spec);
	return err ? err : map_set(l->skel->maps.probe_offs, &site, &on);
}

void loader_probe_hits(const struct loader *l, uint32_t site, struct tks_probe_hits *sum)
{
	struct tks_probe_hits h;

	*sum = (struct tks_probe_hits){ 0 };
	if (!l->probes.supported || site >= TKS_PROBE_SITES)
		return;
	for (uint32_t i = 0; i < TKS_PROBE_SHARDS; i++) {
		uint32_t row = shard_row(i, site);

		if (bpf_map_lookup_elem(bpf_map__fd(l->skel->maps.probe_hits), &row, &h))
			continue;
		sum->hits += h.hits;
		sum->faults += h.faults;
		sum->filtered += h.filtered;
		sum->off += h.off;
		sum->unmatched += h.unmatched;
		sum->restarted += h.restarted;
		sum->lost += h.lost;
	}
}

void loader_probe_off(const struct loader *l, uint32_t site, struct tks_probe_off *off)
{
	if (!l->probes.supported || site >= TKS_PROBE_SITES ||
	    bpf_map_lookup_elem(bpf_map__fd(l->skel->maps.probe_offs), &site, off))
		*off = (struct tks_probe_off){ 0 };
}

/* ------------------------------------------------------------------ results */

#define ROWS 64 /* fetched at once; no bucket of a hash holds more */

typedef void (*row_fn)(void *ctx, const void *key, const void *value);

/* Every row of a hash: one system call for many, as thousands are read for each answer to /metrics. */
static void map_each(const struct bpf_map *map, size_t value_size, row_fn fn, void *ctx)
{
	size_t key_size = bpf_map__key_size(map);
	_cleanup_free_ char *keys = calloc(ROWS, key_size);
	_cleanup_free_ char *values = calloc(ROWS, value_size);
	uint32_t place = 0, count;
	bool first = true;
	int err = 0;

	while (keys && values && !err) {
		count = ROWS;
		err = bpf_map_lookup_batch(bpf_map__fd(map), first ? NULL : &place, &place, keys,
					   values, &count, NULL);
		if (err && errno != ENOENT) /* ENOENT: these are the last */
			return;
		for (uint32_t i = 0; i < count; i++)
			fn(ctx, keys + i * key_size, values + i * value_size);
		first = false;
	}
}

struct cells {
	probe_cell_fn fn;
	void *ctx;
	int cpus;
};

static void sum_cell(void *ctx, const void *key, const void *value)
{
	const struct cells *c = ctx;
	const struct tks_probe_cell *of_cpu = value;
	struct tks_probe_cell sum = { 0 };

	for (int i = 0; i < c->cpus; i++) {
		sum.count += of_cpu[i].count;
		sum.sum += of_cpu[i].sum;
	}
	c->fn(c->ctx, key, &sum);
}

void loader_probe_cells(const struct loader *l, probe_cell_fn fn, void *ctx)
{
	struct cells c = { fn, ctx, libbpf_num_possible_cpus() };

	if (l->probes.supported && c.cpus > 0)
		map_each(l->skel->maps.probe_cells, c.cpus * sizeof(struct tks_probe_cell),
			 sum_cell, &c);
}

struct gauges {
	probe_gauge_fn fn;
	void *ctx;
};

static void tell_gauge(void *ctx, const void *key, const void *value)
{
	const struct gauges *g = ctx;

	g->fn(g->ctx, key, value);
}

void loader_probe_gauges(const struct loader *l, probe_gauge_fn fn, void *ctx)
{
	struct gauges g = { fn, ctx };

	if (l->probes.supported)
		map_each(l->skel->maps.probe_gauges, sizeof(struct tks_probe_gauge), tell_gauge,
			 &g);
}

/* ------------------------------------------------------------------ forgetting */

/* Rows that go: of a group, or timers that began before a time. The keys of all three maps begin with the group. */
struct doomed {
	const struct bpf_map *map;
	bool of_group;
	uint32_t group;
	uint64_t before_ns;
	size_t count;
};

_Static_assert(!offsetof(struct tks_probe_cell_key, group) &&
		       !offsetof(struct tks_probe_gauge_key, group) &&
		       !offsetof(struct tks_probe_timer_key, group),
	       "struct doomed");

static void forget_row(void *ctx, const void *key, const void *value)
{
	struct doomed *d = ctx;
	bool goes = d->of_group ? *(const uint32_t *)key == d->group
				: *(const uint64_t *)value < d->before_ns;

	/* Batches go by bucket: what is deleted meanwhile moves no other row. */
	if (goes && !bpf_map_delete_elem(bpf_map__fd(d->map), key))
		d->count++;
}

void loader_probe_forget(struct loader *l, uint32_t group)
{
	size_t cell_size = libbpf_num_possible_cpus() * sizeof(struct tks_probe_cell);
	struct doomed d = { .of_group = true, .group = group };

	if (!l->probes.supported)
		return;
	d.map = l->skel->maps.probe_cells;
	map_each(d.map, cell_size, forget_row, &d);
	d.map = l->skel->maps.probe_gauges;
	map_each(d.map, sizeof(struct tks_probe_gauge), forget_row, &d);
	d.map = l->skel->maps.probe_timers;
	map_each(d.map, sizeof(uint64_t), forget_row, &d);
}

size_t loader_probe_forget_timers(struct loader *l, uint64_t before_ns)
{
	struct doomed d = { .map = l->skel->maps.probe_timers, .before_ns = before_ns };

	if (l->probes.supported)
		map_each(d.map, sizeof(uint64_t), forget_row, &d);
	return d.count;
}
