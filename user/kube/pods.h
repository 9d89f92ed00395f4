/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A node's pods as the API server lists them (a PodList of core/v1), found by what a cgroup path tells: the id of a container, or
 * the uid of a pod. Everything in the list but its form was chosen by whoever made the pods: names that Kubernetes would not
 * allow are left out, other texts are cut and made fit to print.
 */
#ifndef KUBE_PODS_H
#define KUBE_PODS_H

#include <stddef.h>
#include <stdint.h>

/* An allocation that fails loses that row, not the process. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "discover/server.h"

#define POD_ID_MAX 64 /* hex digits of a container id; a uid has 36 characters */
#define POD_CONTINUE_MAX \
	4096 /* of the token that asks for the next page; an API server's has some 200 bytes */

struct pod_row {
	char id[POD_ID_MAX + 1];
	struct k8s_identity k8s;
	UT_hash_handle hh;
};

struct pods {
	struct pod_row *rows; /* by id; one for each container, one or two for each pod */
	uint64_t count;	      /* pods read */
	uint64_t left_out;    /* containers and pods that the table had no room for */
};

/*
 * Adds one page of the list. next: the token of the page that follows, "" after the last. Returns 0, -EBADMSG where this is no
 * list of pods, -ENOMEM.
 */
int pods_read(struct pods *p, const char *text, size_t len, char next[POD_CONTINUE_MAX]);
/* NULL: not there. */
const struct k8s_identity *pods_find(const struct pods *p, const char *id);
void pods_free(struct pods *p);

#endif
