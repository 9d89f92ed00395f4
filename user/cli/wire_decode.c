// SPDX-License-Identifier: Apache-2.0
/* `wire decode`: the agent's parsers on the raw bytes of one connection, for checking a dialect or reporting a bug. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "cli/command.h"
#include "cli/request_print.h"
#include "track/tracker.h"

/* A recording larger than this is a mistake. */
#define FILE_MAX (1L << 30)

/* Returns malloced bytes, or NULL after logging. */
static uint8_t *read_file(const char *path, size_t *len)
{
	_cleanup_fclose_ FILE *f = fopen(path, "rb");
	uint8_t *data = NULL;
	struct stat st;

	if (!f || fstat(fileno(f), &st)) {
		log_error("cannot read %s: %s", path, strerror(errno));
		return NULL;
	}
	if (!S_ISREG(st.st_mode) || st.st_size > FILE_MAX) {
		log_error("cannot read %s: not a regular file of at most 1 GiB", path);
		return NULL;
	}
	data = malloc(st.st_size + 1);
	*len = data ? fread(data, 1, st.st_size, f) : 0;
	if (!data || *len != (size_t)st.st_size) {
		log_error("cannot read %s: %s", path, data ? "short read" : "out of memory");
		free(data);
		return NULL;
	}
	return data;
}

struct decode {
	const struct config *config;
	size_t requests;
	size_t unparsed;
};

static void on_finished(void *ctx, const struct request_record *r)
{
	struct decode *d = ctx;

	d->requests++;
	request_print(d->config, r);
}

static void on_unparsed(void *ctx, const struct server *s, enum unparsed_reason reason)
{
	struct decode *d = ctx;

	(void)s;
	d->unparsed++;
	log_warn("a stream could not be parsed: %s", unparsed_reason_name(reason));
}

int cmd_wire_decode(const struct config *c)
{
	static const struct tracker_ops ops = { .finished = on_finished, .unparsed = on_unparsed };
	struct decode d = { .config = c };
	size_t request_len = 0, response_len = 0;
	_cleanup_free_ uint8_t *request = NULL;
	_cleanup_free_ uint8_t *response = NULL;
	int err;

	if (!c->request_file || !c->response_file) {
		log_error("wire decode needs --request FILE and --response FILE");
		return EXIT_USAGE;
	}
	request = read_file(c->request_file, &request_len);
	response = request ? read_file(c->response_file, &response_len) : NULL;
	if (!response)
		return 1;
	request_print_header(c);
	err = tracker_decode(&ops, &d, request, request_len, response, response_len);
	if (err) {
		log_error("cannot decode: %s", strerror(-err));
		return 1;
	}
	if (!d.requests)
		log_warn(
			"no inference request found (routes: see README, 'What counts as a request')");
	return d.requests && !d.unparsed ? 0 : 1;
}
