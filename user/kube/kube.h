/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of this node's pods, from the Kubernetes API server. A thread of its own asks; whoever wants a name gets what is known
 * now, and never waits.
 */
#ifndef KUBE_KUBE_H
#define KUBE_KUBE_H

#include <stdbool.h>
#include <stdint.h>

#include "discover/server.h"

struct kube_config {
	const char *api; /* "https://10.0.0.1:443"; NULL: KUBERNETES_SERVICE_HOST and _PORT */
	const char *
		token_file; /* NULL: /var/run/secrets/kubernetes.io/serviceaccount/token; read anew for each request */
	const char *ca_file;   /* NULL: ca.crt beside it */
	const char *node_name; /* NULL: NODE_NAME of the environment, else the host's name */
};

struct kube_stats {
	uint64_t pods;	   /* known now */
	uint64_t requests; /* pages of lists asked for */
	uint64_t failures; /* lists without a usable answer */
	uint64_t left_out; /* of the latest list: what the table has no room for */
};

struct kube;

/* NULL with errno set: ENOENT where this is no pod and no API was named. */
struct kube *kube_new(const struct kube_config *config);
void kube_free(struct kube *k);
/*
 * false: not known (yet); the next list is then asked for soon, some times for each id. Either id may be "". container_name is
 * "" where only the pod is known: the container is none of Kubernetes'.
 */
bool kube_identify(struct kube *k, const char *container_id, const char *pod_uid,
		   struct k8s_identity *out);
void kube_get_stats(struct kube *k, struct kube_stats *out);

#endif
