// SPDX-License-Identifier: Apache-2.0
/* What is taken out of the API server's list of pods: names, workload, service name; and what hostile pods do to it. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "kube/pods.h"
#include "kube_list.h"

static int setup(void **state)
{
	*state = calloc(1, sizeof(struct pods));
	return *state ? 0 : -1;
}

static int teardown(void **state)
{
	pods_free(*state);
	free(*state);
	return 0;
}

static int try_text(struct pods *p, const char *text)
{
	char next[POD_CONTINUE_MAX];

	return pods_read(p, text, strlen(text), next);
}

static const struct k8s_identity *find(struct pods *p, const char *id)
{
	const struct k8s_identity *k = pods_find(p, id);

	assert_non_null(k);
	return k;
}

static void assert_workload(const struct k8s_identity *k, const char *kind, const char *name,
			    const char *service)
{
	assert_string_equal(k->workload_kind, kind);
	assert_string_equal(k->workload_name, name);
	assert_string_equal(k->service_name, service);
}

static void test_containers_of_a_deployment(void **state)
{
	static const struct {
		const char *id, *container;
	} rows[] = {
		{ SERVER_ID, "server" }, { SIDECAR_ID, "sidecar" }, { INIT_ID, "fetch" },
		{ DEBUG_ID, "debug" },	 { DEPLOYMENT_UID, "" },
	};
	struct pods *p = *state;

	assert_int_equal(try_text(p, PODS(DEPLOYMENT_POD, "")), 0);
	assert_int_equal(p->count, 1);
	assert_int_equal(HASH_COUNT(p->rows), 5);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct k8s_identity *k = find(p, rows[i].id);

		assert_string_equal(k->namespace_name, "prod");
		assert_string_equal(k->pod_name, "llama-7d9c6b5f4-x2x4q");
		assert_string_equal(k->container_name, rows[i].container);
		assert_string_equal(k->node_name, "node-7");
		assert_workload(k, "deployment", "llama", "llama");
	}
}

static void test_static_pod_has_two_uids(void **state)
{
	struct pods *p = *state;

	assert_int_equal(try_text(p, PODS(STATIC_POD, "")), 0);
	assert_string_equal(find(p, STATIC_ID)->container_name, "triton");
	assert_string_equal(find(p, STATIC_UID)->pod_name, "triton-node-7");
	/* A node is no workload: the pod's own name is left. */
	assert_workload(find(p, STATIC_HASH), "", "", "triton-node-7");
	assert_int_equal(HASH_COUNT(p->rows), 3);
}

static void test_workloads(void **state)
{
	static const struct {
		const char *owner, *kind, *name;
	} rows[] = {
		{ OWNER("StatefulSet", "vllm"), "statefulset", "vllm" },
		{ OWNER("DaemonSet", "tgi"), "daemonset", "tgi" },
		{ OWNER("Job", "batch-28391234"), "job", "batch-28391234" },
		/* Without the label, or with another one, it is a ReplicaSet of somebody's own. */
		{ OWNER("ReplicaSet", "mine-7d9c6b5f4"), "replicaset", "mine-7d9c6b5f4" },
		{ OWNER("ReplicaSet", "mine") ",\"labels\":{\"pod-template-hash\":\"mine\"}",
		  "replicaset", "mine" },
		{ OWNER("ReplicaSet", "-x") ",\"labels\":{\"pod-template-hash\":\"x\"}",
		  "replicaset", "-x" },
		{ OWNER("RayCluster", "ray"), "", "" },
		{ OWNER("Job", "no name"), "", "" },
		{ ",\"ownerReferences\":[{\"kind\":\"Job\",\"name\":\"j\"}]", "", "" },
		{ ",\"ownerReferences\":7", "", "" },
		{ "", "", "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf b = BUF_INIT;
		struct pods p = { 0 };

		buf_puts(&b, "{\"items\":[{\"metadata\":{\"namespace\":\"n\",\"name\":\"p\","
			     "\"uid\":\"" DEPLOYMENT_UID "\"");
		buf_puts(&b, rows[i].owner);
		buf_puts(&b, "}}]}");
		assert_int_equal(try_text(&p, b.data), 0);
		assert_workload(find(&p, DEPLOYMENT_UID), rows[i].kind, rows[i].name,
				*rows[i].name ? rows[i].name : "p");
		pods_free(&p);
		buf_free(&b);
	}
}

static void test_service_name_by_annotation_and_labels(void **state)
{
#define NAMED(hex, more) POD("p-" hex, ",\"uid\":\"" STATIC_HASH hex "\"" more, "")
#define NAME(n)		 "\"app.kubernetes.io/name\":\"" n "\""
#define INSTANCE(n)	 "\"app.kubernetes.io/instance\":\"" n "\""
	struct pods *p = *state;

	assert_int_equal(
		try_text(
			p,
			PODS(NAMED("1", OWNER("Job", "j")) "," NAMED(
				     "2",
				     ",\"labels\":{" NAME("app") "}" OWNER(
					     "Job",
					     "j")) "," NAMED("3",
							     ",\"labels\":{" NAME("app") "," INSTANCE(
								     "one") "}") "," NAMED("4",
											   ",\"annotations\":{\"resource.opentelemetry.io/"
											   "service.name\":\"chat\\u0007 \\u00e9\"},\"labels\":{" INSTANCE(
												   "one") "}"),
			     "")),
		0);
	assert_string_equal(find(p, STATIC_HASH "1")->service_name, "j");
	assert_string_equal(find(p, STATIC_HASH "2")->service_name, "app");
	assert_string_equal(find(p, STATIC_HASH "3")->service_name, "one");
	assert_string_equal(find(p, STATIC_HASH "4")->service_name, "chat? \u00e9");
}

static void test_pages_add_up(void **state)
{
	static const char first[] = PODS(DEPLOYMENT_POD, "eyJ2IjoibWV0YS5rOHMuaW8vdjEifQ");
	static const char second[] = PODS(STATIC_POD, "");
	char next[POD_CONTINUE_MAX];
	struct pods *p = *state;

	assert_int_equal(pods_read(p, first, strlen(first), next), 0);
	assert_string_equal(next, "eyJ2IjoibWV0YS5rOHMuaW8vdjEifQ");
	assert_int_equal(pods_read(p, second, strlen(second), next), 0);
	assert_string_equal(next, "");
	assert_int_equal(p->count, 2);
	assert_non_null(pods_find(p, SERVER_ID));
	assert_non_null(pods_find(p, STATIC_ID));
}

static void test_what_is_no_list(void **state)
{
	static const char *const texts[] = { "",
					     "{",
					     "[]",
					     "7",
					     "{}",
					     "{\"items\":{}}",
					     "{\"kind\":\"Status\",\"status\":\"Failure\"}" };
	struct pods *p = *state;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_int_equal(try_text(p, texts[i]), -EBADMSG);
	assert_int_equal(try_text(p, "{\"items\":null}"), 0);
	assert_int_equal(p->count, 0);
}

/* Of one pod, nothing but the pod itself is spoilt. */
static void test_hostile_pods(void **state)
{
	static const char *const pods[] = {
		"7",
		"null",
		"{}",
		"{\"metadata\":[]}",
		"{\"metadata\":{\"name\":\"../../x\",\"namespace\":\"n\"}}",
		"{\"metadata\":{\"name\":\"x\",\"namespace\":\"a\\\"b\"}}",
		"{\"metadata\":{\"name\":\"\",\"namespace\":\"n\"}}",
		"{\"metadata\":{\"name\":{\"a\":1},\"namespace\":[\"n\"]}}",
	};
	struct pods *p = *state;
	struct buf b = BUF_INIT;

	buf_puts(&b, "{\"items\":[");
	for (size_t i = 0; i < sizeof(pods) / sizeof(pods[0]); i++)
		buf_printf(&b, "%s,", pods[i]);
	buf_puts(&b,
		 POD("y", ",\"uid\":\"" STATIC_HASH "\",\"annotations\":{\"a\":\"\\u0000\"}",
		     ",\"containerStatuses\":[7,{},{\"name\":1,\"containerID\":2}," STATUS(
			     "a", "containerd://short") "," STATUS("b/c",
								   "containerd://" JOB_ID) "]"));
	buf_puts(&b, "]}");
	assert_int_equal(try_text(p, b.data), 0);
	buf_free(&b);
	assert_int_equal(p->count, 1);
	assert_int_equal(HASH_COUNT(p->rows), 1);
	assert_string_equal(find(p, STATIC_HASH)->pod_name, "y");
	assert_null(pods_find(p, ""));
	assert_null(pods_find(p, JOB_ID));
}

/* Names as long as Kubernetes allows fit; a longer one is none. */
static void test_long_names(void **state)
{
	struct pods *p = *state;
	struct buf b = BUF_INIT;

	buf_puts(&b, "{\"items\":[");
	for (int len = K8S_NAME_MAX; len <= K8S_NAME_MAX + 1; len++)
		buf_printf(
			&b,
			"%s{\"metadata\":{\"namespace\":\"n\",\"uid\":\"%032d\",\"name\":\"%0*d\"}}",
			len == K8S_NAME_MAX ? "" : ",", len, len, 0);
	buf_puts(&b, "]}");
	assert_int_equal(try_text(p, b.data), 0);
	buf_free(&b);
	assert_int_equal(p->count, 1);
	assert_int_equal(strlen(p->rows->k8s.pod_name), K8S_NAME_MAX);
	assert_int_equal(strlen(p->rows->k8s.service_name), SERVER_NAME_MAX - 1);
}

static void test_the_table_is_bounded(void **state)
{
	struct pods *p = *state;
	struct buf b = BUF_INIT;

	buf_puts(&b, "{\"items\":[");
	for (int i = 0; i < 4100; i++)
		buf_printf(
			&b,
			"%s{\"metadata\":{\"namespace\":\"n\",\"name\":\"p\",\"uid\":\"%032d\"}}",
			i ? "," : "", i);
	buf_puts(&b, "]}");
	assert_int_equal(try_text(p, b.data), 0);
	buf_free(&b);
	assert_int_equal(p->count, 4100);
	assert_int_equal(HASH_COUNT(p->rows), 4096);
	assert_int_equal(p->left_out, 4);
}

/* An id belongs to the pod that had it first: a later one cannot take it over. */
static void test_an_id_twice(void **state)
{
	struct pods *p = *state;

	assert_int_equal(
		try_text(p,
			 PODS(STATIC_POD "," POD("thief", ",\"uid\":\"" STATIC_UID "\"", ""), "")),
		0);
	assert_string_equal(find(p, STATIC_UID)->pod_name, "triton-node-7");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_containers_of_a_deployment, setup, teardown),
		cmocka_unit_test_setup_teardown(test_static_pod_has_two_uids, setup, teardown),
		cmocka_unit_test(test_workloads),
		cmocka_unit_test_setup_teardown(test_service_name_by_annotation_and_labels, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_pages_add_up, setup, teardown),
		cmocka_unit_test_setup_teardown(test_what_is_no_list, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hostile_pods, setup, teardown),
		cmocka_unit_test_setup_teardown(test_long_names, setup, teardown),
		cmocka_unit_test_setup_teardown(test_the_table_is_bounded, setup, teardown),
		cmocka_unit_test_setup_teardown(test_an_id_twice, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
