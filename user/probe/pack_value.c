// SPDX-License-Identifier: Apache-2.0
/* What a probe reads: `values:` -> struct tks_probe_read. */
#include "probe/pack_read.h"

#include <errno.h>
#include <string.h>

#include "probe/expr.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Ends of an interval; "min" and "max" are those of 64 bits. */
struct interval {
	int64_t ends[2];
	int count;
};

static int read_end(struct doc *d, const yaml_node_t *n, void *object)
{
	struct interval *i = object;
	const char *text = doc_scalar(d, n);

	if (!text)
		return -EINVAL;
	if (i->count == 2)
		return doc_fail(d, n, "an interval has two ends: [least, most]");
	if (!strcmp(text, "min") || !strcmp(text, "max")) {
		i->ends[i->count++] = text[1] == 'i' ? INT64_MIN : INT64_MAX;
		return 0;
	}
	return doc_integer(d, n, &i->ends[i->count++]);
}

/* Two neighbours: least, most. */
static int read_interval(struct doc *d, const struct doc_field *f, const yaml_node_t *n,
			 void *object)
{
	__s64 *ends = (__s64 *)((char *)object + f->offset);
	struct interval i = { .count = 0 };
	int err = doc_items(d, n, f->key, read_end, &i);

	if (err)
		return err;
	if (i.count != 2)
		return doc_fail(d, n, "an interval has two ends: [least, most]");
	if (i.ends[0] > i.ends[1])
		return doc_fail(d, n, "%s: its least (%lld) is more than its most (%lld)", f->key,
				(long long)i.ends[0], (long long)i.ends[1]);
	ends[0] = i.ends[0];
	ends[1] = i.ends[1];
	return 0;
}

struct value {
	const yaml_node_t *expression;
	__s64 range[2], only[2];
};

static const struct doc_field value_fields[] = {
	{ "read", doc_read_node, offsetof(struct value, expression), true },
	{ "range", read_interval, offsetof(struct value, range), false },
	{ "only", read_interval, offsetof(struct value, only), false },
};

static int compile(struct doc *d, const struct value *v, struct pack_probe *p, uint32_t read)
{
	static const enum expr_place places[] = {
		[AT_ENTRY] = EXPR_ENTRY, [AT_RETURN] = EXPR_RETURN, [AT_RETURN_PROBE] = EXPR_RETURN
	};
	const char *text = doc_scalar(d, v->expression);
	char error[256];
	struct expr e;

	if (!text)
		return -EINVAL;
	if (expr_compile(text, p->kind == TARGET_USDT ? EXPR_USDT : places[p->at], &e, error,
			 sizeof(error)))
		return doc_fail(d, v->expression, "'%.100s', %s", text, error);
	memcpy(p->spec.read[read].steps, e.steps, sizeof(e.steps));
	p->usdt_read[read] = e.usdt;
	p->spec.read[read].min = v->range[0];
	p->spec.read[read].max = v->range[1];
	p->spec.read[read].only_min = v->only[0];
	p->spec.read[read].only_max = v->only[1];
	return 0;
}

/* "NAME: EXPRESSION", or "NAME: {read: EXPRESSION, ...}". */
static int read_value(struct doc *d, const yaml_node_t *key, const char *name, const yaml_node_t *n,
		      void *object)
{
	struct value v = { n, { INT64_MIN, INT64_MAX }, { INT64_MIN, INT64_MAX } };
	struct pack_probe *p = object;
	int err = 0;

	if (!doc_word(d, key, PACK_NAME_MAX - 1))
		return -EINVAL;
	if (!strcmp(name, "thread"))
		return doc_fail(d, key,
				"'thread' is the key of the thread: name the value otherwise");
	for (uint32_t i = 0; i < p->spec.reads; i++)
		if (!strcmp(p->value_name[i], name))
			return doc_fail(d, key, "'%s' is given twice", name);
	if (p->spec.reads == TKS_PROBE_READS)
		return doc_fail(d, key, "a probe reads %d values at most", TKS_PROBE_READS);
	if (n->type == YAML_MAPPING_NODE)
		err = doc_mapping(d, n, "a value", value_fields, COUNT(value_fields), &v);
	if (!err)
		err = compile(d, &v, p, p->spec.reads);
	if (!err)
		strcpy(p->value_name[p->spec.reads++], name);
	return err;
}

int pack_read_values(struct doc *d, struct pack_probe *p, const yaml_node_t *values)
{
	return doc_pairs(d, values, "values", read_value, p);
}
