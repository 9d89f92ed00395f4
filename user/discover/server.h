/* SPDX-License-Identifier: Apache-2.0 */
/* An observed inference server: identity and how it was found. */
#ifndef DISCOVER_SERVER_H
#define DISCOVER_SERVER_H

#include <stdbool.h>
#include <stdint.h>

#define SERVER_NAME_MAX	    128
#define SERVER_INSTANCE_MAX 192
#define SERVER_ADDRESS_MAX  108 /* a unix socket path */
#define SERVER_REASON_MAX   128

/* Names as Kubernetes limits them (DNS subdomain, DNS label). */
#define K8S_NAME_MAX  253
#define K8S_LABEL_MAX 63

/* What the API server says of a pod; "" where it has said nothing. */
struct k8s_identity {
	char namespace_name[K8S_LABEL_MAX + 1];
	char pod_name[K8S_NAME_MAX + 1];
	char container_name[K8S_LABEL_MAX + 1];
	char node_name[K8S_NAME_MAX + 1];
	char workload_kind
		[16]; /* "deployment", "statefulset", "daemonset", "replicaset", "job", "cronjob" */
	char workload_name[K8S_NAME_MAX + 1];
	char service_name
		[SERVER_NAME_MAX]; /* by the rules for Kubernetes of the OpenTelemetry conventions */
};

/*
 * One server = one listening address in one network namespace, however many processes serve it. Owned by the
 * discovery; a pointer is valid until discovery_tick() retires it (5 minutes after it is gone); ids never repeat.
 */
struct server {
	uint32_t id; /* > 0 */
	/* Label tokscope_server: "llama.cpp", "vllm", ..., "unknown"; the rule's. */
	const char *engine;
	char service_name[SERVER_NAME_MAX];
	bool names_itself;		       /* service_name is its own OTEL_SERVICE_NAME */
	char instance_id[SERVER_INSTANCE_MAX]; /* service.instance.id (design.md 6, Identity) */
	char address[SERVER_ADDRESS_MAX]; /* listening address as text, or the unix socket's path */
	uint16_t port;			  /* 0: unix socket */
	uint32_t netns;			  /* inode of its network namespace */
	char container_id[65];		  /* "" outside a container */
	char pod_uid[37];		  /* "" outside Kubernetes */
	struct k8s_identity k8s;
	uint32_t pid;	    /* the process that was found first (host pid) */
	uint32_t processes; /* live ones */
	/* Why it was taken for a server: "maps libllama-server-impl.so". */
	char reason[SERVER_REASON_MAX];
	uint64_t found_ns; /* CLOCK_MONOTONIC */
	uint64_t gone_ns;  /* 0 while any process lives */
};

#endif
