// SPDX-License-Identifier: Apache-2.0
#include "attach/budget.h"

#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"

/* A burst of a few seconds (a model is loaded, a long prompt is tokenized) is no reason. */
#define LOOKS_OVER 5

/*
 * ns a hit, its body included: `make bench B=probes`. A stepped instruction traps twice (#BP, #DB); under a hypervisor that
 * intercepts #DB 14 to 17 us were measured, on metal it is about one more microsecond.
 */
#define EMULATED_NS	 1000
#define STEPPED_NS	 2000
#define STEPPED_GUEST_NS 17000

/* The CPU says so: the flag "hypervisor" (CPUID 1, ECX bit 31). Other architectures have no such word: metal is assumed. */
static bool in_guest(void)
{
	_cleanup_fclose_ FILE *f = fopen("/proc/cpuinfo", "re");
	char line[8192];

	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, "flags", 5))
			return strstr(line, " hypervisor");
	return false;
}

void budget_init(struct budget *b, double share)
{
	memset(b, 0, sizeof(*b));
	b->share = share;
	b->hit_ns[COST_NOP] = EMULATED_NS;
	b->hit_ns[COST_EMULATED] = EMULATED_NS;
	b->hit_ns[COST_STEPPED] = in_guest() ? STEPPED_GUEST_NS : STEPPED_NS;
}

static double cost_of_function(const struct rows *rows, const struct row *row)
{
	const struct row *r;
	double cost = 0;

	for (r = rows->by_key; r; r = r->hh.next)
		if (rows_belong_together(r, row))
			cost += r->budget_cost;
	return cost;
}

static struct row *costliest(const struct rows *rows)
{
	struct row *r, *next, *worst = NULL;
	double most = 0;

	HASH_ITER(hh, rows->by_key, r, next) {
		double cost = cost_of_function(rows, r);

		if (cost <= most)
			continue;
		most = cost;
		worst = r;
	}
	return worst;
}

struct row *budget_look(struct budget *b, const struct rows *rows, unsigned int processes,
			uint64_t now_ns)
{
	double total = 0, elapsed = now_ns - b->looked_ns;
	struct row *r;

	for (r = rows->by_key; r; r = r->hh.next) {
		r->budget_cost = (r->hits.hits - r->budget_hits) * b->hit_ns[r->cost];
		r->budget_hits = r->hits.hits;
		total += r->budget_cost;
	}
	b->over = b->looked_ns && total > b->share * elapsed * processes ? b->over + 1 : 0;
	b->looked_ns = now_ns;
	if (b->over < LOOKS_OVER)
		return NULL;
	b->over = 0;
	return costliest(rows);
}
