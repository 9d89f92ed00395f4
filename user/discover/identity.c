// SPDX-License-Identifier: Apache-2.0
#include "discover/identity.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
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

void identity_host(char *host, size_t len)
{
	_cleanup_fclose_ FILE *f = fopen("/etc/machine-id", "re");
	char id[256] = "";

	if (!f || fscanf(f, "%255s", id) != 1)
		gethostname(id, sizeof(id) - 1);
	text_copy(host, len, *id ? id : "localhost");
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

	if (procfs_env(proc_root, s->pid, "OTEL_SERVICE_NAME", name, sizeof(name)) || !*name)
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
