// SPDX-License-Identifier: Apache-2.0
#include "probe/pymethod.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* methodobject.h: METH_VARARGS 1, KEYWORDS 2, NOARGS 4, O 8, CLASS 0x10, STATIC 0x20, COEXIST 0x40, FASTCALL 0x80, METHOD 0x200 */
#define METH_ALL	0x2ffu
#define METH_CONVENTION 0x8du
/* Getters and setters lie between the methods of a PyO3 class; no more of them in a row than this. */
#define RUN_GAP_MAX 4096

struct layout {
	int function, len, doc, flags; /* len: 0 has none */
};
static const struct layout layouts[] = {
	{ .function = -8, .len = 8, .doc = 16, .flags = 32 },
	{ .function = 24, .len = 8, .doc = 32, .flags = 48 },
	{ .function = 8, .doc = 24, .flags = 16 },
};

static bool is_identifier(const char *s)
{
	if (!isalpha((unsigned char)*s) && *s != '_')
		return false;
	while (isalnum((unsigned char)*s) || *s == '_')
		s++;
	return !*s;
}

static uint64_t field(uint64_t slot, int offset)
{
	return slot + (uint64_t)(int64_t)offset;
}

static bool doc_fits(const struct reloc_data *d, uint64_t slot, const struct layout *l)
{
	uint64_t target, value;

	if (reloc_target(d, field(slot, l->doc), &target))
		return reloc_string(d, target, SIZE_MAX - 1);
	return reloc_plain_word(d, field(slot, l->doc), &value) && (l->len || !value);
}

/* Is there a method at the slot, by this layout? */
static bool read_method(const struct elf_file *f, const struct reloc_data *d,
			const struct layout *l, struct pymethod *m)
{
	uint64_t value, len = strlen(m->name);

	if (l->len &&
	    (!reloc_plain_word(d, m->slot + 8, &value) || (value != len + 1 && value != len)))
		return false;
	if (!reloc_plain_word(d, field(m->slot, l->flags), &value))
		return false;
	m->flags = (uint32_t)value; /* the upper half is padding; of a C table, always zero */
	if (m->flags & ~METH_ALL || !(m->flags & METH_CONVENTION) || (!l->len && value >> 32))
		return false;
	m->function_slot = field(m->slot, l->function);
	m->is_c = !l->len;
	if (reloc_target(d, m->function_slot, &m->function)) {
		if (!elf_file_is_code(f, m->function))
			return false;
	} else if (l->len || !reloc_plain_word(d, m->function_slot, &m->function) || m->function) {
		return false;
	}
	return doc_fits(d, m->slot, l);
}

static int add_method(struct pymethods *m, const struct pymethod *one)
{
	struct pymethod *items;

	if (!(m->count & (m->count - 1))) { /* full at each power of two */
		items = realloc(m->items, (m->count ? 2 * m->count : 1) * sizeof(*items));
		if (!items)
			return -ENOMEM;
		m->items = items;
	}
	m->items[m->count++] = *one;
	return 0;
}

static int find_methods(struct pymethods *m, const struct elf_file *f)
{
	for (size_t i = 0; i < m->data.count; i++) {
		struct pymethod one = { .slot = m->data.pointers[i].slot };

		one.name = reloc_string(&m->data, m->data.pointers[i].target, PYMETHOD_NAME_MAX);
		if (!one.name || !is_identifier(one.name))
			continue;
		for (size_t k = 0; k < sizeof(layouts) / sizeof(layouts[0]); k++) {
			if (!read_method(f, &m->data, &layouts[k], &one))
				continue;
			if (add_method(m, &one) < 0)
				return -ENOMEM;
			break;
		}
	}
	return 0;
}

/* First method whose slot is at address or behind it. */
static size_t lower_bound(const struct pymethods *m, uint64_t address)
{
	size_t low = 0, high = m->count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (m->items[mid].slot < address)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/*
 * Tables lie side by side without a gap. A pointer to anything between the slots of two methods is a pointer to the start of
 * another table (or of something else that is no method): there one run ends.
 */
static void mark_starts(const struct pymethods *m, bool *starts)
{
	for (size_t i = 0; i < m->data.count; i++) {
		size_t k = lower_bound(m, m->data.pointers[i].target);

		if (k < m->count)
			starts[k] = true;
	}
	for (size_t i = 0; i < m->count; i++)
		if (!i || m->items[i].is_c != m->items[i - 1].is_c ||
		    m->items[i].slot - m->items[i - 1].slot > RUN_GAP_MAX)
			starts[i] = true;
}

static int find_runs(struct pymethods *m)
{
	bool *starts = calloc(m->count + 1, sizeof(*starts));

	m->runs = calloc(m->count + 1, sizeof(*m->runs));
	if (!starts || !m->runs) {
		free(starts);
		return -ENOMEM;
	}
	mark_starts(m, starts);
	for (size_t i = 0; i < m->count; i++) {
		if (starts[i])
			m->runs[m->run_count++].first = i;
		m->items[i].run = (uint32_t)(m->run_count - 1);
		m->runs[m->run_count - 1].count++;
	}
	free(starts);
	return 0;
}

struct pymethods *pymethods_read(const struct elf_file *f)
{
	struct pymethods *m = calloc(1, sizeof(*m));
	int err = m ? reloc_data_read(&m->data, f) : -ENOMEM;

	if (!err)
		err = find_methods(m, f);
	if (!err)
		err = find_runs(m);
	if (err) {
		pymethods_free(m);
		errno = -err;
		return NULL;
	}
	pymethods_name_classes(m);
	return m;
}

void pymethods_free(struct pymethods *m)
{
	if (!m)
		return;
	reloc_data_free(&m->data);
	free(m->items);
	free(m->runs);
	free(m);
}
