/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A YAML document read by tables. The first error is kept as "ORIGIN:LINE: what, and what is allowed"; whatever was read
 * until then belongs to the caller's objects, which are to be zeroed before and freed after.
 */
#ifndef BASE_DOC_H
#define BASE_DOC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <yaml.h>

struct doc {
	yaml_document_t yaml;
	const char *origin;
	char *error;   /* NULL: none yet */
	uint8_t *seen; /* by node: it was read. Twice is an alias, which may lead in a circle. */
};

/* A key of a mapping. read gets the mapping's object, and may find its own place in it by `offset`. */
struct doc_field {
	const char *key;
	int (*read)(struct doc *d, const struct doc_field *f, const yaml_node_t *n, void *object);
	size_t offset;
	bool required;
};

/* 0, -EINVAL with d->error set, or -ENOMEM. text is only needed until this returns. */
int doc_open(struct doc *d, const char *origin, const char *text, size_t len);
void doc_close(struct doc *d);
/* The one document's root; NULL with d->error set: there is none. */
const yaml_node_t *doc_root(struct doc *d);

/* Keeps the message if it is the first. Returns -EINVAL. */
int doc_fail(struct doc *d, const yaml_node_t *at, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
int doc_line(const yaml_node_t *n); /* counted from 1 */

/*
 * A word that is none of the known ones: "unknown WHAT 'x'; did you mean 'y'? known: ...". Returns -EINVAL.
 */
int doc_unknown(struct doc *d, const yaml_node_t *at, const char *what, const char *word,
		const char *const *known, size_t count);

/* `what` names the mapping in messages: "a probe". */
int doc_mapping(struct doc *d, const yaml_node_t *n, const char *what,
		const struct doc_field *fields, size_t count, void *object);
/* Keys of the file's own choice. */
typedef int (*doc_pair_fn)(struct doc *d, const yaml_node_t *key, const char *name,
			   const yaml_node_t *value, void *object);
int doc_pairs(struct doc *d, const yaml_node_t *n, const char *what, doc_pair_fn fn, void *object);
typedef int (*doc_item_fn)(struct doc *d, const yaml_node_t *item, void *object);
int doc_items(struct doc *d, const yaml_node_t *n, const char *what, doc_item_fn fn, void *object);
/*
 * For what is read several times, as a template: what was read by now, to be freed (NULL: no memory), and back to that, after
 * which all else may be read once more.
 */
uint8_t *doc_mark(const struct doc *d);
void doc_back_to(struct doc *d, const uint8_t *mark);

/* The text of a scalar, not empty, without control characters; lives as long as d. NULL with d->error set. */
const char *doc_scalar(struct doc *d, const yaml_node_t *n);
/* Letters, digits and . _ + - only, at most max bytes. */
const char *doc_word(struct doc *d, const yaml_node_t *n, size_t max);
/* A text or a list of texts, to be freed with texts_free(). */
int doc_texts(struct doc *d, const yaml_node_t *n, char ***texts, size_t *count);
void texts_free(char **texts, size_t count);
/* Decimal or 0x, with a sign. */
int doc_integer(struct doc *d, const yaml_node_t *n, int64_t *value);

/* Readers for tables: char *, bool. */
int doc_read_text(struct doc *d, const struct doc_field *f, const yaml_node_t *n, void *object);
int doc_read_flag(struct doc *d, const struct doc_field *f, const yaml_node_t *n, void *object);
/* const yaml_node_t *: to be read later. */
int doc_read_node(struct doc *d, const struct doc_field *f, const yaml_node_t *n, void *object);

#endif
