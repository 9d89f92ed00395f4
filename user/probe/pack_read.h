/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From YAML to struct pack: what pack.c (all packs), pack_read.c (one file), pack_probe.c (one item of its probes),
 * pack_value.c and pack_result.c (parts of a probe), pack_row.c (rows of results) share.
 */
#ifndef PROBE_PACK_READ_H
#define PROBE_PACK_READ_H

#include "probe/pack.h"
#include "base/doc.h"

/* A timer of the pack that is being read. */
struct pack_timer {
	char name[PACK_NAME_MAX];
	bool started, stopped;
	bool by_thread; /* its key is the thread, not a value */
	const yaml_node_t *at;
};

/* A pack that is being read. */
struct pack_draft {
	struct pack *pack;
	struct pack_timer *timers; /* by local number; pack->timer_count of them */
	const char *
		each; /* of the probe that is read: the key of `each` that it stands for; NULL: it has none */
};

/* 0, -EINVAL with d->error set, or -ENOMEM; the pack is to be freed in any case. */
int pack_read(struct doc *d, struct pack *pack);
void pack_free(struct pack *pack);

/* The number of one of some words; negative: none of them. */
int pack_find_word(const char *word, const char *const *words, size_t count);
/* Likewise of a scalar, to *field. */
int pack_choose(struct doc *d, const yaml_node_t *n, const char *what, const char *const *words,
		size_t count, int *field);

/* One item of `probes:`, for doc_items(); draft: struct pack_draft. */
int pack_read_probe(struct doc *d, const yaml_node_t *n, void *draft);
void pack_probe_free(struct pack_probe *p);
/* The `values:` of one probe, whose target is known. */
int pack_read_values(struct doc *d, struct pack_probe *p, const yaml_node_t *values);
/* The `results:` of one probe, whose values have been read. */
int pack_read_results(struct doc *d, struct pack_draft *draft, struct pack_probe *p,
		      const yaml_node_t *results);
/* The labels that a result may carry, and the metric; NULL: not given. */
enum pack_label {
	LABEL_STAGE,
	LABEL_STATE,
	LABEL_API,
	LABELS,
};
struct pack_row {
	const yaml_node_t *at; /* the result */
	const yaml_node_t *metric, *name;
	const char *each; /* as in struct pack_draft: what the label `each` stands for */
	const yaml_node_t *label[LABELS];
};
/* The number, within the pack, of the row that a result of this probe reports to; kind and by_value of *row are set. */
int pack_read_row(struct doc *d, struct pack *pack, const struct pack_probe *p,
		  const struct pack_row *written, struct pack_result *row, uint16_t *number);

/* Every timer that stops is started somewhere, and the other way round. */
int pack_check_timers(struct doc *d, const struct pack_draft *draft);

#endif
