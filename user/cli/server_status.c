// SPDX-License-Identifier: Apache-2.0
#include "cli/server_status.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <uthash.h>

struct row {
	uint32_t id;
	uint64_t unparsed[UNPARSED_MAX];
	UT_hash_handle hh;
};

struct server_status {
	struct row *rows;     /* by server id; the session's thread only */
	pthread_mutex_t lock; /* guards text */
	char *text;	      /* last rendering, malloced by jansson; NULL before the first */
};

struct server_status *server_status_new(void)
{
	struct server_status *st = calloc(1, sizeof(*st));

	if (st)
		pthread_mutex_init(&st->lock, NULL);
	return st;
}

void server_status_free(struct server_status *st)
{
	struct row *row, *next;

	if (!st)
		return;
	HASH_ITER(hh, st->rows, row, next) {
		HASH_DEL(st->rows, row);
		free(row);
	}
	pthread_mutex_destroy(&st->lock);
	free(st->text);
	free(st);
}

static struct row *find(const struct server_status *st, uint32_t id)
{
	struct row *row;

	HASH_FIND(hh, st->rows, &id, sizeof(id), row);
	return row;
}

void server_status_unparsed(struct server_status *st, const struct server *s,
			    enum unparsed_reason reason)
{
	struct row *row;

	if (!s)
		return;
	row = find(st, s->id);
	if (!row) {
		row = calloc(1, sizeof(*row));
		if (!row)
			return;
		row->id = s->id;
		HASH_ADD(hh, st->rows, id, sizeof(row->id), row);
	}
	row->unparsed[reason]++;
}

void server_status_retire(struct server_status *st, const struct server *s)
{
	struct row *row = find(st, s->id);

	if (!row)
		return;
	HASH_DEL(st->rows, row);
	free(row);
}

static json_t *text_or_null(const char *s)
{
	return *s ? json_string(s) : json_null();
}

static json_t *unparsed_object(const uint64_t *unparsed)
{
	json_t *o = json_object();

	for (int i = 0; i < UNPARSED_MAX; i++)
		if (unparsed && unparsed[i])
			json_object_set_new(o, unparsed_reason_name(i), json_integer(unparsed[i]));
	return o;
}

json_t *server_status_object(const struct server *s, const uint64_t *unparsed)
{
	return json_pack(
		"{s:s, s:s, s:s, s:s, s:i, s:i, s:i, s:b, s:o, s:o, s:o, s:o, s:o, s:s, s:o}",
		"server", s->engine, "service_name", s->service_name, "instance_id", s->instance_id,
		"address", s->address, "port", s->port, "pid", s->pid, "processes", s->processes,
		"alive", s->gone_ns == 0, "container_id", text_or_null(s->container_id), "pod_uid",
		text_or_null(s->pod_uid), "namespace", text_or_null(s->k8s.namespace_name), "pod",
		text_or_null(s->k8s.pod_name), "container", text_or_null(s->k8s.container_name),
		"reason", s->reason, "unparsed", unparsed_object(unparsed));
}

void server_status_publish(struct server_status *st, const struct discovery *d)
{
	static const uint64_t none[UNPARSED_MAX];
	json_t *list = json_array();
	const struct server *s;
	size_t cursor = 0;
	char *text;

	while ((s = discovery_next(d, &cursor))) {
		struct row *row = find(st, s->id);

		json_array_append_new(list, server_status_object(s, row ? row->unparsed : none));
	}
	text = json_dumps(list, JSON_COMPACT | JSON_PRESERVE_ORDER);
	json_decref(list);
	if (!text)
		return;
	pthread_mutex_lock(&st->lock);
	free(st->text);
	st->text = text;
	pthread_mutex_unlock(&st->lock);
}

int server_status_json(struct server_status *st, struct buf *out)
{
	int err = -EAGAIN;

	pthread_mutex_lock(&st->lock);
	if (st->text) {
		buf_puts(out, st->text);
		buf_puts(out, "\n");
		err = out->err;
	}
	pthread_mutex_unlock(&st->lock);
	return err;
}
