// SPDX-License-Identifier: Apache-2.0
#include "discover/identity.h"

#include <ctype.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "discover/engine.h"
#include "discover/procfs.h"
#include "discover/text.h"

#define CGROUP_READ_MAX (64 * 1024)
#define CONTAINER_LEN	64
#define UID_LEN		36
#define STATIC_UID_LEN	32 /* a static pod's uid is an md5 without dashes */

static bool read_word(const char *path, char word[256])
{
	_cleanup_fclose_ FILE *f = fopen(path, "re");

	return f && fscanf(f, "%255s", word) == 1;
}

/* In a container that sees the host's processes (hostPID), process 1 has the host's files. */
void identity_host(char *host, size_t len)
{
	char id[256] = "";

	if (!read_word("/proc/1/root/etc/machine-id", id) && !read_word("/etc/machine-id", id))
		gethostname(id, sizeof(id) - 1);
	text_copy(host, len, *id ? id : "localhost");
}

const char *identity_node(const char *given)
{
	const char *node = given && *given ? given : getenv("NODE_NAME");

	return node && *node ? node : NULL;
}

void identity_host_name(char *name, size_t len, const char *given_node)
{
	const char *node = identity_node(given_node);
	char host[HOST_NAME_MAX + 1] = "";

	if (!node)
		gethostname(host, sizeof(host) - 1);
	text_copy(name, len, node ?: host);
}

static size_t hex_run(const char *s)
{
	size_t n = 0;

	while (isxdigit((unsigned char)s[n]))
		n++;
	return n;
}

/* The last run of exactly 64 hex digits: "docker-<id>.scope", "/kubepods/pod<uid>/<id>", "libpod-<id>". */
static void find_container(const char *path, char *id)
{
	while (*path) {
		size_t n = hex_run(path);

		if (n == CONTAINER_LEN)
			snprintf(id, CONTAINER_LEN + 1, "%s", path);
		path += n ? n : 1;
	}
}

/* 8-4-4-4-12 hex digits; the systemd cgroup driver writes the dashes as underscores. */
static bool is_uid(const char *s)
{
	static const uint8_t groups[] = { 8, 4, 4, 4, 12 };

	for (size_t i = 0; i < sizeof(groups); i++) {
		if (hex_run(s) != groups[i])
			return false;
		s += groups[i];
		if (i < sizeof(groups) - 1 && *s != '-' && *s != '_')
			return false;
		s++;
	}
	return true;
}

static void find_pod(const char *path, char *uid)
{
	while ((path = strstr(path, "pod"))) {
		path += strlen("pod");
		if (is_uid(path))
			snprintf(uid, UID_LEN + 1, "%s", path);
		else if (hex_run(path) == STATIC_UID_LEN)
			snprintf(uid, STATIC_UID_LEN + 1, "%s", path);
		else
			continue;
		for (char *p = uid; *p; p++)
			if (*p == '_')
				*p = '-';
	}
}

struct cgroup {
	char *container_id, *pod_uid;
};

/* "0::/path" or "4:memory:/path" */
static bool cgroup_line(void *ctx, char *line)
{
	struct cgroup *c = ctx;
	const char *path = strchr(line, '/');

	if (!path)
		return false;
	find_container(path, c->container_id);
	find_pod(path, c->pod_uid);
	return *c->container_id != '\0';
}

void identity_cgroup(const char *proc_root, uint32_t pid, char container_id[65], char pod_uid[37])
{
	struct cgroup c = { container_id, pod_uid };

	container_id[0] = pod_uid[0] = '\0';
	procfs_lines(proc_root, pid, "cgroup", CGROUP_READ_MAX, cgroup_line, &c);
}

static void service_name(struct server *s, const char *proc_root, const char *comm)
{
	char name[SERVER_NAME_MAX * 4];

	s->names_itself =
		!procfs_env(proc_root, s->pid, "OTEL_SERVICE_NAME", name, sizeof(name)) && *name;
	if (!s->names_itself)
		snprintf(name, sizeof(name), "%s",
			 strcmp(s->engine, ENGINE_UNKNOWN) ? s->engine : comm);
	text_copy(s->service_name, sizeof(s->service_name), *name ? name : s->engine);
}

void identity_fill(struct server *s, const char *proc_root, const char *host_id, uint64_t start,
		   const char *comm)
{
	char instance[SERVER_INSTANCE_MAX * 2];

	service_name(s, proc_root, comm);
	identity_cgroup(proc_root, s->pid, s->container_id, s->pod_uid);
	if (*s->container_id)
		snprintf(instance, sizeof(instance), "%s", s->container_id);
	else
		snprintf(instance, sizeof(instance), "%.128s:%" PRIu32 ":%" PRIu64, host_id, s->pid,
			 start);
	text_copy(s->instance_id, sizeof(s->instance_id), instance);
}

void identity_of_pod(struct server *s, const struct k8s_identity *k)
{
	char instance[sizeof(k->namespace_name) + sizeof(k->pod_name) + sizeof(k->container_name)];

	s->k8s = *k;
	if (!s->names_itself && *k->service_name)
		text_copy(s->service_name, sizeof(s->service_name), k->service_name);
	if (!*k->container_name)
		return;
	snprintf(instance, sizeof(instance), "%s.%s.%s", k->namespace_name, k->pod_name,
		 k->container_name);
	text_copy(s->instance_id, sizeof(s->instance_id), instance);
}
