/* SPDX-License-Identifier: Apache-2.0 */
/* Who a server is (design.md 6, Identity): service name, instance id, container, pod. */
#ifndef DISCOVER_IDENTITY_H
#define DISCOVER_IDENTITY_H

#include <stddef.h>
#include <stdint.h>

#include "discover/server.h"

/* The machine id, else the host name. */
void identity_host(char *host, size_t len);

/* Container and pod out of one /proc/PID/cgroup; both "" where it names none. */
void identity_cgroup(const char *proc_root, uint32_t pid, char container_id[65], char pod_uid[37]);

/*
 * Fills service_name, instance_id, container_id and pod_uid of s, whose engine and pid are set. start is the process's
 * start time in clock ticks since boot.
 */
void identity_fill(struct server *s, const char *proc_root, const char *host_id, uint64_t start,
		   const char *comm);

#endif
