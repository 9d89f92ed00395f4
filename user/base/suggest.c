// SPDX-License-Identifier: Apache-2.0
#include "base/suggest.h"

#include <string.h>

#define WORD_MAX 32

/* Levenshtein distance of two words of at most WORD_MAX characters; longer ones are never near. */
static size_t distance(const char *a, const char *b)
{
	size_t row[WORD_MAX + 1];
	size_t la = strlen(a), lb = strlen(b);

	if (la > WORD_MAX || lb > WORD_MAX)
		return WORD_MAX;
	for (size_t j = 0; j <= lb; j++)
		row[j] = j;
	for (size_t i = 1; i <= la; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= lb; j++) {
			size_t best = diagonal + (a[i - 1] != b[j - 1]);

			diagonal = row[j];
			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = best;
		}
	}
	return row[lb];
}

struct nearest {
	const char *word, *name;
	size_t distance; /* a name must be nearer than this */
};

static struct nearest nearest_to(const char *word)
{
	return (struct nearest){ .word = word, .distance = strlen(word) / 3 + 2 };
}

static void consider(struct nearest *n, const char *name)
{
	size_t d = distance(n->word, name);

	if (d >= n->distance)
		return;
	n->distance = d;
	n->name = name;
}

const char *suggest(const char *word, const char *(*candidate)(size_t i), size_t count)
{
	struct nearest n = nearest_to(word);

	for (size_t i = 0; i < count; i++)
		consider(&n, candidate(i));
	return n.name;
}

const char *suggest_from(const char *word, const char *const *candidates, size_t count)
{
	struct nearest n = nearest_to(word);

	for (size_t i = 0; i < count; i++)
		consider(&n, candidates[i]);
	return n.name;
}
