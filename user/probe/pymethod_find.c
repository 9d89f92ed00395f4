// SPDX-License-Identifier: Apache-2.0
/*
 * Patterns of TARGET_PYMETHOD: "method" (in any table), "Class.method", and "method@sibling": the method in the table that
 * also holds `sibling`, which needs no class to be named.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "probe/internal.h"
#include "probe/pymethod.h"

struct wanted {
	char class[PYCLASS_MAX], method[PYMETHOD_NAME_MAX + 1], sibling[PYMETHOD_NAME_MAX + 1];
};

static bool copy_part(char *out, size_t size, const char *text, size_t len)
{
	if (len >= size)
		return false;
	memcpy(out, text, len);
	out[len] = '\0';
	return true;
}

static bool parse_wanted(const char *pattern, struct wanted *w)
{
	const char *at = strchr(pattern, '@'), *dot = strrchr(pattern, '.');
	const char *method = dot ? dot + 1 : pattern;
	size_t len = at ? (size_t)(at - method) : strlen(method);

	*w = (struct wanted){ 0 };
	if ((at && dot) || !len)
		return false;
	return copy_part(w->method, sizeof(w->method), method, len) &&
	       copy_part(w->class, sizeof(w->class), pattern, dot ? (size_t)(dot - pattern) : 0) &&
	       copy_part(w->sibling, sizeof(w->sibling), at ? at + 1 : "", at ? strlen(at + 1) : 0);
}

static bool run_holds(const struct pymethods *m, uint32_t run, const char *name)
{
	const struct pyrun *r = &m->runs[run];

	for (size_t i = r->first; i < r->first + r->count; i++)
		if (!strcmp(m->items[i].name, name))
			return true;
	return false;
}

enum fit {
	FIT_NO,
	FIT_UNNAMED, /* the method, in a class whose name is not known */
	FIT_YES
};

static enum fit fits(const struct pymethods *m, const struct pymethod *one, const struct wanted *w)
{
	const char *class = m->runs[one->run].class;

	if (strcmp(one->name, w->method) != 0)
		return FIT_NO;
	if (*w->sibling)
		return run_holds(m, one->run, w->sibling) ? FIT_YES : FIT_NO;
	if (!*w->class)
		return FIT_YES;
	return !*class ? FIT_UNNAMED : strcmp(class, w->class) ? FIT_NO : FIT_YES;
}

/* A method that another table holds too: its function would be hit by calls of both. */
static const struct pymethod *shared_with(const struct pymethods *m, const struct pymethod *one,
					  uint64_t function)
{
	for (size_t i = 0; i < m->count; i++)
		if (m->items[i].function == function && m->items[i].run != one->run)
			return &m->items[i];
	return NULL;
}

/* What the loaded module has put into the slot, as an address in the file; 0: nothing, or it cannot be read. */
static uint64_t live_function(const struct binary *b, const struct target *t, uint64_t slot)
{
	_cleanup_close_ int fd = -1;
	char path[64];
	uint64_t value;

	if (!t->pid)
		return 0;
	snprintf(path, sizeof(path), "/proc/%" PRIu32 "/mem", t->pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 ||
	    pread(fd, &value, sizeof(value), (off_t)(slot + t->load_bias)) != sizeof(value) ||
	    !value)
		return 0;
	value -= t->load_bias;
	return elf_file_is_code(&b->file, value) ? value : 0;
}

static int add_refused(struct binary *b, const struct pymethod *one, uint64_t function,
		       const char *name, const char *why, const char *which, struct sites *out)
{
	struct site s = { 0 };

	s.name = strdup(name);
	if (!s.name || site_refuse(&s, "%s%s", why, which)) {
		site_free(&s);
		return -ENOMEM;
	}
	/* Without a function, the slot stands for it. */
	elf_file_offset(&b->file, function ? function : one->slot, &s.function);
	s.offset = s.function;
	return sites_take(out, &s);
}

static int add_method(struct binary *b, const struct target *t, const struct pymethod *one,
		      const char *name, struct sites *out)
{
	const struct pymethods *m = b->pymethods;
	uint64_t function = one->function ? one->function : live_function(b, t, one->function_slot);
	const struct pymethod *other;
	struct extent e;

	if (!function)
		return add_refused(b, one, 0, name,
				   "its function is only known in a process that has loaded it",
				   t->pid ? ", and not in this file" : ": give one", out);
	other = shared_with(m, one, function);
	if (other)
		return add_refused(b, one, function, name,
				   "its code also serves another table's method ", other->name,
				   out);
	if (!binary_extent(b, function, &e) || e.start != function)
		e = (struct extent){ .start = function };
	return sites_of_function(b, &e, t->at, name, out);
}

static const char *full_name(const struct pymethods *m, const struct pymethod *one,
			     const struct wanted *w, char *buf, size_t len)
{
	const char *class = m->runs[one->run].class;

	if (!*class)
		class = w->class;
	snprintf(buf, len, "%s%s%s", class, *class ? "." : "", one->name);
	return buf;
}

static int add_all(struct binary *b, const struct target *t, const struct wanted *w, enum fit fit,
		   bool ambiguous, struct sites *out)
{
	const struct pymethods *m = b->pymethods;
	int added = 0;

	for (size_t i = 0; i < m->count; i++) {
		const struct pymethod *one = &m->items[i];
		char name[PYCLASS_MAX + PYMETHOD_NAME_MAX + 2];
		int n;

		if (fits(m, one, w) != fit)
			continue;
		full_name(m, one, w, name, sizeof(name));
		n = ambiguous ? add_refused(b, one, one->function, name,
					    "several classes without a name have such a method: "
					    "name another method of its class, as in ",
					    "\"method@sibling\"", out)
			      : add_method(b, t, one, name, out);
		if (n < 0)
			return n;
		added += n;
	}
	return added;
}

int pymethod_resolve(struct binary *b, const struct target *t, struct sites *out)
{
	size_t count[FIT_YES + 1] = { 0 };
	struct wanted w;

	if (!parse_wanted(t->pattern, &w))
		return -EINVAL;
	if (!b->pymethods)
		b->pymethods = pymethods_read(&b->file);
	if (!b->pymethods)
		return -errno;
	for (size_t i = 0; i < b->pymethods->count; i++)
		count[fits(b->pymethods, &b->pymethods->items[i], &w)]++;
	if (count[FIT_YES])
		return add_all(b, t, &w, FIT_YES, false, out);
	return add_all(b, t, &w, FIT_UNNAMED, count[FIT_UNNAMED] > 1, out);
}
