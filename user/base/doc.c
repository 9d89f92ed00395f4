// SPDX-License-Identifier: Apache-2.0
#include "base/doc.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/suggest.h"

#define FIELDS_MAX 32 /* of one table */

/* ------------------------------------------------------------------ messages */

static void keep(struct doc *d, size_t line, const char *fmt, va_list args)
{
	char what[512];

	if (d->error)
		return;
	vsnprintf(what, sizeof(what), fmt, args);
	if (asprintf(&d->error, "%s:%zu: %s", d->origin, line, what) < 0)
		d->error = NULL;
}

__attribute__((format(printf, 3, 4))) static int fail_at(struct doc *d, size_t line,
							 const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	keep(d, line, fmt, args);
	va_end(args);
	return -EINVAL;
}

int doc_line(const yaml_node_t *n)
{
	return (int)n->start_mark.line + 1;
}

int doc_fail(struct doc *d, const yaml_node_t *at, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	keep(d, doc_line(at), fmt, args);
	va_end(args);
	return -EINVAL;
}

int doc_unknown(struct doc *d, const yaml_node_t *at, const char *what, const char *word,
		const char *const *known, size_t count)
{
	const char *near = suggest_from(word, known, count);
	struct buf list = BUF_INIT;

	for (size_t i = 0; i < count; i++)
		buf_printf(&list, "%s%s", i ? ", " : "", known[i]);
	if (near)
		doc_fail(d, at, "unknown %s '%.64s'; did you mean '%s'? known: %s", what, word,
			 near, list.data ? list.data : "none");
	else
		doc_fail(d, at, "unknown %s '%.64s'; known: %s", what, word,
			 list.data ? list.data : "none");
	buf_free(&list);
	return -EINVAL;
}

/* ------------------------------------------------------------------ open and close */

static size_t line_of(const char *text, size_t len, size_t offset)
{
	size_t line = 1;

	for (size_t i = 0; i < len && i < offset; i++)
		line += text[i] == '\n';
	return line;
}

/* Is the line indented with a tab? libyaml's own words for that are dark. */
static bool tab_indents(const char *text, size_t len, size_t line)
{
	const char *at = text, *end = text + len;

	while (line-- && at) {
		at = memchr(at, '\n', end - at);
		at = at ? at + 1 : NULL;
	}
	while (at && at < end && *at == ' ')
		at++;
	return at && at < end && *at == '\t';
}

static int syntax_error(struct doc *d, const yaml_parser_t *y, const char *text, size_t len)
{
	const char *context = y->context ? y->context : "";

	if (y->error == YAML_MEMORY_ERROR)
		return -ENOMEM;
	if (y->error == YAML_READER_ERROR)
		return fail_at(d, line_of(text, len, y->problem_offset), "not UTF-8 text: %s",
			       y->problem);
	if (tab_indents(text, len, y->problem_mark.line))
		return fail_at(d, y->problem_mark.line + 1, "a tab: YAML is indented with spaces");
	return fail_at(d, y->problem_mark.line + 1, "not YAML: %s%s%s%s", context,
		       *context ? ", " : "", y->problem,
		       strstr(y->problem, "alias") || strstr(context, "alias")
			       ? " (an expression is put in quotes)"
			       : "");
}

/* Nothing may follow the document. */
static int check_end(struct doc *d, yaml_parser_t *y, const char *text, size_t len)
{
	yaml_document_t more;
	yaml_node_t *root;
	size_t line;

	if (!yaml_parser_load(y, &more))
		return syntax_error(d, y, text, len);
	root = yaml_document_get_root_node(&more);
	line = more.start_mark.line + 1;
	yaml_document_delete(&more);
	return root ? fail_at(d, line, "a second document: a file holds one") : 0;
}

static int load(struct doc *d, yaml_parser_t *y, const char *text, size_t len)
{
	size_t nodes;
	int err;

	yaml_parser_set_input_string(y, (const unsigned char *)text, len);
	yaml_parser_set_encoding(y, YAML_UTF8_ENCODING);
	if (!yaml_parser_load(y, &d->yaml)) {
		memset(&d->yaml, 0, sizeof(d->yaml));
		return syntax_error(d, y, text, len);
	}
	if (yaml_document_get_root_node(&d->yaml)) {
		err = check_end(d, y, text, len);
		if (err)
			return err;
	}
	nodes = d->yaml.nodes.top - d->yaml.nodes.start;
	d->seen = calloc(nodes + 1, 1);
	return d->seen ? 0 : -ENOMEM;
}

int doc_open(struct doc *d, const char *origin, const char *text, size_t len)
{
	yaml_parser_t y;
	int err;

	memset(d, 0, sizeof(*d));
	d->origin = origin;
	if (!yaml_parser_initialize(&y))
		return -ENOMEM;
	err = load(d, &y, text, len);
	yaml_parser_delete(&y);
	return err;
}

void doc_close(struct doc *d)
{
	if (d->yaml.nodes.start)
		yaml_document_delete(&d->yaml);
	free(d->seen);
	free(d->error);
}

/* ------------------------------------------------------------------ nodes */

static const yaml_node_t *node(struct doc *d, const yaml_node_t *parent, int index)
{
	const yaml_node_t *n = yaml_document_get_node(&d->yaml, index);

	if (n && !d->seen[index]) {
		d->seen[index] = 1;
		return n;
	}
	doc_fail(d, parent, "aliases (*name) are not supported: write it out");
	return NULL;
}

const yaml_node_t *doc_root(struct doc *d)
{
	const yaml_node_t *root = yaml_document_get_root_node(&d->yaml);

	if (root)
		return node(d, root, 1);
	fail_at(d, 1, "the file is empty");
	return NULL;
}

static int check_mapping(struct doc *d, const yaml_node_t *n, const char *what)
{
	return n->type == YAML_MAPPING_NODE
		       ? 0
		       : doc_fail(d, n, "%s is a mapping: lines of 'key: value'", what);
}

int doc_pairs(struct doc *d, const yaml_node_t *n, const char *what, doc_pair_fn fn, void *object)
{
	int err = check_mapping(d, n, what);

	if (err)
		return err;
	for (yaml_node_pair_t *p = n->data.mapping.pairs.start; p < n->data.mapping.pairs.top;
	     p++) {
		const yaml_node_t *key = node(d, n, p->key);
		const yaml_node_t *value = key ? node(d, key, p->value) : NULL;
		const char *name = value ? doc_scalar(d, key) : NULL;

		if (!name)
			return -EINVAL;
		err = fn(d, key, name, value, object);
		if (err)
			return err;
	}
	return 0;
}

int doc_items(struct doc *d, const yaml_node_t *n, const char *what, doc_item_fn fn, void *object)
{
	if (n->type != YAML_SEQUENCE_NODE)
		return doc_fail(d, n, "%s is a list: [A, B], or lines of '- A'", what);
	for (yaml_node_item_t *i = n->data.sequence.items.start; i < n->data.sequence.items.top;
	     i++) {
		const yaml_node_t *item = node(d, n, *i);
		int err = item ? fn(d, item, object) : -EINVAL;

		if (err)
			return err;
	}
	return 0;
}

uint8_t *doc_mark(const struct doc *d)
{
	size_t count = d->yaml.nodes.top - d->yaml.nodes.start;
	uint8_t *mark = malloc(count + 1);

	return mark ? memcpy(mark, d->seen, count + 1) : NULL;
}

void doc_back_to(struct doc *d, const uint8_t *mark)
{
	memcpy(d->seen, mark, d->yaml.nodes.top - d->yaml.nodes.start + 1);
}

/* ------------------------------------------------------------------ tables */

struct table {
	const char *what;
	const struct doc_field *fields;
	size_t count;
	void *object;
	bool given[FIELDS_MAX];
};

static int unknown_key(struct doc *d, const yaml_node_t *key, const struct table *t,
		       const char *name)
{
	const char *known[FIELDS_MAX];
	char what[64];

	for (size_t i = 0; i < t->count; i++)
		known[i] = t->fields[i].key;
	snprintf(what, sizeof(what), "key of %s", t->what);
	return doc_unknown(d, key, what, name, known, t->count);
}

static int read_field(struct doc *d, const yaml_node_t *key, const char *name,
		      const yaml_node_t *value, void *object)
{
	struct table *t = object;

	for (size_t i = 0; i < t->count; i++) {
		const struct doc_field *f = &t->fields[i];

		if (strcmp(f->key, name))
			continue;
		if (t->given[i])
			return doc_fail(d, key, "'%s' is given twice", name);
		t->given[i] = true;
		return f->read(d, f, value, t->object);
	}
	return unknown_key(d, key, t, name);
}

int doc_mapping(struct doc *d, const yaml_node_t *n, const char *what,
		const struct doc_field *fields, size_t count, void *object)
{
	struct table t = { .what = what, .fields = fields, .count = count, .object = object };
	int err = doc_pairs(d, n, what, read_field, &t);

	if (err)
		return err;
	for (size_t i = 0; i < count; i++)
		if (fields[i].required && !t.given[i])
			return doc_fail(d, n, "%s lacks '%s'", what, fields[i].key);
	return 0;
}

/* ------------------------------------------------------------------ scalars */

const char *doc_scalar(struct doc *d, const yaml_node_t *n)
{
	const char *text = (const char *)n->data.scalar.value;

	if (n->type != YAML_SCALAR_NODE) {
		doc_fail(d, n, "one value is expected here, not a list or mapping");
		return NULL;
	}
	if (!n->data.scalar.length) {
		doc_fail(d, n, "the value is empty");
		return NULL;
	}
	for (size_t i = 0; i < n->data.scalar.length; i++) {
		if (!iscntrl((unsigned char)text[i]))
			continue;
		doc_fail(d, n, "the value has a control character in it");
		return NULL;
	}
	return text;
}

const char *doc_word(struct doc *d, const yaml_node_t *n, size_t max)
{
	const char *text = doc_scalar(d, n);

	for (const char *c = text; c && *c; c++) {
		if (isalnum((unsigned char)*c) || strchr("._+-", *c))
			continue;
		doc_fail(d, n, "'%.64s' is no name: letters, digits and . _ + - only", text);
		return NULL;
	}
	if (text && strlen(text) > max) {
		doc_fail(d, n, "'%.64s' is too long: a name has %zu characters at most", text, max);
		return NULL;
	}
	return text;
}

struct text_list {
	char ***texts;
	size_t *count;
};

static int append_text(struct doc *d, const yaml_node_t *n, void *object)
{
	struct text_list *l = object;
	const char *text = doc_scalar(d, n);
	char **grown;

	if (!text)
		return -EINVAL;
	grown = realloc(*l->texts, (*l->count + 1) * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	*l->texts = grown;
	grown[*l->count] = strdup(text);
	if (!grown[*l->count])
		return -ENOMEM;
	++*l->count;
	return 0;
}

int doc_texts(struct doc *d, const yaml_node_t *n, char ***texts, size_t *count)
{
	struct text_list l = { texts, count };
	int err = n->type == YAML_SEQUENCE_NODE ? doc_items(d, n, "this", append_text, &l)
						: append_text(d, n, &l);

	return err || *count ? err : doc_fail(d, n, "the list is empty");
}

void texts_free(char **texts, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(texts[i]);
	free(texts);
}

int doc_integer(struct doc *d, const yaml_node_t *n, int64_t *value)
{
	const char *text = doc_scalar(d, n);
	const char *digits;
	char *end;

	if (!text)
		return -EINVAL;
	digits = text + (*text == '-');
	errno = 0;
	*value = strtoll(text, &end, !strncmp(digits, "0x", 2) ? 16 : 10);
	if (errno || *end || !isdigit((unsigned char)*digits))
		return doc_fail(d, n, "'%.64s' is no whole number of 64 bits", text);
	return 0;
}

/* ------------------------------------------------------------------ readers for tables */

static void *place(const struct doc_field *f, void *object)
{
	return (char *)object + f->offset;
}

int doc_read_text(struct doc *d, const struct doc_field *f, const yaml_node_t *n, void *object)
{
	char **field = place(f, object);
	const char *text = doc_scalar(d, n);

	if (!text)
		return -EINVAL;
	*field = strdup(text);
	return *field ? 0 : -ENOMEM;
}

int doc_read_flag(struct doc *d, const struct doc_field *f, const yaml_node_t *n, void *object)
{
	bool *field = place(f, object);
	const char *text = doc_scalar(d, n);

	if (!text)
		return -EINVAL;
	if (strcmp(text, "true") && strcmp(text, "false"))
		return doc_fail(d, n, "'%s' is true or false, not '%.64s'", f->key, text);
	*field = !strcmp(text, "true");
	return 0;
}

int doc_read_node(struct doc *d, const struct doc_field *f, const yaml_node_t *n, void *object)
{
	(void)d;
	*(const yaml_node_t **)place(f, object) = n;
	return 0;
}
