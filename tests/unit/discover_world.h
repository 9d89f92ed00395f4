/* SPDX-License-Identifier: Apache-2.0 */
/* A discovery over a /proc of our own, with a clock of our own, and what it told. */
#ifndef TESTS_DISCOVER_WORLD_H
#define TESTS_DISCOVER_WORLD_H

#include "discover_rules.h"
#include "discover_tree.h"

#include <arpa/inet.h>
#include <errno.h>

#include "base/log.h"
#include "discover/discovery.h"

#define MS	 1000000ull
#define SEC	 (1000 * MS)
#define PIDS_MAX (1 << 22) /* PID_MAX_LIMIT */

struct world {
	struct tree tree;
	struct discovery *d;
	bool selected[PIDS_MAX];
	unsigned int selects, unselects, found, retired;
	int select_result;
	uint64_t now;
};

__attribute__((unused)) static int on_select(void *ctx, uint32_t pid)
{
	struct world *w = ctx;

	w->selects++;
	if (!w->select_result)
		w->selected[pid] = true;
	return w->select_result;
}

__attribute__((unused)) static void on_unselect(void *ctx, uint32_t pid)
{
	struct world *w = ctx;

	w->unselects++;
	w->selected[pid] = false;
}

__attribute__((unused)) static void on_found(void *ctx, const struct server *s)
{
	struct world *w = ctx;

	assert_true(s->id > 0);
	assert_int_equal(s->found_ns, w->now);
	w->found++;
}

__attribute__((unused)) static void on_retired(void *ctx, const struct server *s)
{
	struct world *w = ctx;

	assert_int_not_equal(s->gone_ns, 0);
	w->retired++;
}

__attribute__((unused)) static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	tree_init(&w->tree);
	tree_process(&w->tree, 1, 0, "/sbin/init", "init");
	w->now = 100 * SEC;
	log_set_level(LOG_LEVEL_ERROR);
	*state = w;
	return 0;
}

__attribute__((unused)) static int teardown(void **state)
{
	struct world *w = *state;

	discovery_free(w->d);
	tree_remove(w->tree.root);
	free(w);
	return 0;
}

__attribute__((unused)) static int scan_with(struct world *w, struct discovery_config c)
{
	static const struct discovery_ops ops = { on_select, on_unselect, on_found, on_retired };

	c.proc_root = w->tree.root;
	c.host_id = "host";
	c.rules = test_rules;
	w->d = discovery_new(&c, &ops, w);
	assert_non_null(w->d);
	return discovery_scan(w->d, w->now);
}

__attribute__((unused)) static int scan(struct world *w)
{
	return scan_with(w, (struct discovery_config){ 0 });
}

__attribute__((unused)) static void tick(struct world *w, uint64_t later)
{
	w->now += later;
	discovery_tick(w->d, w->now);
}

__attribute__((unused)) static void event(struct world *w, enum tks_proc_event event, uint32_t pid,
					  uint32_t child)
{
	struct tks_proc ev = { .h = { .tgid = pid, .time_ns = w->now },
			       .event = event,
			       .child = child };

	discovery_proc_event(w->d, &ev);
}

__attribute__((unused)) static struct tks_sock sock(uint32_t netns, const char *address,
						    uint16_t port)
{
	struct tks_sock sk = { .netns = netns, .lport = port, .family = AF_INET };

	if (!address)
		sk.family = AF_UNIX;
	else if (strchr(address, ':'))
		sk.family = AF_INET6;
	if (address)
		assert_int_equal(inet_pton(sk.family, address, sk.laddr), 1);
	return sk;
}

__attribute__((unused)) static void event_listen(struct world *w, uint32_t pid, uint16_t port,
						 uint32_t ino)
{
	struct tks_proc ev = { .h = { .tgid = pid, .time_ns = w->now }, .event = TKS_PROC_LISTEN };

	ev.sk = sock(HOST_NS, "127.0.0.1", port);
	ev.sk.ino = ino;
	discovery_proc_event(w->d, &ev);
}

/* The only server, or the nth. */
__attribute__((unused)) static const struct server *server(struct world *w, size_t n)
{
	const struct server *s = NULL;
	size_t cursor = 0;

	for (size_t i = 0; i <= n; i++)
		s = discovery_next(w->d, &cursor);
	return s;
}

__attribute__((unused)) static uint32_t resolve(struct world *w, uint32_t pid, const char *address,
						uint16_t port)
{
	struct tks_sock sk = sock(HOST_NS, address, port);
	const struct server *s = discovery_resolve(w->d, pid, &sk);

	return s ? s->id : 0;
}

#endif
