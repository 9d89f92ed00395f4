// SPDX-License-Identifier: Apache-2.0
#include "discover/describe.h"

#include <stdio.h>

/* k8s.deployment.name, k8s.statefulset.name, ...: the convention has a key for each kind of workload. */
static void workload_key(const struct k8s_identity *k, char *key, size_t len)
{
	if (*k->workload_kind)
		snprintf(key, len, "k8s.%s.name", k->workload_kind);
	else
		snprintf(key, len, "k8s.workload.name");
}

struct resource *server_resource(const struct server *s, const char *host_id, const char *host_name)
{
	char workload[40];
	const struct attribute attributes[] = {
		{ "service.name", s->service_name, 0 },
		{ "service.instance.id", s->instance_id, 0 },
		{ "service.namespace", s->k8s.namespace_name, 0 },
		{ "tokscope.server", s->engine, 0 },
		{ "host.id", host_id, 0 },
		{ "host.name", host_name, 0 },
		{ "process.pid", NULL, s->pid },
		{ "container.id", s->container_id, 0 },
		{ "k8s.namespace.name", s->k8s.namespace_name, 0 },
		{ "k8s.pod.name", s->k8s.pod_name, 0 },
		{ "k8s.pod.uid", s->pod_uid, 0 },
		{ "k8s.container.name", s->k8s.container_name, 0 },
		{ "k8s.node.name", s->k8s.node_name, 0 },
		{ workload, s->k8s.workload_name, 0 },
		{ "telemetry.sdk.name", "tokscope", 0 },
		{ "telemetry.sdk.language", "c", 0 },
		{ "telemetry.sdk.version", TOKSCOPE_VERSION, 0 },
	};

	workload_key(&s->k8s, workload, sizeof(workload));
	return resource_new(attributes, sizeof(attributes) / sizeof(attributes[0]));
}
