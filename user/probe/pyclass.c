// SPDX-License-Identifier: Apache-2.0
/*
 * What a table of methods belongs to: C types and modules point at it from structures that hold their name. Tables of PyO3
 * are pointed at by code alone: their classes stay unnamed.
 */
#include <stdlib.h>
#include <string.h>

#include "probe/pymethod.h"

/* Offsets in CPython's structures, the same since 3.5 (with the GIL): object.h, moduleobject.h, typeslots.h. */
#define TYPE_NAME	24  /* PyTypeObject.tp_name */
#define TYPE_METHODS	232 /* PyTypeObject.tp_methods */
#define MODULE_NAME	40  /* PyModuleDef.m_name */
#define MODULE_METHODS	64  /* PyModuleDef.m_methods */
#define SPEC_SLOTS	24  /* PyType_Spec.slots; .name is its first */
#define SLOT_BYTES	16  /* PyType_Slot: number, pointer */
#define SLOT_TP_METHODS 64  /* Py_tp_methods */
#define SLOT_LAST	100 /* more than there are */

#define DOTTED_MAX	200
#define TYPE_SIZE_MAX	(1u << 20) /* bytes of an object: plausible */

/* The string that the pointer at `slot` points at, where it may be the dotted name of a class. */
static const char *name_at(const struct pymethods *m, uint64_t slot)
{
	uint64_t target;
	const char *s;
	size_t len;

	if (!reloc_target(&m->data, slot, &target))
		return NULL;
	s = reloc_string(&m->data, target, DOTTED_MAX);
	len = s ? strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.") : 0;
	return len && !s[len] ? s : NULL;
}

static int by_target(const void *a, const void *b)
{
	const struct pointer *x = a, *y = b;

	return (x->target > y->target) - (x->target < y->target);
}

/* A pointer to the address, of those that are sorted by target. */
static const struct pointer *pointer_to(const struct pointer *by, size_t count, uint64_t target)
{
	const struct pointer key = { .target = target };

	return count ? bsearch(&key, by, count, sizeof(key), by_target) : NULL;
}

/* slot: that of the pointer in {Py_tp_methods, table}. The specification points at the first of the slots. */
static const char *spec_name(const struct pymethods *m, const struct pointer *by, uint64_t slot)
{
	uint64_t number;

	if (!reloc_plain_word(&m->data, slot - 8, &number) || (uint32_t)number != SLOT_TP_METHODS)
		return NULL;
	for (uint64_t at = slot - 8; reloc_plain_word(&m->data, at, &number) && (uint32_t)number &&
				     (uint32_t)number <= SLOT_LAST;
	     at -= SLOT_BYTES) {
		const struct pointer *p = pointer_to(by, m->data.count, at);

		if (p)
			return name_at(m, p->slot - SPEC_SLOTS);
	}
	return NULL;
}

static bool plain_below(const struct pymethods *m, uint64_t address, uint64_t limit)
{
	uint64_t value;

	return reloc_plain_word(&m->data, address, &value) && value < limit;
}

/* PyModuleDef_HEAD_INIT leaves all of PyModuleDef.m_base but the reference count zero. */
static const char *module_name(const struct pymethods *m, uint64_t module)
{
	for (uint64_t at = module + 8; at < module + MODULE_NAME; at += 8)
		if (!plain_below(m, at, 1))
			return NULL;
	return name_at(m, module + MODULE_NAME);
}

/* tp_basicsize and tp_itemsize follow the name. */
static const char *type_name(const struct pymethods *m, uint64_t type)
{
	if (!plain_below(m, type + TYPE_NAME + 8, TYPE_SIZE_MAX) ||
	    !plain_below(m, type + TYPE_NAME + 16, TYPE_SIZE_MAX))
		return NULL;
	return name_at(m, type + TYPE_NAME);
}

static const char *owner_name(const struct pymethods *m, const struct pointer *by, uint64_t slot)
{
	const char *name = spec_name(m, by, slot);

	if (!name)
		name = module_name(m, slot - MODULE_METHODS);
	return name ? name : type_name(m, slot - TYPE_METHODS);
}

static void set_class(struct pyrun *run, const char *name)
{
	const char *dot = strrchr(name, '.');
	const char *last = dot ? dot + 1 : name;

	if (strlen(last) < sizeof(run->class))
		strcpy(run->class, last);
}

void pymethods_name_classes(struct pymethods *m)
{
	struct pointer *by = malloc((m->data.count + 1) * sizeof(*by));

	if (!by)
		return;
	if (m->data.count)
		memcpy(by, m->data.pointers, m->data.count * sizeof(*by));
	qsort(by, m->data.count, sizeof(*by), by_target);
	for (size_t i = 0; i < m->run_count; i++) {
		const struct pymethod *first = &m->items[m->runs[i].first];
		const struct pointer *p =
			first->is_c ? pointer_to(by, m->data.count, first->slot) : NULL;

		/* Several may point there: a specification and a type that share the table, the code of an ET_EXEC. */
		while (p && p > by && p[-1].target == first->slot)
			p--;
		for (; p && p < by + m->data.count && p->target == first->slot; p++) {
			const char *name = owner_name(m, by, p->slot);

			if (!name)
				continue;
			set_class(&m->runs[i], name);
			break;
		}
	}
	free(by);
}
