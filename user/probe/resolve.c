// SPDX-License-Identifier: Apache-2.0
#include "probe/resolve.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "probe/internal.h"
#include "probe/pattern.h"

/* An alias or the same symbol of another table: each function is resolved once, whatever the number of its names. */
struct seen {
	uint64_t *items;
	size_t count;
};

static int remember(struct seen *seen, uint64_t address)
{
	uint64_t *items;

	for (size_t i = 0; i < seen->count; i++)
		if (seen->items[i] == address)
			return 0;
	if (!(seen->count & (seen->count - 1))) { /* full at each power of two */
		items = realloc(seen->items, (seen->count ? 2 * seen->count : 1) * sizeof(*items));
		if (!items)
			return -ENOMEM;
		seen->items = items;
	}
	seen->items[seen->count++] = address;
	return 1;
}

static int add_indirect(struct binary *b, const struct symbol *s, struct sites *out)
{
	struct site site = { 0 };

	site.name = strdup(s->name);
	if (!site.name ||
	    site_refuse(&site, "an indirect function (IFUNC) that only chooses another: name that "
			       "one")) {
		site_free(&site);
		return -ENOMEM;
	}
	elf_file_offset(&b->file, s->address, &site.function);
	site.offset = site.function;
	return sites_take(out, &site);
}

static int add_symbol(struct binary *b, const struct symbol *s, enum target_at at,
		      struct sites *out)
{
	struct extent e = { .start = s->address, .size = s->size, .name = s->name };

	if (s->indirect)
		return add_indirect(b, s, out);
	if ((!e.size || e.size > b->file.size) &&
	    (!binary_extent(b, s->address, &e) || e.start != s->address))
		e = (struct extent){ .start = s->address, .name = s->name };
	return sites_of_function(b, &e, at, s->name, out);
}

static int resolve_symbol(struct binary *b, const struct target *t, struct sites *out)
{
	struct symbol_cursor c = { 0 };
	struct seen seen = { 0 };
	struct pattern p;
	struct symbol s;
	int added = 0, n = 0;

	pattern_init(&p, t->pattern, t->kind == TARGET_DEMANGLED);
	while (n >= 0 && symbols_next(b, &c, &s)) {
		if (!pattern_matches(&p, s.name) || symbol_is_cold(s.name))
			continue;
		n = remember(&seen, s.address);
		if (n <= 0)
			continue;
		n = add_symbol(b, &s, t->at, out);
		added += n > 0 ? n : 0;
	}
	free(seen.items);
	return n < 0 ? n : added;
}

bool binary_has_symbol(struct binary *b, const char *pattern)
{
	struct symbol_cursor c = { 0 };
	struct pattern p;
	struct symbol s;

	pattern_init(&p, pattern, false);
	while (symbols_next(b, &c, &s))
		if (pattern_matches(&p, s.name))
			return true;
	return false;
}

static int add_refused_offset(uint64_t offset, const char *name, const char *why, struct sites *out)
{
	struct site s = { .offset = offset };

	s.name = strdup(name);
	if (!s.name || site_refuse(&s, "%s", why)) {
		site_free(&s);
		return -ENOMEM;
	}
	return sites_take(out, &s);
}

static int resolve_offset(struct binary *b, const struct target *t, struct sites *out)
{
	struct site s = { 0 };
	struct extent e;
	uint64_t offset, address;
	char *end;

	errno = 0;
	offset = strtoull(t->pattern, &end, 0);
	if (errno || end == t->pattern || *end)
		return -EINVAL;
	if (!elf_file_address(&b->file, offset, &address) || !elf_file_is_code(&b->file, address))
		return add_refused_offset(offset, t->pattern, "there is no code", out);
	if (!binary_extent(b, address, &e))
		return add_refused_offset(offset, t->pattern,
					  "no instruction boundary is known there", out);
	if (address == e.start)
		return sites_of_function(b, &e, t->at, e.name ? e.name : t->pattern, out);
	if (t->at != AT_ENTRY)
		return add_refused_offset(offset, t->pattern, "no function starts there", out);
	s.name = strdup(t->pattern);
	if (!s.name || place_exact(b, &e, address, &s)) {
		site_free(&s);
		return -ENOMEM;
	}
	return sites_take(out, &s);
}

int resolve(struct binary *b, const struct target *t, struct sites *out)
{
	switch (t->kind) {
	case TARGET_SYMBOL:
	case TARGET_DEMANGLED:
		return resolve_symbol(b, t, out);
	case TARGET_PYMETHOD:
		return pymethod_resolve(b, t, out);
	case TARGET_USDT:
		return usdt_resolve(b, t, out);
	case TARGET_OFFSET:
		return resolve_offset(b, t, out);
	}
	return -EINVAL;
}
