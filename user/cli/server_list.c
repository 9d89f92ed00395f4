// SPDX-License-Identifier: Apache-2.0
/* `server list`: asks the running agent (it knows what it could not read), else scans /proc itself. */
#include <curl/curl.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "cli/command.h"
#include "cli/output.h"
#include "cli/server_status.h"
#include "cli/session.h"

static size_t on_body(char *data, size_t size, size_t count, void *ctx)
{
	buf_append(ctx, data, size * count);
	return size * count;
}

/* The agent's list, or NULL when none answers at that address. */
static json_t *ask_agent(const char *listen)
{
	struct buf body = BUF_INIT;
	CURL *curl = curl_easy_init();
	json_t *list = NULL;
	char url[256];

	if (!curl)
		return NULL;
	snprintf(url, sizeof(url), "http://%s/servers", listen);
	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_PROXY, "");
	curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, 2000L);
	curl_easy_setopt(curl, CURLOPT_FAILONERROR, 1L);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, &body);
	if (curl_easy_perform(curl) == CURLE_OK && !body.err && body.len)
		list = json_loads(body.data, 0, NULL);
	curl_easy_cleanup(curl);
	buf_free(&body);
	if (list && !json_is_array(list)) {
		json_decref(list);
		list = NULL;
	}
	return list;
}

/* A scan of our own selects nothing: there is no kernel side here. */
static int ignore_select(void *ctx, uint32_t pid)
{
	(void)ctx;
	(void)pid;
	return 0;
}

static void ignore_unselect(void *ctx, uint32_t pid)
{
	(void)ctx;
	(void)pid;
}

static json_t *scan(const struct config *c)
{
	static const struct discovery_ops ops = { .select = ignore_select,
						  .unselect = ignore_unselect };
	struct packs *packs = packs_open(c->packs_folder);
	struct discovery *d = packs ? session_discovery(c, packs, &ops, NULL) : NULL;
	int err = d ? discovery_scan(d, clock_monotonic_ns()) : 0;
	json_t *list = d && err >= 0 ? json_array() : NULL;
	const struct server *s;
	size_t cursor = 0;

	if (err < 0)
		log_error("cannot scan /proc: %s", strerror(-err));
	while (list && (s = discovery_next(d, &cursor)))
		json_array_append_new(list, server_status_object(s, NULL));
	discovery_free(d);
	packs_close(packs);
	return list;
}

static const char *text(const json_t *row, const char *key)
{
	const char *s = json_string_value(json_object_get(row, key));

	return s ? s : "-";
}

static void print_pod(const json_t *row)
{
	if (json_is_string(json_object_get(row, "pod")))
		printf("  %-10s in pod %s/%s, container %s\n", "", text(row, "namespace"),
		       text(row, "pod"), text(row, "container"));
}

static void print_unparsed(const json_t *row)
{
	const char *reason;
	json_t *count;

	json_object_foreach(json_object_get(row, "unparsed"), reason, count)
		printf("  %-10s %lld streams not parsed: %s\n", "", json_integer_value(count),
		       reason);
}

static void print_table(const json_t *list, bool from_agent)
{
	char address[160];
	const json_t *row;
	size_t i;

	printf("%-14s %-24s %-8s %-5s %-5s %-20s %s\n", "ENGINE", "ADDRESS", "PID", "PROCS",
	       "ALIVE", "SERVICE", "WHY");
	json_array_foreach(list, i, row) {
		output_address(address, sizeof(address), text(row, "address"),
			       json_integer_value(json_object_get(row, "port")));
		printf("%-14s %-24s %-8lld %-5lld %-5s %-20s %s\n", text(row, "server"), address,
		       json_integer_value(json_object_get(row, "pid")),
		       json_integer_value(json_object_get(row, "processes")),
		       json_is_true(json_object_get(row, "alive")) ? "yes" : "no",
		       text(row, "service_name"), text(row, "reason"));
		print_pod(row);
		print_unparsed(row);
	}
	if (!json_array_size(list))
		printf("(no inference server found; --pid, --port or --comm select by hand)\n");
	if (!from_agent)
		log_info("no agent answers, so this is a scan of /proc: streams that cannot be "
			 "parsed are not shown");
}

int cmd_server_list(const struct config *c)
{
	bool by_hand = c->pids.count || c->ports.count || c->comms.count;
	json_t *list = by_hand ? NULL : ask_agent(c->listen);
	bool from_agent = list != NULL;

	if (!list)
		list = scan(c);
	if (!list)
		return 1;
	if (c->json || c->pretty) {
		output_json(c, list);
	} else {
		print_table(list, from_agent);
		json_decref(list);
	}
	return 0;
}
