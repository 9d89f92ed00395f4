// SPDX-License-Identifier: Apache-2.0
/* A pack file: any bytes are refused with a message, or make a pack that refers to nothing that is not there. */
#include "fuzz.h"
#include "probe/pack.h"

static void check_probe(const struct packs *p, const struct pack_probe *probe)
{
	const struct tks_probe_site *s = &probe->spec;

	fuzz_check(s->reads <= TKS_PROBE_READS);
	fuzz_check(s->actions > 0 && s->actions <= TKS_PROBE_ACTIONS);
	fuzz_check(probe->pattern_count && probe->library.count);
	fuzz_check(probe->at != AT_RETURN_PROBE || probe->no_unwind);
	for (uint32_t i = 0; i < s->reads; i++) {
		fuzz_check(s->read[i].min <= s->read[i].max);
		fuzz_check(s->read[i].only_min <= s->read[i].only_max);
	}
	for (uint32_t i = 0; i < s->actions; i++) {
		const struct tks_probe_action *a = &s->action[i];

		fuzz_check(a->value == TKS_PROBE_NO_READ || a->value < s->reads);
		fuzz_check(a->key == TKS_PROBE_NO_READ || a->key < s->reads);
		fuzz_check(a->metric == TKS_PROBE_NO_METRIC || a->metric < p->result_count);
		fuzz_check(!a->timer || a->timer < p->timer_count);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const char other[] = "pack: other\nprobes:\n"
				    "  - {name: p, library: l, symbol: s, results: [{lap: t}]}\n";
	struct packs p = { 0 };
	char *error = NULL, *text = malloc(len ? len : 1);

	if (!text)
		abort();
	memcpy(text, data, len); /* a sanitizer sees reads beyond it */
	fuzz_check(!packs_load_text(&p, "other", other, sizeof(other) - 1, &error));
	if (packs_load_text(&p, "fuzz", text, len, &error)) {
		fuzz_check(error && !strncmp(error, "fuzz:", 5));
		fuzz_check(p.count == 1 && p.result_count == 1 && p.timer_count == 1);
	}
	for (size_t i = 0; i < p.count; i++)
		for (size_t k = 0; k < p.items[i].probe_count; k++)
			check_probe(&p, &p.items[i].probes[k]);
	free(error);
	free(text);
	packs_free(&p);
	return 0;
}
