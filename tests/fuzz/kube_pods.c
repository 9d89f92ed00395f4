// SPDX-License-Identifier: Apache-2.0
/*
 * A list of pods as an API server may send it, with metadata that whoever makes a pod chooses: ids and names that come out are
 * such as Kubernetes allows, and the service name is UTF-8.
 */
#include "fuzz.h"

#include "base/utf8.h"
#include "kube/pods.h"

static void check_name(const char *name, bool may_be_empty)
{
	fuzz_check(may_be_empty || *name);
	fuzz_check(!name[strspn(
		name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-")]);
}

static void check_row(const struct pod_row *row)
{
	size_t len = strlen(row->id);

	fuzz_check(len >= 32 && len <= POD_ID_MAX);
	check_name(row->id, false);
	check_name(row->k8s.namespace_name, false);
	check_name(row->k8s.pod_name, false);
	check_name(row->k8s.container_name, true);
	check_name(row->k8s.node_name, true);
	check_name(row->k8s.workload_name, true);
	fuzz_check(!*row->k8s.workload_kind == !*row->k8s.workload_name);
	fuzz_check(*row->k8s.service_name);
	fuzz_check(utf8_valid(row->k8s.service_name));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char next[POD_CONTINUE_MAX];
	struct pods pods = { 0 };

	if (!pods_read(&pods, (const char *)data, size, next))
		fuzz_check(strlen(next) < POD_CONTINUE_MAX);
	else
		fuzz_check(!pods.rows);
	for (const struct pod_row *row = pods.rows; row; row = row->hh.next)
		check_row(row);
	pods_free(&pods);
	return 0;
}
