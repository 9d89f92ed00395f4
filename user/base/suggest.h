/* SPDX-License-Identifier: Apache-2.0 */
/* "did you mean": the word that somebody may have had in mind. */
#ifndef BASE_SUGGEST_H
#define BASE_SUGGEST_H

#include <stddef.h>

/* The candidate nearest to word by edit distance, or NULL when none is near. */
const char *suggest(const char *word, const char *(*candidate)(size_t i), size_t count);
/* The same from a list of texts. */
const char *suggest_from(const char *word, const char *const *candidates, size_t count);

#endif
