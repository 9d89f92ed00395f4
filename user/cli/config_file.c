// SPDX-License-Identifier: Apache-2.0
/* The YAML file: sections and keys as options.def has them. */
#include <errno.h>
#include <curl/curl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/doc.h"
#include "base/log.h"
#include "cli/config_source.h"
#include "cli/config_value.h"

#define FILE_MAX (1 << 20)
#define KEY_MAX	 64

struct reader {
	struct config *config;
	char section[KEY_MAX];		    /* that is being read, "" for the top */
	char entered[OPTIONS_MAX][KEY_MAX]; /* sections, each of at least one key */
	size_t entered_count;
};

static struct config_origin origin_of(const yaml_node_t *at)
{
	return (struct config_origin){ .source = CONFIG_FILE, .line = doc_line(at) };
}

/* ------------------------------------------------------------------ values */

static int refuse(struct doc *d, const yaml_node_t *n, const struct option_spec *o,
		  const char *text)
{
	size_t count;
	const char *const *words = option_words(o, &count);
	char what[KEY_MAX + 16];

	if (option_is_private(o))
		return doc_fail(d, n, "%s is %s, which this is not", o->key, option_expected(o));
	if (!words)
		return doc_fail(d, n, "%s is %s, not '%.64s'", o->key, option_expected(o), text);
	snprintf(what, sizeof(what), "value of %s", o->key);
	return doc_unknown(d, n, what, text, words, count);
}

static int assign(struct doc *d, struct reader *r, const struct option_spec *o,
		  const yaml_node_t *n, const char *text)
{
	int err = config_assign(r->config, o, text, origin_of(n));

	return err == -EINVAL ? refuse(d, n, o, text) : err;
}

struct item_place {
	struct reader *reader;
	const struct option_spec *option;
};

static int read_item(struct doc *d, const yaml_node_t *n, void *object)
{
	const struct item_place *p = object;
	const char *text = doc_scalar(d, n);

	return text ? assign(d, p->reader, p->option, n, text) : -EINVAL;
}

static int read_list(struct doc *d, struct reader *r, const struct option_spec *o,
		     const yaml_node_t *n)
{
	struct item_place place = { r, o };

	if (n->type != YAML_SEQUENCE_NODE)
		return read_item(d, n, &place);
	config_assign_none(r->config, o, origin_of(n));
	return doc_items(d, n, o->key, read_item, &place);
}

/* As OTEL_EXPORTER_OTLP_HEADERS has it: "name=value,...", percent-encoded. */
static int append_pair(struct doc *d, const yaml_node_t *key, const char *name,
		       const yaml_node_t *value, void *object)
{
	struct buf *pairs = object;
	const char *text = doc_scalar(d, value);
	char *encoded;

	if (!text)
		return -EINVAL;
	if (strpbrk(name, ",= "))
		return doc_fail(d, key, "a name has no comma, equals sign or blank in it");
	encoded = curl_easy_escape(NULL, text, 0);
	if (!encoded)
		return -ENOMEM;
	buf_printf(pairs, "%s%s=%s", pairs->len ? "," : "", name, encoded);
	curl_free(encoded);
	return pairs->err;
}

static int read_pairs(struct doc *d, struct reader *r, const struct option_spec *o,
		      const yaml_node_t *n)
{
	_cleanup_(buf_free) struct buf pairs = BUF_INIT;
	int err = doc_pairs(d, n, o->key, append_pair, &pairs);

	return err ?: assign(d, r, o, n, pairs.data ? pairs.data : "");
}

static int read_value(struct doc *d, struct reader *r, const struct option_spec *o,
		      const yaml_node_t *key, const yaml_node_t *n)
{
	const struct config_origin *was = &r->config->origin[o - options];
	struct item_place place = { r, o };

	if (was->source == CONFIG_FILE)
		return doc_fail(d, key, "%s is given twice, first on line %u", o->key, was->line);
	if (option_is_list(o))
		return read_list(d, r, o, n);
	return o->kind == OPTION_PAIRS ? read_pairs(d, r, o, n) : read_item(d, n, &place);
}

/* ------------------------------------------------------------------ sections */

static int read_pair(struct doc *d, const yaml_node_t *key, const char *name,
		     const yaml_node_t *value, void *object);

/* What follows the section in a key that belongs to it, NULL otherwise. */
static const char *inside(const char *section, const char *key)
{
	size_t len = strlen(section);

	if (!key || !len)
		return key;
	return !strncmp(key, section, len) && key[len] == '.' ? key + len + 1 : NULL;
}

static bool is_section(const char *path)
{
	for (size_t i = 0; i < OPTIONS_MAX; i++)
		if (inside(path, options[i].key))
			return true;
	return false;
}

/* A section whose keys are all commented out has no value. */
static bool is_nothing(const yaml_node_t *n)
{
	return n->type == YAML_SCALAR_NODE && !n->data.scalar.length;
}

static int read_section(struct doc *d, struct reader *r, const char *path, const yaml_node_t *key,
			const yaml_node_t *value)
{
	char outer[KEY_MAX];
	int err;

	for (size_t i = 0; i < r->entered_count; i++)
		if (!strcmp(r->entered[i], path))
			return doc_fail(d, key, "the section %s is there twice", path);
	strcpy(r->entered[r->entered_count++], path);
	if (is_nothing(value))
		return 0;
	strcpy(outer, r->section);
	strcpy(r->section, path);
	err = doc_pairs(d, value, path, read_pair, r);
	strcpy(r->section, outer);
	return err;
}

/* The next words of the keys in a section, each once. */
static size_t words_of(const char *section, char words[][KEY_MAX], const char **known)
{
	size_t count = 0;

	for (size_t i = 0; i < OPTIONS_MAX; i++) {
		const char *rest = inside(section, options[i].key);

		if (!rest)
			continue;
		snprintf(words[count], KEY_MAX, "%.*s", (int)strcspn(rest, "."), rest);
		known[count] = words[count];
		if (!count || strcmp(words[count], words[count - 1]))
			count++;
	}
	return count;
}

static int unknown_key(struct doc *d, const struct reader *r, const yaml_node_t *key,
		       const char *name)
{
	char words[OPTIONS_MAX][KEY_MAX], what[KEY_MAX + 16];
	const char *known[OPTIONS_MAX];

	snprintf(what, sizeof(what), "key of %s", *r->section ? r->section : "the file");
	return doc_unknown(d, key, what, name, known, words_of(r->section, words, known));
}

static int read_pair(struct doc *d, const yaml_node_t *key, const char *name,
		     const yaml_node_t *value, void *object)
{
	struct reader *r = object;
	const struct option_spec *o;
	char path[KEY_MAX];

	if (strchr(name, '.') || snprintf(path, sizeof(path), "%s%s%s", r->section,
					  *r->section ? "." : "", name) >= (int)sizeof(path))
		return unknown_key(d, r, key, name);
	o = option_by_key(path);
	if (o)
		return read_value(d, r, o, key, value);
	if (is_section(path))
		return read_section(d, r, path, key, value);
	return unknown_key(d, r, key, name);
}

/* ------------------------------------------------------------------ the file */

/* A file of comments alone asks for nothing. */
static int read_document(struct doc *d, struct reader *r)
{
	const yaml_node_t *root;

	if (!yaml_document_get_root_node(&d->yaml))
		return 0;
	root = doc_root(d);
	return root ? doc_pairs(d, root, "the configuration", read_pair, r) : -EINVAL;
}

int config_read_text(struct config *c, const char *text, size_t len, char **error)
{
	struct reader r = { .config = c };
	struct doc d;
	int err = doc_open(&d, c->config_file, text, len);

	if (!err)
		err = read_document(&d, &r);
	*error = d.error;
	d.error = NULL;
	doc_close(&d);
	return err == -EINVAL ? -EBADMSG : err;
}

/* Up to one byte more than a file may have. Returns 0 or a negative errno. */
static int load(const char *path, struct buf *text)
{
	_cleanup_fclose_ FILE *f = fopen(path, "re");
	char piece[4096];
	struct stat st;
	size_t n;

	if (!f)
		return -errno;
	if (!fstat(fileno(f), &st) && S_ISDIR(st.st_mode))
		return -EISDIR;
	while (text->len <= FILE_MAX && (n = fread(piece, 1, sizeof(piece), f)))
		buf_append(text, piece, n);
	return ferror(f) ? -EIO : text->len > FILE_MAX ? -EFBIG : text->err;
}

int config_read_file(struct config *c, const char *path)
{
	_cleanup_(buf_free) struct buf text = BUF_INIT;
	_cleanup_free_ char *error = NULL;
	int err = load(path, &text);

	if (err) {
		log_error("cannot read the configuration %s: %s", path, strerror(-err));
		return -EBADMSG;
	}
	err = config_read_text(c, text.data ? text.data : "", text.len, &error);
	if (err)
		log_error("%s", error ? error : "out of memory");
	return err;
}
