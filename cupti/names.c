// SPDX-License-Identifier: Apache-2.0
#include "names.h"

#include <string.h>

#include "tks_cupti.h"

#define SLOTS (NAMES_MAX * 2u)

/* FNV-1a, a word at a time: names are about 100 bytes and this runs once a kernel. */
static uint32_t hash_of(const char *name, size_t length)
{
	uint64_t hash = 0xcbf29ce484222325;

	while (length) {
		size_t step = length < sizeof(hash) ? length : sizeof(hash);
		uint64_t word = 0;

		memcpy(&word, name, step);
		hash = (hash ^ word) *
		       0x9e3779b97f4a7c15; /* spreads all 64 bits, as FNV's prime does not */
		hash ^= hash >> 32;
		name += step;
		length -= step;
	}
	return (uint32_t)hash;
}

static uint32_t add(struct names *n, uint16_t *slot, const char *name, uint32_t length,
		    uint32_t hash)
{
	char *copy = n->text + n->used;

	if (n->count == NAMES_MAX || length + 1 > NAMES_BYTES - n->used) {
		n->lost++;
		return 0;
	}
	memcpy(copy, name, length);
	copy[length] = '\0';
	n->entries[n->count].offset = n->used;
	n->entries[n->count].length = length;
	n->entries[n->count].hash = hash;
	n->used += length + 1;
	*slot = (uint16_t)++n->count;
	if (n->tell)
		n->tell(n->count, copy, length);
	return n->count;
}

uint32_t names_id(struct names *n, const char *name)
{
	uint32_t length = name ? (uint32_t)strnlen(name, TKS_CUPTI_NAME_MAX) : 0;
	uint32_t hash;

	if (!length)
		return 0;
	hash = hash_of(name, length);
	for (uint32_t i = hash % SLOTS;; i = (i + 1) % SLOTS) { /* half of the slots stay free */
		uint32_t id = n->slots[i];

		if (!id)
			return add(n, &n->slots[i], name, length, hash);
		if (n->entries[id - 1].hash == hash && n->entries[id - 1].length == length &&
		    !memcmp(n->text + n->entries[id - 1].offset, name, length))
			return id;
	}
}

void names_tell_all(const struct names *n)
{
	for (uint32_t i = 0; n->tell && i < n->count; i++)
		n->tell(i + 1, n->text + n->entries[i].offset, n->entries[i].length);
}
