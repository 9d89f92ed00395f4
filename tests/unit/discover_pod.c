// SPDX-License-Identifier: Apache-2.0
/* A server whose pod becomes known: its names, its labels and its Resource. */
#include "discover_world.h"

#include "discover/describe.h"
#include "discover/labels.h"

#define CONTAINER "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define POD_PATH \
	"0::/kubepods.slice/kubepods-pod0a1b2c3d_1111_2222_3333_444455556666.slice/cri-containerd-"

static const struct k8s_identity pod = {
	.namespace_name = "prod",
	.pod_name = "llama-7d9c6b5f4-x2x4q",
	.container_name = "server",
	.node_name = "node-7",
	.workload_kind = "deployment",
	.workload_name = "llama",
	.service_name = "chat",
};

/* A server in a container; environment: "" or "NAME=VALUE". */
static const struct server *found_server(struct world *w, const char *environment)
{
	char name[32];

	tree_process(&w->tree, 50, 1, "/usr/bin/llama-server", "llama-server");
	tree_file(&w->tree, 50, "cgroup", POD_PATH CONTAINER ".scope\n");
	snprintf(name, sizeof(name), "50/environ");
	tree_write(&w->tree, name, environment, strlen(environment) + 1, "w");
	tree_listen(&w->tree, 50, 8080, 9001);
	assert_int_equal(scan(w), 1);
	return server(w, 0);
}

static void test_names_change_in_place(void **state)
{
	struct world *w = *state;
	const struct server *s = found_server(w, "");
	struct labels before = { 0 }, after = { 0 };

	labels_of_server(&before, s);
	assert_string_equal(s->instance_id, CONTAINER);
	assert_string_equal(s->pod_uid, "0a1b2c3d-1111-2222-3333-444455556666");
	assert_string_equal(before.values[5], "");
	assert_ptr_equal(discovery_identify(w->d, s->id, &pod), s);
	assert_string_equal(s->service_name, "chat");
	assert_string_equal(s->instance_id, "prod.llama-7d9c6b5f4-x2x4q.server");
	labels_of_server(&after, s);
	/* Labels that were made before are right too. */
	for (int i = 0; i < SERVER_LABELS; i++)
		assert_string_equal(before.values[i], after.values[i]);
	assert_string_equal(after.values[5], "prod");
	assert_string_equal(after.values[6], "llama-7d9c6b5f4-x2x4q");
}

static void test_a_server_that_names_itself(void **state)
{
	struct world *w = *state;
	const struct server *s = found_server(w, "OTEL_SERVICE_NAME=mine");

	assert_non_null(discovery_identify(w->d, s->id, &pod));
	assert_string_equal(s->service_name, "mine");
	assert_string_equal(s->k8s.pod_name, "llama-7d9c6b5f4-x2x4q");
}

static void test_only_the_pod_is_known(void **state)
{
	struct k8s_identity no_container = pod;
	struct world *w = *state;
	const struct server *s = found_server(w, "");

	no_container.container_name[0] = '\0';
	assert_non_null(discovery_identify(w->d, s->id, &no_container));
	assert_string_equal(s->instance_id, CONTAINER);
	assert_string_equal(s->service_name, "chat");
}

static void test_names_as_long_as_they_get(void **state)
{
	struct k8s_identity k = pod;
	struct world *w = *state;
	const struct server *s = found_server(w, "");

	memset(k.namespace_name, 'n', K8S_LABEL_MAX);
	memset(k.pod_name, 'p', K8S_NAME_MAX);
	assert_non_null(discovery_identify(w->d, s->id, &k));
	assert_int_equal(strlen(s->instance_id), SERVER_INSTANCE_MAX - 1);
	assert_int_equal(s->instance_id[K8S_LABEL_MAX], '.');
}

static void test_an_unknown_server(void **state)
{
	struct world *w = *state;
	const struct server *s = found_server(w, "");

	assert_null(discovery_identify(w->d, s->id + 1, &pod));
	assert_string_equal(s->k8s.pod_name, "");
}

static void test_resource(void **state)
{
	struct world *w = *state;
	const struct server *s = found_server(w, "");
	struct resource *r = server_resource(s, "host-id", "host-name");

	assert_string_equal(resource_text(r, "service.name"), "llama.cpp");
	assert_string_equal(resource_text(r, "container.id"), CONTAINER);
	assert_null(resource_text(r, "k8s.pod.name"));
	assert_null(resource_text(r, "k8s.workload.name"));
	resource_put(r);
	discovery_identify(w->d, s->id, &pod);
	r = server_resource(s, "host-id", "host-name");
	assert_string_equal(resource_text(r, "service.name"), "chat");
	assert_string_equal(resource_text(r, "service.namespace"), "prod");
	assert_string_equal(resource_text(r, "k8s.pod.uid"),
			    "0a1b2c3d-1111-2222-3333-444455556666");
	assert_string_equal(resource_text(r, "k8s.container.name"), "server");
	assert_string_equal(resource_text(r, "k8s.node.name"), "node-7");
	assert_string_equal(resource_text(r, "k8s.deployment.name"), "llama");
	assert_string_equal(resource_text(r, "host.id"), "host-id");
	resource_put(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_names_change_in_place, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_server_that_names_itself, setup, teardown),
		cmocka_unit_test_setup_teardown(test_only_the_pod_is_known, setup, teardown),
		cmocka_unit_test_setup_teardown(test_names_as_long_as_they_get, setup, teardown),
		cmocka_unit_test_setup_teardown(test_an_unknown_server, setup, teardown),
		cmocka_unit_test_setup_teardown(test_resource, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
