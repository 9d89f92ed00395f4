// SPDX-License-Identifier: Apache-2.0
#include "kube/pods.h"

#include <ctype.h>
#include <errno.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "discover/text.h"

/* A node has 110 pods by default, 500 where a vendor allows it; a row takes about 1.2 kB. */
#define ROWS_MAX 4096

/* ------------------------------------------------------------------ JSON */

static const json_t *member(const json_t *object, const char *key)
{
	return json_object_get(object, key);
}

/* "" where there is none. What follows a NUL, which JSON allows, is cut. */
static const char *text(const json_t *object, const char *key)
{
	const char *s = json_string_value(member(object, key));

	return s ? s : "";
}

/* A name as Kubernetes allows it: false, and "", where it is none or does not fit. */
static bool copy_name(char *dst, size_t size, const char *name)
{
	size_t len = strlen(name);

	dst[0] = '\0';
	for (size_t i = 0; i < len; i++)
		if (!isalnum((unsigned char)name[i]) && name[i] != '-' && name[i] != '.')
			return false;
	if (!len || len >= size)
		return false;
	memcpy(dst, name, len + 1);
	return true;
}

/* ------------------------------------------------------------------ one pod */

static const json_t *controller(const json_t *metadata)
{
	const json_t *owners = member(metadata, "ownerReferences"), *owner;
	size_t i;

	json_array_foreach(owners, i, owner)
		if (json_is_true(member(owner, "controller")))
			return owner;
	return NULL;
}

/* A Deployment owns its pods through a ReplicaSet that is called "DEPLOYMENT-HASH", and the pod's label has the hash. */
static bool cut_hash(char *name, const char *hash)
{
	size_t len = strlen(name), tail = strlen(hash) + 1;

	if (!*hash || len <= tail || name[len - tail] != '-' || strcmp(name + len - tail + 1, hash))
		return false;
	name[len - tail] = '\0';
	return true;
}

static void read_workload(struct k8s_identity *k, const json_t *metadata)
{
	static const char *const kinds[][2] = {
		{ "ReplicaSet", "replicaset" }, { "StatefulSet", "statefulset" },
		{ "DaemonSet", "daemonset" },	{ "Job", "job" },
		{ "CronJob", "cronjob" },
	};
	const json_t *owner = controller(metadata);
	const char *hash = text(member(metadata, "labels"), "pod-template-hash");

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		const char *kind = kinds[i][1];

		if (strcmp(text(owner, "kind"), kinds[i][0]) ||
		    !copy_name(k->workload_name, sizeof(k->workload_name), text(owner, "name")))
			continue;
		if (!i && cut_hash(k->workload_name, hash))
			kind = "deployment";
		snprintf(k->workload_kind, sizeof(k->workload_kind), "%s", kind);
	}
}

/* The order is that of the OpenTelemetry conventions, docs/non-normative/k8s-attributes.md. */
static void read_service_name(struct k8s_identity *k, const json_t *metadata)
{
	const json_t *labels = member(metadata, "labels");
	const char *const candidates[] = {
		text(member(metadata, "annotations"), "resource.opentelemetry.io/service.name"),
		text(labels, "app.kubernetes.io/instance"),
		text(labels, "app.kubernetes.io/name"),
		k->workload_name,
		k->pod_name,
	};

	for (size_t i = 0; !*k->service_name && i < sizeof(candidates) / sizeof(candidates[0]); i++)
		text_copy(k->service_name, sizeof(k->service_name), candidates[i]);
}

static bool read_identity(struct k8s_identity *k, const json_t *pod)
{
	const json_t *metadata = member(pod, "metadata");

	memset(k, 0, sizeof(*k));
	if (!copy_name(k->namespace_name, sizeof(k->namespace_name), text(metadata, "namespace")) ||
	    !copy_name(k->pod_name, sizeof(k->pod_name), text(metadata, "name")))
		return false;
	copy_name(k->node_name, sizeof(k->node_name), text(member(pod, "spec"), "nodeName"));
	read_workload(k, metadata);
	read_service_name(k, metadata);
	return true;
}

/* ------------------------------------------------------------------ the table */

static bool is_id(const char *id, size_t min)
{
	size_t len = strspn(id, "0123456789abcdef-");

	return len >= min && len <= POD_ID_MAX && !id[len];
}

/* Whoever comes first with an id keeps it. */
static void add(struct pods *p, const char *id, const struct k8s_identity *k)
{
	struct pod_row *row = NULL;

	if (pods_find(p, id))
		return;
	if (HASH_COUNT(p->rows) < ROWS_MAX)
		row = calloc(1, sizeof(*row));
	if (!row) {
		p->left_out++;
		return;
	}
	strcpy(row->id, id);
	row->k8s = *k;
	HASH_ADD_STR(p->rows, id, row);
	if (row->hh.tbl)
		return;
	free(row);
	p->left_out++;
}

/* "containerd://0123..."; containers that have not started have no id. */
static void add_containers(struct pods *p, const json_t *statuses, struct k8s_identity *k)
{
	const json_t *status;
	size_t i;

	json_array_foreach(statuses, i, status) {
		const char *id = strstr(text(status, "containerID"), "://");

		if (id && is_id(id + 3, POD_ID_MAX) &&
		    copy_name(k->container_name, sizeof(k->container_name), text(status, "name")))
			add(p, id + 3, k);
	}
	k->container_name[0] = '\0';
}

/* The cgroup of a static pod has the hash of its manifest in the place of the uid. */
static void add_pod(struct pods *p, const json_t *pod)
{
	const json_t *metadata = member(pod, "metadata"), *status = member(pod, "status");
	const json_t *annotations = member(metadata, "annotations");
	const char *const uids[] = {
		text(metadata, "uid"),
		text(annotations, "kubernetes.io/config.hash"),
		text(annotations, "kubernetes.io/config.mirror"),
	};
	struct k8s_identity k;

	if (!read_identity(&k, pod))
		return;
	p->count++;
	add_containers(p, member(status, "containerStatuses"), &k);
	add_containers(p, member(status, "initContainerStatuses"), &k);
	add_containers(p, member(status, "ephemeralContainerStatuses"), &k);
	for (size_t i = 0; i < sizeof(uids) / sizeof(uids[0]); i++)
		if (is_id(uids[i], 32))
			add(p, uids[i], &k);
}

int pods_read(struct pods *p, const char *json, size_t len, char next[POD_CONTINUE_MAX])
{
	/* A NUL in one pod's annotation must not hide all the others. */
	json_t *list = json_loadb(json, len, JSON_ALLOW_NUL, NULL);
	const json_t *items = member(list, "items"), *pod;
	int n = snprintf(next, POD_CONTINUE_MAX, "%s", text(member(list, "metadata"), "continue"));
	/* "null" is how Go writes an empty list. */
	int err = (json_is_array(items) || json_is_null(items)) && n < POD_CONTINUE_MAX ? 0
											: -EBADMSG;
	size_t i;

	if (!err)
		json_array_foreach(items, i, pod)
			add_pod(p, pod);
	json_decref(list);
	return err;
}

const struct k8s_identity *pods_find(const struct pods *p, const char *id)
{
	struct pod_row *row = NULL;

	if (*id)
		HASH_FIND_STR(p->rows, id, row);
	return row ? &row->k8s : NULL;
}

void pods_free(struct pods *p)
{
	struct pod_row *row, *next;

	HASH_ITER(hh, p->rows, row, next) {
		HASH_DEL(p->rows, row);
		free(row);
	}
	*p = (struct pods){ 0 };
}
