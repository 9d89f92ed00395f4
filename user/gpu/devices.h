/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which GPU a process means. CUPTI's devices are ordinals of one process (CUDA_VISIBLE_DEVICES permutes them), so the library
 * tells the UUID and the PCI address of each, and by that the driver lists it.
 */
#ifndef GPU_DEVICES_H
#define GPU_DEVICES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/keyed_hash.h"
#include "gpu/busy.h"
#include "gpu/inventory.h"
#include "tks_cupti.h"

#define GPU_UUID_MAX   40 /* "GPU-" or "MIG-", 32 digits, 4 dashes */
#define GPU_INDEX_MAX  12
#define GPU_INDEX_NONE "unknown"
#define GPU_MODEL_MAX  63
#define GPU_ORDINALS_MAX \
	64 /* of one process; a machine has 32 (NV_MAX_DEVICES), MIG instances more */

/* A GPU, or an instance of one (MIG). */
struct gpu {
	uint32_t number;	     /* here; never given again */
	char uuid[GPU_UUID_MAX + 1]; /* "": no process has said which it is */
	char index[GPU_INDEX_MAX];   /* of the (parent) GPU */
	char parent[GPU_PARENT_MAX +
		    1]; /* UUID of the GPU that this is an instance of, or its own */
	char model[GPU_MODEL_MAX + 1];
	bool mig;
	bool told;	      /* tokscope_gpu_info has it, from us */
	bool found;	      /* its index is known since its user last looked, who clears this */
	uint32_t uses;	      /* that point to it */
	struct busy *busy;    /* of all its processes */
	uint64_t busy_ns;     /* the union so far */
	uint64_t counted_ns;  /* of busy_ns: what its user has told */
	uint32_t counted_for; /* its user's mark, see devices_count_anew() */
	UT_hash_handle hh;    /* by uuid, where it is known */
};

/* A process and one of its ordinals. */
struct gpu_use {
	uint32_t tgid, ordinal; /* the key */
	struct gpu *gpu;
	uint32_t changes;    /* times that it was announced to be another GPU */
	struct busy *busy;   /* of this process alone */
	uint64_t settled_ns; /* end of the last of its intervals that was settled; 0: none yet */
	bool worked;
	uint32_t server; /* that the process belongs to, as last looked up; 0: none */
	void *tally;	 /* its user's */
	UT_hash_handle hh;
};

struct devices;

/* Inventory: the caller's, or NULL. tally_free gets the tally of each use that ends, NULL too. NULL: out of memory. */
struct devices *devices_new(struct gpu_inventory *inventory, void (*tally_free)(void *tally));
void devices_free(struct devices *d);

/*
 * False: there is no room, or no memory, or the ordinal was another GPU too often. The index stays unknown where the inventory has
 * another UUID for the PCI address; it is looked up again with each announcement until it is known. A GPU that no process has any
 * more may be forgotten.
 */
bool devices_announce(struct devices *d, uint32_t tgid, const struct tks_cupti_device *device);
/*
 * Made when missing: of a GPU that is not known until it is announced. NULL: out of memory, or more than a process can have.
 */
struct gpu_use *devices_use(struct devices *d, uint32_t tgid, uint32_t ordinal);
void devices_process_gone(struct devices *d, uint32_t tgid);

/* Iterate: NULL begins, and is the end. */
struct gpu *devices_next_gpu(const struct devices *d, const struct gpu *g); /* known ones */
struct gpu_use *devices_next_use(const struct devices *d, const struct gpu_use *u);

/* Every counted_for becomes 0. */
void devices_count_anew(struct devices *d);

struct devices_stats {
	uint64_t unknown_busy_ns; /* of GPUs that were not announced, each by itself */
	uint64_t late;		  /* struct busy_stats, of GPUs */
	uint64_t unordered;	  /* the same of uses */
};
void devices_get_stats(const struct devices *d, struct devices_stats *stats);

#endif
