// SPDX-License-Identifier: Apache-2.0
/* The thread that asks, against a fake API server in this process: no Kubernetes is here. */
#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "kube/kube.h"
#include "kube_list.h"

#define REQUESTS_MAX 16
#define PATIENCE_MS  20000

/* What it is to answer, by the number of the request; the last one again and again. */
struct answer {
	unsigned int status;
	const char *body;
};

struct fake {
	struct MHD_Daemon *daemon;
	pthread_mutex_t lock;
	struct answer answers[4];
	int seen; /* requests */
	char query[REQUESTS_MAX][512], authorization[REQUESTS_MAX][128];
	char api[64], token_file[64];
	struct kube *k;
};

static enum MHD_Result on_argument(void *ctx, enum MHD_ValueKind kind, const char *key,
				   const char *value)
{
	char *query = ctx;

	(void)kind;
	snprintf(query + strlen(query), 512 - strlen(query), "%s=%s;", key, value ?: "");
	return MHD_YES;
}

static void note(struct fake *f, struct MHD_Connection *c, int n)
{
	const char *authorization =
		MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Authorization");

	f->query[n][0] = '\0';
	MHD_get_connection_values(c, MHD_GET_ARGUMENT_KIND, on_argument, f->query[n]);
	snprintf(f->authorization[n], sizeof(f->authorization[n]), "%s", authorization ?: "");
}

static enum MHD_Result on_request(void *ctx, struct MHD_Connection *c, const char *path,
				  const char *method, const char *version, const char *data,
				  size_t *len, void **state)
{
	struct fake *f = ctx;
	struct MHD_Response *response;
	struct answer a = { 0 };
	enum MHD_Result result;

	(void)version, (void)data, (void)len, (void)state;
	assert_string_equal(path, "/api/v1/pods");
	assert_string_equal(method, "GET");
	pthread_mutex_lock(&f->lock);
	note(f, c, f->seen % REQUESTS_MAX);
	for (int i = 0; i <= f->seen && i < 4 && f->answers[i].status; i++)
		a = f->answers[i];
	f->seen++;
	pthread_mutex_unlock(&f->lock);
	response = MHD_create_response_from_buffer(strlen(a.body), (void *)a.body,
						   MHD_RESPMEM_PERSISTENT);
	result = MHD_queue_response(c, a.status, response);
	MHD_destroy_response(response);
	return result;
}

static void write_token(const struct fake *f, const char *token)
{
	_cleanup_fclose_ FILE *file = fopen(f->token_file, "w");

	assert_non_null(file);
	fprintf(file, "%s\n", token);
}

static int setup(void **state)
{
	struct fake *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	pthread_mutex_init(&f->lock, NULL);
	f->daemon = MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD, 0, NULL, NULL, on_request, f,
				     MHD_OPTION_END);
	assert_non_null(f->daemon);
	snprintf(f->api, sizeof(f->api), "http://127.0.0.1:%u",
		 MHD_get_daemon_info(f->daemon, MHD_DAEMON_INFO_BIND_PORT)->port);
	strcpy(f->token_file, "/tmp/tokscope-token-XXXXXX");
	close(mkstemp(f->token_file));
	write_token(f, "first");
	log_set_level(LOG_LEVEL_ERROR);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fake *f = *state;

	kube_free(f->k);
	MHD_stop_daemon(f->daemon);
	unlink(f->token_file);
	pthread_mutex_destroy(&f->lock);
	free(f);
	return 0;
}

static void start(struct fake *f)
{
	const struct kube_config c = { .api = f->api,
				       .token_file = f->token_file,
				       .node_name = "node 7" };

	f->k = kube_new(&c);
	assert_non_null(f->k);
}

static struct kube_stats stats(const struct fake *f)
{
	struct kube_stats s;

	kube_get_stats(f->k, &s);
	return s;
}

/* Until so many pages were asked for, and the last answer was taken in. */
static void wait_requests(const struct fake *f, uint64_t count)
{
	for (int ms = 0; stats(f).requests < count; ms += 10) {
		assert_true(ms < PATIENCE_MS);
		usleep(10000);
	}
}

static bool wait_identity(const struct fake *f, const char *container, const char *uid,
			  struct k8s_identity *out)
{
	for (int ms = 0; ms < PATIENCE_MS; ms += 10) {
		if (kube_identify(f->k, container, uid, out))
			return true;
		usleep(10000);
	}
	return false;
}

static void test_names_of_both_pages(void **state)
{
	struct fake *f = *state;
	struct k8s_identity k;

	f->answers[0] = (struct answer){ 200, PODS(DEPLOYMENT_POD, "a+b/c=") };
	f->answers[1] = (struct answer){ 200, PODS(STATIC_POD, "") };
	start(f);
	wait_requests(f, 2);
	assert_true(kube_identify(f->k, SERVER_ID, DEPLOYMENT_UID, &k));
	assert_string_equal(k.container_name, "server");
	assert_true(kube_identify(f->k, "", STATIC_HASH, &k));
	assert_string_equal(k.pod_name, "triton-node-7");
	assert_int_equal(stats(f).pods, 2);
	assert_int_equal(stats(f).failures, 0);
	assert_string_equal(f->query[0],
			    "fieldSelector=spec.nodeName=node 7;limit=500;resourceVersion=0;");
	assert_string_equal(f->query[1],
			    "fieldSelector=spec.nodeName=node 7;limit=500;continue=a+b/c=;");
	assert_string_equal(f->authorization[0], "Bearer first");
}

/* A container that starts after the list is in the next one, which comes soon; with the token as it then is. */
static void test_an_unknown_id_is_asked_for_soon(void **state)
{
	struct fake *f = *state;
	struct k8s_identity k;

	f->answers[0] = (struct answer){ 200, PODS(STATIC_POD, "") };
	f->answers[1] = (struct answer){ 200, PODS(STATIC_POD "," DEPLOYMENT_POD, "") };
	start(f);
	wait_requests(f, 1);
	write_token(f, "second");
	assert_true(wait_identity(f, SERVER_ID, DEPLOYMENT_UID, &k));
	assert_string_equal(k.pod_name, "llama-7d9c6b5f4-x2x4q");
	assert_int_equal(stats(f).requests, 2);
	assert_string_equal(f->authorization[1], "Bearer second");
}

/* A container that no list has (of a runtime inside a pod) is its pod's, after some lists. */
static void test_a_foreign_container_is_its_pods(void **state)
{
	struct fake *f = *state;
	struct k8s_identity k;

	f->answers[0] = (struct answer){ 200, PODS(DEPLOYMENT_POD, "") };
	start(f);
	wait_requests(f, 1);
	assert_false(kube_identify(f->k, JOB_ID, DEPLOYMENT_UID, &k));
	assert_true(wait_identity(f, JOB_ID, DEPLOYMENT_UID, &k));
	assert_string_equal(k.pod_name, "llama-7d9c6b5f4-x2x4q");
	assert_string_equal(k.container_name, "");
	assert_in_range(stats(f).requests, 4, 5);
	assert_false(kube_identify(f->k, JOB_ID, "", &k));
}

static void test_names_come_back_after_failures(void **state)
{
	struct fake *f = *state;
	struct k8s_identity k;

	f->answers[0] = (struct answer){ 403, "{\"kind\":\"Status\"}" };
	f->answers[1] = (struct answer){ 200, "no list" };
	f->answers[2] = (struct answer){ 200, PODS(STATIC_POD, "") };
	start(f);
	assert_true(wait_identity(f, STATIC_ID, "", &k));
	assert_string_equal(k.container_name, "triton");
	assert_int_equal(stats(f).failures, 2);
	assert_int_equal(stats(f).requests, 3);
}

/* An API server that does not end is cut off. */
static void test_an_answer_without_end(void **state)
{
	size_t len = 33 << 20;
	_cleanup_free_ char *body = malloc(len + 1);
	struct fake *f = *state;

	assert_non_null(body);
	memset(body, ' ', len);
	body[len] = '\0';
	f->answers[0] = (struct answer){ 200, body };
	f->answers[1] = (struct answer){ 200, PODS(STATIC_POD, "") };
	start(f);
	wait_requests(f, 2);
	assert_int_equal(stats(f).failures, 1);
	assert_int_equal(stats(f).pods, 1);
}

static void test_without_kubernetes(void **state)
{
	const struct kube_config c = { 0 };

	(void)state;
	unsetenv("KUBERNETES_SERVICE_HOST");
	errno = 0;
	assert_null(kube_new(&c));
	assert_int_equal(errno, ENOENT);
}

/* In a pod, by its environment; without a service account nothing is sent, and the end is not waited for. */
static void test_a_pod_without_an_account(void **state)
{
	const struct kube_config c = { .token_file = "/nonexistent/token" };
	struct fake *f = *state;
	struct k8s_identity k;

	setenv("KUBERNETES_SERVICE_HOST", "::1", 1);
	setenv("KUBERNETES_SERVICE_PORT", "1", 1);
	f->k = kube_new(&c);
	assert_non_null(f->k);
	wait_requests(f, 1);
	assert_int_equal(stats(f).failures, 1);
	assert_false(kube_identify(f->k, SERVER_ID, "", &k));
	unsetenv("KUBERNETES_SERVICE_HOST");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_names_of_both_pages, setup, teardown),
		cmocka_unit_test_setup_teardown(test_an_unknown_id_is_asked_for_soon, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_a_foreign_container_is_its_pods, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_names_come_back_after_failures, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_an_answer_without_end, setup, teardown),
		cmocka_unit_test(test_without_kubernetes),
		cmocka_unit_test_setup_teardown(test_a_pod_without_an_account, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
