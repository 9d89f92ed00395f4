/* SPDX-License-Identifier: Apache-2.0 */
/* Who a server is (design.md 6, Identity): service name, instance id, container, pod. */
#ifndef DISCOVER_IDENTITY_H
#define DISCOVER_IDENTITY_H

#include <stddef.h>
#include <stdint.h>

#include "discover/server.h"

/* The machine id, else the host name: of the host, also in a container that shares its pid namespace. */
void identity_host(char *host, size_t len);

/* The node as Kubernetes calls it: `given`, else NODE_NAME of the environment; NULL: neither is set. */
const char *identity_node(const char *given);
/* The node's name as above, because a pod has a host name of its own; without Kubernetes the host's. */
void identity_host_name(char *name, size_t len, const char *given_node);

/* Container and pod out of one /proc/PID/cgroup; both "" where it names none. */
void identity_cgroup(const char *proc_root, uint32_t pid, char container_id[65], char pod_uid[37]);

/*
 * Fills service_name, instance_id, container_id and pod_uid of s, whose engine and pid are set. start is the process's
 * start time in clock ticks since boot.
 */
void identity_fill(struct server *s, const char *proc_root, const char *host_id, uint64_t start,
		   const char *comm);

/*
 * What Kubernetes says of a server that was filled: its names; namespace.pod.container as instance_id, where the container is
 * known; the service name, unless the server names itself.
 */
void identity_of_pod(struct server *s, const struct k8s_identity *k);

#endif
