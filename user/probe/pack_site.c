// SPDX-License-Identifier: Apache-2.0
/* A probe and the files of one process: does it belong there, and what exactly is read at a site. */
#include "probe/pack.h"

#include <errno.h>
#include <fnmatch.h>
#include <string.h>

#include "discover/text.h"

static bool fits(const char *glob, const char *path)
{
	return !fnmatch(glob, strchr(glob, '/') ? path : text_basename(path), 0);
}

static bool has_build_id(const struct pack_when *w, const struct binary *b)
{
	for (size_t i = 0; i < w->build_id_count; i++)
		if (!strcmp(w->build_ids[i], binary_build_id(b)))
			return true;
	return !w->build_id_count;
}

bool pack_when_holds(const struct pack_when *w, struct binary *b)
{
	if (!has_build_id(w, b) || (w->file && !fits(w->file, binary_path(b))))
		return false;
	for (size_t i = 0; i < w->symbol_count; i++) {
		bool absent = w->symbols[i][0] == '!';

		if (binary_has_symbol(b, w->symbols[i] + absent) == absent)
			return false;
	}
	return true;
}

bool pack_wants_file(const struct pack_probe *p, const char *name)
{
	for (size_t i = 0; i < p->library.count; i++)
		if (fits(p->library.globs[i], name))
			return true;
	return false;
}

static size_t step_count(const struct tks_probe_step *steps)
{
	size_t n = 0;

	while (n < TKS_PROBE_STEPS && steps[n].op != TKS_PROBE_END)
		n++;
	return n;
}

/* Puts the steps of the USDT argument before those of the expression. */
static int splice(struct tks_probe_read *r, const struct usdt_arg *arg)
{
	size_t first = step_count(arg->steps), rest = step_count(r->steps);

	if (first + rest > TKS_PROBE_STEPS)
		return -E2BIG;
	memmove(r->steps + first, r->steps, rest * sizeof(*r->steps));
	memcpy(r->steps, arg->steps, first * sizeof(*r->steps));
	return 0;
}

int pack_site_spec(const struct pack_probe *p, const struct site *s, struct tks_probe_site *out)
{
	*out = p->spec;
	for (uint32_t i = 0; i < p->spec.reads; i++) {
		uint8_t arg = p->usdt_read[i];
		int err;

		if (!arg)
			continue;
		if (arg > s->arg_count)
			return -ENOENT;
		err = splice(&out->read[i], &s->args[arg - 1]);
		if (err)
			return err;
	}
	return 0;
}
