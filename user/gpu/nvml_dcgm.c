// SPDX-License-Identifier: Apache-2.0
#include "gpu/nvml_dcgm.h"

#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"

#define DCGM_NAME    "dcgm-exporter"
#define DCGM_PORT    9400 /* its default, and Prometheus' port allocation for it */
#define STATE_LISTEN 0x0A

static bool process_is_dcgm(const char *proc, const char *pid)
{
	_cleanup_fclose_ FILE *f = NULL;
	char path[PATH_MAX], comm[32] = "";

	snprintf(path, sizeof(path), "%s/%s/comm", proc, pid);
	f = fopen(path, "re");
	if (!f || !fgets(comm, sizeof(comm), f))
		return false;
	comm[strcspn(comm, "\n")] = '\0';
	return !strcmp(comm, DCGM_NAME);
}

static bool has_process(const char *proc)
{
	_cleanup_closedir_ DIR *dir = opendir(proc);
	struct dirent *e;

	while (dir && (e = readdir(dir)))
		if (isdigit((unsigned char)e->d_name[0]) && process_is_dcgm(proc, e->d_name))
			return true;
	return false;
}

/* A table as proc(5) has it: "sl: local_address:PORT remote_address:PORT STATE ...", in hexadecimal. */
static bool has_listener(const char *proc, const char *table)
{
	_cleanup_fclose_ FILE *f = NULL;
	char path[PATH_MAX], line[512];
	unsigned int port, state;

	snprintf(path, sizeof(path), "%s/net/%s", proc, table);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, " %*u: %*[0-9A-F]:%x %*[0-9A-F]:%*x %x", &port, &state) == 2 &&
		    port == DCGM_PORT && state == STATE_LISTEN)
			return true;
	return false;
}

bool dcgm_exporter_runs(const char *proc)
{
	return has_process(proc) || has_listener(proc, "tcp") || has_listener(proc, "tcp6");
}
