// SPDX-License-Identifier: Apache-2.0
/*
 * `tokscope probe watch SYMBOL -p PID`: how long calls of any function take, with a pack made up for it. Its entry and each
 * instruction that leaves it are probed; no return probe, so that an exception may pass (design.md 4).
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "attach/probes.h"
#include "base/buf.h"
#include "base/clock.h"
#include "cli/command.h"
#include "cli/hist_draw.h"
#include "cli/interrupt.h"
#include "cli/output.h"
#include "cli/privilege.h"
#include "export/metric_json.h"
#include "metric/bounds.h"

#define POLL_MS 50
#define GROUP	1 /* there is one server: the process */
/* A survey of a few hundred files takes a second or two. */
#define FOUND_NS (10 * NSEC_PER_SEC)

struct watch {
	const struct config *config;
	struct packs packs;
	struct loader *loader;
	struct probes *probes;
	struct hist hist;
	struct hist_film film;
	uint64_t entries, left; /* hits of the entry, of what leaves */
	size_t attached, refused;
	bool live;
	bool told; /* that it is attached */
};

/* ------------------------------------------------------------------ the pack */

/* What a person types says what it is: "usdt:provider:name", "pymethod:Class.name", "ns::f(*", "0x1d0780", "symbol". */
static const char *kind_of(const char **symbol)
{
	static const char *const prefixes[] = { "usdt", "pymethod", "symbol", "demangled",
						"offset" };

	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
		size_t len = strlen(prefixes[i]);

		if (strncmp(*symbol, prefixes[i], len) || (*symbol)[len] != ':' ||
		    (*symbol)[len + 1] == ':')
			continue;
		*symbol += len + 1;
		return prefixes[i];
	}
	return strstr(*symbol, "::") || strchr(*symbol, '(') ? "demangled" : "symbol";
}

/* Quoted for YAML: in single quotes nothing but the quote is special. */
static void quoted(struct buf *b, const char *text)
{
	buf_puts(b, "'");
	for (; *text; text++)
		buf_printf(b, *text == '\'' ? "''" : "%c", *text);
	buf_puts(b, "'");
}

static void add_probe(struct buf *b, const char *name, const char *at, const char *result,
		      const char *kind, const char *symbol, const char *library)
{
	buf_printf(b, "  - name: %s\n    library: ", name);
	quoted(b, library);
	buf_printf(b, "\n    all: true\n    at: %s\n    %s: ", at, kind);
	quoted(b, symbol);
	buf_printf(b, "\n    results: [{%s}]\n", result);
}

static int make_pack(struct watch *w)
{
	const char *symbol = w->config->operands[0], *library = w->config->library ?: "*";
	const char *kind = kind_of(&symbol);
	struct buf b = BUF_INIT;
	char *error = NULL;
	int err;

	buf_puts(&b, "pack: watch\nprobes:\n");
	add_probe(&b, "entry", "entry", "start: call, key: thread", kind, symbol, library);
	if (strcmp(kind, "usdt") && strcmp(kind, "offset"))
		add_probe(&b, "leave", "return", "stop: call, key: thread, name: duration", kind,
			  symbol, library);
	err = b.err ?: packs_load_text(&w->packs, "probe watch", b.data, b.len, &error);
	if (err)
		log_error("'%s' cannot be watched: %s", symbol, error ?: strerror(-err));
	free(error);
	buf_free(&b);
	return err;
}

/* ------------------------------------------------------------------ what is seen */

static uint32_t server_of(void *ctx, uint32_t pid, const char **engine)
{
	(void)ctx;
	(void)pid;
	(void)engine;
	return GROUP;
}

static const struct probes_ops probes_ops = { .server = server_of };

static void on_record(void *ctx, const struct tks_header *h)
{
	(void)ctx;
	(void)h;
}

static const struct loader_ops loader_ops = { .record = on_record };

static void on_cell(void *ctx, const struct tks_probe_cell_key *key,
		    const struct tks_probe_cell *sum)
{
	struct watch *w = ctx;

	if (key->group == GROUP && key->cell != TKS_PROBE_COUNTER && sum->count)
		hist_observe(&w->hist, (double)sum->sum / sum->count / 1e9, sum->count);
}

static void on_status(void *ctx, const struct probe_status *s)
{
	struct watch *w = ctx;

	if (strcmp(s->probe->name, "entry")) {
		w->left = s->hits.hits;
		w->refused += s->refused;
		return;
	}
	w->entries = s->hits.hits;
	w->attached = s->attached;
	w->refused += s->refused;
}

static void look(struct watch *w)
{
	hist_reset(&w->hist);
	w->refused = 0;
	loader_probe_cells(w->loader, on_cell, w);
	probes_status(w->probes, on_status, w);
	hist_film_add(&w->film, &w->hist);
}

static void print_json(const struct watch *w)
{
	json_t *o = json_object();

	json_object_set_new(o, "symbol", json_string(w->config->operands[0]));
	json_object_set_new(o, "pid", json_integer(w->config->pids.items[0]));
	json_object_set_new(o, "places", json_integer((json_int_t)w->attached));
	json_object_set_new(o, "calls", json_integer((json_int_t)w->entries));
	json_object_set_new(o, "returns", json_integer((json_int_t)w->left));
	json_object_set_new(o, "duration_s", metric_json_hist(&w->hist));
	output_json(w->config, o);
}

static void draw(const struct watch *w)
{
	if (w->live)
		fputs("\033[H\033[J", stdout); /* home, and erase to the end: ECMA-48 */
	printf("%s in process %u: %llu calls, %llu returns\n", w->config->operands[0],
	       w->config->pids.items[0], (unsigned long long)w->entries,
	       (unsigned long long)w->left);
	hist_draw(stdout, &w->film, "s");
	fflush(stdout);
}

/* ------------------------------------------------------------------ the run */

static bool is_over(const struct watch *w, uint64_t start)
{
	uint64_t age = clock_monotonic_ns() - start;

	return interrupted() ||
	       (w->config->duration_s > 0 && age >= w->config->duration_s * NSEC_PER_SEC);
}

static int run(struct watch *w)
{
	struct pollfd pfd = { .fd = loader_poll_fd(w->loader), .events = POLLIN };
	uint64_t start = clock_monotonic_ns(), looked = start;

	while (!is_over(w, start)) {
		uint64_t now;

		poll(&pfd, 1, POLL_MS);
		loader_consume(w->loader);
		now = clock_monotonic_ns();
		probes_tick(w->probes, now);
		if (now - looked < NSEC_PER_SEC)
			continue;
		looked = now;
		look(w);
		if (w->attached && !w->told)
			log_info("watching '%s' in %zu place%s", w->config->operands[0],
				 w->attached, w->attached > 1 ? "s" : "");
		w->told |= w->attached > 0;
		if (!w->attached && now - start > FOUND_NS) {
			log_error(
				"no place of '%s' in process %u can be probed (%zu refused); `nm -D` lists a library's "
				"symbols, --log-level debug says what was refused and why",
				w->config->operands[0], w->config->pids.items[0], w->refused);
			return -ENOENT;
		}
		if (w->live)
			draw(w);
	}
	look(w);
	return 0;
}

static int open_watch(struct watch *w)
{
	const struct loader_config lc = { .gpu_hook = GPU_HOOK_OFF };
	const struct probes_config pc = { .packs = &w->packs, .full = true };
	int err = make_pack(w);

	if (err)
		return err;
	privilege_protect();
	w->loader = loader_new(&lc, &loader_ops, w);
	if (!w->loader)
		return -errno;
	privilege_drop(!loader_probes_many(w->loader));
	w->probes = probes_new(&pc, w->loader, &probes_ops, w);
	if (!w->probes) {
		log_error("probes in processes: %s; see `tokscope feature probe`", strerror(errno));
		return -errno;
	}
	probes_add_process(w->probes, w->config->pids.items[0]);
	return hist_init(&w->hist, &bounds_call);
}

static void close_watch(struct watch *w)
{
	probes_free(w->probes);
	loader_free(w->loader);
	packs_free(&w->packs);
	hist_free(&w->hist);
	hist_film_free(&w->film);
}

int cmd_probe_watch(const struct config *c)
{
	struct watch w = { .config = c };
	int err;

	if (c->operand_count != 1 || c->pids.count != 1) {
		log_error("one function and one process: tokscope probe watch SYMBOL -p PID");
		return EXIT_USAGE;
	}
	w.live = isatty(STDOUT_FILENO) && !c->json && !c->pretty;
	interrupt_catch();
	err = open_watch(&w);
	if (!err)
		err = run(&w);
	if (!err && (c->json || c->pretty))
		print_json(&w);
	else if (!err && !w.live)
		draw(&w);
	close_watch(&w);
	return err ? 1 : 0;
}
