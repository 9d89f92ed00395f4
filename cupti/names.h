/* SPDX-License-Identifier: Apache-2.0 */
/* Kernel names by small numbers, so that a record holds 4 bytes of its name. Bounded; never forgets. Needs the caller's lock. */
#ifndef NAMES_H
#define NAMES_H

#include <stddef.h>
#include <stdint.h>

#define NAMES_MAX   4096	/* of a model server a few hundred were seen */
#define NAMES_BYTES (512 << 10) /* of all names together */

struct names {
	void (*tell)(uint32_t id, const char *name,
		     uint32_t length); /* of each new name, at once */
	uint32_t count, used;
	uint64_t lost;		       /* lookups that found no room */
	uint16_t slots[NAMES_MAX * 2]; /* ids by hash, open addressing; 0: free */
	struct {
		uint32_t offset, length, hash;
	} entries[NAMES_MAX];
	char text[NAMES_BYTES];
};

/*
 * The number of a name, from 1 on; 0: NULL, empty, or no room. The name is cut at TKS_CUPTI_NAME_MAX. It is looked up by its
 * text: CUPTI's pointers can be reused after a module is unloaded (until 13.4 Update 1 stale ones are handed out).
 */
uint32_t names_id(struct names *n, const char *name);

/* Tells all of them again. */
void names_tell_all(const struct names *n);

#endif
