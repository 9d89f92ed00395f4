// SPDX-License-Identifier: Apache-2.0
#include "discover/engine.h"

#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "discover/procfs.h"
#include "discover/text.h"

#define MAPS_READ_MAX (4 << 20) /* 100 bytes a line; vLLM has some 5 000 of them */

/* ------------------------------------------------------------------ what a command line runs */

/* Programs whose first argument that is no option is the program; `options` take a value of their own. */
static const struct interpreter {
	const char *glob;
	const char *options[8];
} interpreters[] = {
	{ "python*", { "-W", "-X", "--check-hash-based-pycs" } },
	{ "pypy*", { "-W", "-X" } },
	{ "ld-linux*.so*",
	  { "--library-path", "--preload", "--argv0", "--audit", "--inhibit-rpath",
	    "--glibc-hwcaps-prepend", "--glibc-hwcaps-mask" } },
	{ "ld-musl-*.so*", { "--library-path", "--preload", "--argv0" } },
};

static const struct interpreter *interpreter_of(const char *name)
{
	for (size_t i = 0; i < sizeof(interpreters) / sizeof(interpreters[0]); i++)
		if (!fnmatch(interpreters[i].glob, name, 0))
			return &interpreters[i];
	return NULL;
}

static bool takes_value(const struct interpreter *in, const char *option)
{
	for (int i = 0; i < 8 && in->options[i]; i++)
		if (!strcmp(in->options[i], option))
			return true;
	return false;
}

/* Python's own short options may stand together: "-um". */
static bool is_short(const char *arg, char last)
{
	return arg[0] == '-' && arg[1] != '-' && arg[1] && arg[strlen(arg) - 1] == last;
}

/* Index of the word that names the program, argc where there is none (a shell of Python, `python -c`). */
static int program_word(const char *const *argv, int argc)
{
	const struct interpreter *in;
	int at = 0;

	while (at < argc && (in = interpreter_of(text_basename(argv[at])))) {
		bool python = in->glob[0] == 'p';

		for (at++; at < argc && argv[at][0] == '-'; at++) {
			if (takes_value(in, argv[at]))
				at++;
			else if (python && is_short(argv[at], 'm'))
				return at + 1;
			else if (python && is_short(argv[at], 'c'))
				return argc;
		}
	}
	return at < argc ? at : argc;
}

/* ------------------------------------------------------------------ matching */

static void accept(struct engine_match *m, const struct engine_rule *r, const char *how,
		   const char *what)
{
	char reason[SERVER_REASON_MAX * 2];

	m->engine = r->engine;
	m->role = r->role;
	m->by_maps = r->source == ENGINE_MAPS;
	snprintf(reason, sizeof(reason), "%s %.100s%s%s", how, what, r->word ? " " : "",
		 r->word ? r->word : "");
	text_copy(m->reason, sizeof(m->reason), reason);
}

static bool fits(const struct engine_rule *r, const char *name, const char *next)
{
	return !fnmatch(r->glob, name, 0) && (!r->word || (next && !strcmp(next, r->word)));
}

/* The value of an option of this name (of `len` bytes), as "--name=8002" or "--name" "8002"; else `otherwise`. */
static long option_value(const char *name, size_t len, long otherwise, const char *const *argv,
			 int argc)
{
	for (int i = 1; i < argc; i++) {
		if (strncmp(argv[i], name, len))
			continue;
		if (argv[i][len] == '=')
			return strtol(argv[i] + len + 1, NULL, 10);
		if (!argv[i][len] && i + 1 < argc)
			return strtol(argv[i + 1], NULL, 10);
	}
	return otherwise;
}

/* others: words of the form --option=DEFAULT */
static void take_other_ports(struct engine_match *m, const char *others, const char *const *argv,
			     int argc)
{
	const char *word = others ? others : "";

	for (size_t n = 0; n < ENGINE_OTHER_PORTS && *word; n++) {
		const char *equals = word + strcspn(word, "= ");
		long port = *equals == '=' ? strtol(equals + 1, NULL, 10) : 0;

		port = option_value(word, (size_t)(equals - word), port, argv, argc);
		m->other_ports[n] = port > 0 && port <= UINT16_MAX ? (uint16_t)port : 0;
		word += strcspn(word, " ");
		word += strspn(word, " ");
	}
}

bool engine_match_program(struct engine_match *m, const struct engine_rules *rules, const char *exe,
			  const char *const *argv, int argc)
{
	int at = program_word(argv, argc);
	const char *program = at < argc ? text_basename(argv[at]) : "";
	const char *next = at + 1 < argc ? argv[at + 1] : NULL;
	const char *title = argc ? argv[0] : "";

	memset(m, 0, sizeof(*m));
	exe = text_basename(exe);
	for (const struct engine_rule *r = rules->items; r < rules->items + rules->count; r++) {
		if (r->source == ENGINE_TITLE && fits(r, title, NULL))
			accept(m, r, "process title", title);
		else if (r->source == ENGINE_PROGRAM && fits(r, exe, argc > 1 ? argv[1] : NULL))
			accept(m, r, "executable", exe);
		else if (r->source == ENGINE_PROGRAM && fits(r, program, next))
			accept(m, r, "runs", program);
		else
			continue;
		take_other_ports(m, r->other_ports, argv, argc);
		return true;
	}
	return false;
}

struct maps_search {
	const struct engine_rule *rules, *best;
	char name[PROCFS_LINE_MAX + 1]; /* basename of the file that fits it */
};

/* "55d0-55d1 r-xp 00000000 08:01 4711      /usr/lib/libllama.so.0" */
static bool maps_line(void *ctx, char *line)
{
	struct maps_search *s = ctx;
	const char *path = strchr(line, '/');

	if (!path)
		return false;
	for (const struct engine_rule *r = s->rules; r < s->best; r++) {
		if (r->source != ENGINE_MAPS || fnmatch(r->glob, path, 0))
			continue;
		s->best = r;
		snprintf(s->name, sizeof(s->name), "%s", text_basename(path));
	}
	return false;
}

bool engine_match_maps(struct engine_match *m, const struct engine_rules *rules,
		       const char *proc_root, uint32_t pid)
{
	const struct engine_rule *end = rules->items + rules->count;
	struct maps_search s = { .rules = rules->items, .best = end };

	memset(m, 0, sizeof(*m));
	if (procfs_lines(proc_root, pid, "maps", MAPS_READ_MAX, maps_line, &s) < 0 || s.best == end)
		return false;
	accept(m, s.best, "maps", s.name);
	return true;
}

bool engine_same(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}
