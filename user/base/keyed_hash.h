/* SPDX-License-Identifier: Apache-2.0 */
/*
 * uthash for tables whose keys somebody else chooses, instead of <uthash.h>. Its own hash has no secret: who knows it makes keys
 * that all fall into one chain, and each look-up walks them all. A table that several files use is declared in a header that
 * includes this one, so that all of them hash alike.
 */
#ifndef BASE_KEYED_HASH_H
#define BASE_KEYED_HASH_H

#include <stddef.h>
#include <stdint.h>

#undef HASH_FUNCTION
#define HASH_FUNCTION(key, len, hashv) ((hashv) = keyed_hash(key, len))
#ifndef HASH_NONFATAL_OOM
#define HASH_NONFATAL_OOM 1
#endif
#include <uthash.h>

uint64_t siphash13(const uint64_t key[2], const void *data, size_t len);
/* The same under a key that is random for each run of the program. */
unsigned int keyed_hash(const void *data, size_t len);

#endif
