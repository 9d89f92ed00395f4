// SPDX-License-Identifier: Apache-2.0
/* `probe check`: is a pack well written, and what of it would attach in a file or a process, and why not. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "cli/command.h"
#include "cli/output.h"
#include "probe/pack.h"

struct check {
	const struct pack *pack;
	uint32_t pid; /* 0: one file */
	struct mapped_files files;
	json_t *rows;
	size_t usable;
};

/* ------------------------------------------------------------------ one probe */

static void add_row(struct check *k, const struct pack_probe *p, const struct mapped_file *f,
		    const struct binary *b, const struct site *s, const char *why)
{
	json_t *row = json_pack("{s:s, s:b, s:s?, s:s?, s:s?, s:n, s:s?, s:s?, s:b, s:s?}", "probe",
				p->name, "default", !p->full, "file", f ? f->name : NULL,
				"build_id", b ? binary_build_id(b) : NULL, "symbol",
				s ? s->name : p->patterns[0], "offset", "instruction",
				s ? s->insn : NULL, "cost", s ? site_cost_name(s->cost) : NULL,
				"attaches", s && !why, "why_not", why);

	if (s)
		json_object_set_new(row, "offset", json_integer((json_int_t)s->offset));
	k->usable += s && !why;
	json_array_append_new(k->rows, row);
}

/* What keeps this site from being probed; NULL: nothing does. */
static const char *why_not(const struct pack_probe *p, const struct site *s)
{
	struct tks_probe_site spec;

	if (s->refused)
		return s->refused;
	switch (pack_site_spec(p, s, &spec)) {
	case 0:
		return NULL;
	case -E2BIG:
		return "reading this USDT argument takes too many steps";
	default:
		return "the USDT probe lacks an argument that is read";
	}
}

static void check_file(struct check *k, const struct pack_probe *p, const struct mapped_file *f,
		       struct binary *b)
{
	struct sites sites = { 0 };

	if (!pack_when_holds(&p->when, b)) {
		add_row(k, p, f, b, NULL, "when: does not hold for this file");
		return;
	}
	for (size_t i = 0; i < p->pattern_count && (p->all || !sites.count); i++) {
		const struct target t = { .kind = p->kind,
					  .at = p->at,
					  .pattern = p->patterns[i],
					  .pid = k->pid,
					  .load_bias = f->load_bias };

		resolve(b, &t, &sites);
	}
	for (size_t i = 0; i < sites.count; i++)
		add_row(k, p, f, b, &sites.items[i], why_not(p, &sites.items[i]));
	if (!sites.count)
		add_row(k, p, f, b, NULL, "not found in this file");
	sites_free(&sites);
}

/* That a function is not in each of the files is worth a row only where it is in none. */
static void drop_misses(json_t *rows, size_t first)
{
	bool found = false;

	for (size_t i = first; i < json_array_size(rows); i++)
		found |= json_is_integer(json_object_get(json_array_get(rows, i), "offset"));
	for (size_t i = json_array_size(rows); found && i-- > first;)
		if (!json_is_integer(json_object_get(json_array_get(rows, i), "offset")))
			json_array_remove(rows, i);
}

static void check_probe(struct check *k, const struct pack_probe *p)
{
	size_t first = json_array_size(k->rows);
	char root[32];
	bool wanted = false;

	snprintf(root, sizeof(root), k->pid ? "/proc/%u/root" : "/", k->pid);
	for (size_t i = 0; i < k->files.count; i++) {
		const struct mapped_file *f = &k->files.items[i];
		struct binary *b;

		if (!pack_wants_file(p, f->name))
			continue;
		wanted = true;
		b = binary_open(f->path, root);
		if (b)
			check_file(k, p, f, b);
		else
			add_row(k, p, f, NULL, NULL, strerror(errno));
		binary_close(b);
	}
	if (!wanted)
		add_row(k, p, NULL, NULL, NULL, "no file here fits its 'library'");
	drop_misses(k->rows, first);
}

/* ------------------------------------------------------------------ the files */

/* The one file of --binary, as if a process had mapped it. */
static int take_binary(struct check *k, const char *path)
{
	struct mapped_file *f = calloc(1, sizeof(*f));

	if (!f)
		return -ENOMEM;
	k->files = (struct mapped_files){ f, 1 };
	f->name = strdup(path);
	f->path = strdup(path);
	if (!f->name || !f->path)
		return -ENOMEM;
	if (!access(path, R_OK))
		return 0;
	log_error("cannot read %s: %s", path, strerror(errno));
	return -errno;
}

static int take_process(struct check *k, uint32_t pid)
{
	int err = mapped_files_read(&k->files, "/proc", pid);

	k->pid = pid;
	if (err)
		log_error("cannot read the files that process %u has mapped: %s", pid,
			  strerror(-err));
	return err;
}

/* ------------------------------------------------------------------ output */

static const char *text(const json_t *row, const char *key)
{
	const char *s = json_string_value(json_object_get(row, key));

	return s ? s : "-";
}

static void print_rows(const json_t *rows)
{
	const json_t *row;
	size_t i;

	printf("%-30s %-7s %-11s %-9s %-9s %-10s %-24s %s\n", "PROBE", "SET", "OFFSET", "INSN",
	       "COST", "BUILD-ID", "FILE", "SYMBOL, OR WHY NOT");
	json_array_foreach(rows, i, row) {
		const json_t *offset = json_object_get(row, "offset");
		const char *file = strrchr(text(row, "file"), '/');
		char at[24] = "-";

		if (json_is_integer(offset))
			snprintf(at, sizeof(at), "0x%llx",
				 (unsigned long long)json_integer_value(offset));
		printf("%-30s %-7s %-11s %-9s %-9s %-10.10s %-24s %s%s%s\n", text(row, "probe"),
		       json_is_true(json_object_get(row, "default")) ? "default" : "full", at,
		       text(row, "instruction"), text(row, "cost"), text(row, "build_id"),
		       file ? file + 1 : text(row, "file"), text(row, "symbol"),
		       json_is_true(json_object_get(row, "attaches")) ? "" : ": ",
		       json_is_true(json_object_get(row, "attaches")) ? "" : text(row, "why_not"));
	}
}

static void report(const struct config *c, struct check *k, bool files)
{
	if (c->json || c->pretty) {
		output_json(c,
			    json_pack("{s:s, s:s, s:i, s:i, s:O}", "pack", k->pack->name, "origin",
				      k->pack->origin, "probes", (int)k->pack->probe_count,
				      "attaching", (int)k->usable, "sites", k->rows));
		return;
	}
	printf("%s (%s): %zu probes, %zu rules\n", k->pack->name, k->pack->origin,
	       k->pack->probe_count, k->pack->rule_count);
	if (!files)
		return;
	print_rows(k->rows);
	printf("%zu places would be probed\n", k->usable);
}

/* ------------------------------------------------------------------ the command */

/* A file, else the name of a pack that is known. */
static const struct pack *load(const char *name, const struct packs *known, struct packs *own)
{
	_cleanup_free_ char *error = NULL;
	const struct pack *pack = packs_find(known, name);
	struct stat st;

	if (pack && stat(name, &st))
		return pack;
	if (!packs_load_file(own, name, &error))
		return &own->items[0];
	log_error("%s", error ? error : "out of memory");
	return NULL;
}

static int check(const struct config *c, const struct pack *pack)
{
	bool files = c->binary || c->pids.count;
	struct check k = { .pack = pack, .rows = json_array() };
	int err = 0;

	if (c->binary)
		err = take_binary(&k, c->binary);
	else if (c->pids.count)
		err = take_process(&k, c->pids.items[0]);
	for (size_t i = 0; files && !err && i < pack->probe_count; i++)
		check_probe(&k, &pack->probes[i]);
	if (!err)
		report(c, &k, files);
	mapped_files_free(&k.files);
	json_decref(k.rows);
	return err || (files && !k.usable);
}

int cmd_probe_check(const struct config *c)
{
	struct packs *known, own = { 0 };
	const struct pack *pack;
	int status = 1;

	if (c->operand_count != 1 || c->pids.count > 1 || (c->binary && c->pids.count)) {
		log_error(
			"probe check takes one file or name of a pack, and one of --binary and --pid");
		return EXIT_USAGE;
	}
	known = packs_open(c->packs_folder);
	if (!known)
		return 1;
	pack = load(c->operands[0], known, &own);
	if (pack)
		status = check(c, pack);
	packs_free(&own);
	packs_close(known);
	return status;
}
