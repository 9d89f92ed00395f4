/* SPDX-License-Identifier: Apache-2.0 */
/* The one question that is asked of the API server: which pods are on this node? One thread, except for cancelling. */
#ifndef KUBE_API_H
#define KUBE_API_H

#include <stdbool.h>

#include "kube/kube.h"
#include "kube/pods.h"

struct kube_api;

/* NULL with errno set: ENOENT where no server is named, in the config or (of a pod) in the environment. */
struct kube_api *kube_api_new(const struct kube_config *config);
void kube_api_free(struct kube_api *a);

/* Asks for all pages; *requests counts them. 0, or negative errno and kube_api_error(). */
int kube_api_list(struct kube_api *a, struct pods *pods, uint64_t *requests);
/* What went wrong, with whom, and what to do; of the latest list that failed. */
const char *kube_api_error(const struct kube_api *a);
/* From any thread: a request that is under way ends soon, later ones at once. */
void kube_api_cancel(struct kube_api *a);

#endif
