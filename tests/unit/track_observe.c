// SPDX-License-Identifier: Apache-2.0
/* Which measurements a finished request makes, and which it must not. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "discover/labels.h"
#include "track/observe.h"

static const struct server server = { .id = 3,
				      .engine = "vllm",
				      .service_name = "chat",
				      .instance_id = "host:1:2",
				      .address = "0.0.0.0",
				      .port = 8000 };

static struct request_record ok_stream(void)
{
	struct request_record r = { .server = &server,
				    .route = route_match(HTTP1_POST, "/v1/chat/completions", NULL,
							 0),
				    .status = 200,
				    .outcome = OUTCOME_OK,
				    .stream = 1,
				    .request_model = "alias",
				    .response_model = "m",
				    .duration_s = 0.5,
				    .ttft_s = 0.1,
				    .time_to_headers_s = 0.05,
				    .tpot_s = 0.01,
				    .events = 6,
				    .content_events = 3,
				    .choices = 1,
				    .input_tokens = 7,
				    .output_tokens = 3,
				    .cached_tokens = 2,
				    .wasted_tokens = -1,
				    .token_source = TOKENS_USAGE,
				    .retransmits = -1,
				    .srtt_s = NAN,
				    .send_stall_s = NAN,
				    .accept_wait_s = NAN,
				    .bytes_after_close = -1 };

	for (int p = 0; p < PHASE_MAX; p++)
		r.phase_s[p] = NAN;
	r.phase_s[PHASE_RECEIVE] = 0.001;
	r.phase_s[PHASE_OTHER] = 0.5;
	return r;
}

struct fixture {
	struct registry *registry;
	struct observer *observer;
	struct snapshot *snapshot;
};

static struct fixture begin(void)
{
	static const struct registry_config config;
	struct fixture f = { .registry = registry_new(&config) };

	f.observer = observer_new(f.registry, &(struct observer_config){ .exemplars = true });
	assert_non_null(f.observer);
	return f;
}

static void end(struct fixture *f)
{
	snapshot_free(f->snapshot);
	observer_free(f->observer);
	registry_free(f->registry);
}

static const struct snapshot_family *family(struct fixture *f, enum metric_id id)
{
	snapshot_free(f->snapshot);
	f->snapshot = registry_snapshot(f->registry);
	assert_non_null(f->snapshot);
	return &f->snapshot->families[id];
}

/* Sum of a family: of values, or of the counts of histograms. */
static double total(struct fixture *f, enum metric_id id)
{
	const struct snapshot_family *m = family(f, id);
	double sum = 0;

	for (size_t i = 0; i < m->count; i++)
		sum += m->family->type == METRIC_HISTOGRAM ? (double)m->series[i].hist.count
							   : m->series[i].value;
	return sum;
}

static const char *label(const struct snapshot_family *m, size_t series, const char *name)
{
	for (size_t i = 0; i < m->family->label_count; i++)
		if (!strcmp(m->family->labels[i], name))
			return m->series[series].values[i];
	fail_msg("%s has no label %s", m->family->prom_name, name);
	return NULL;
}

static void test_ok_stream(void **state)
{
	struct fixture f = begin();
	struct request_record r = ok_stream();
	const struct snapshot_family *m;

	(void)state;
	observer_finished(f.observer, &r);
	m = family(&f, M_REQUESTS);
	assert_int_equal(m->count, 1);
	assert_true(m->series[0].value == 1);
	assert_string_equal(label(m, 0, "service_name"), "chat");
	assert_string_equal(label(m, 0, "service_instance_id"), "host:1:2");
	assert_string_equal(label(m, 0, "tokscope_server"), "vllm");
	assert_string_equal(label(m, 0, "server_address"), "0.0.0.0");
	assert_string_equal(label(m, 0, "server_port"), "8000");
	assert_string_equal(label(m, 0, "gen_ai_operation_name"), "chat");
	assert_string_equal(label(m, 0, "gen_ai_provider_name"), "vllm");
	assert_string_equal(label(m, 0, "gen_ai_request_model"), "alias");
	assert_string_equal(label(m, 0, "gen_ai_response_model"), "m");
	assert_string_equal(label(m, 0, "outcome"), "ok");
	assert_string_equal(label(m, 0, "http_response_status_code"), "200");
	assert_null(label(m, 0, "error_type"));
	m = family(&f, M_TOKENS);
	assert_int_equal(m->count, 2);
	assert_string_equal(label(m, 0, "source"), "usage");
	assert_true(total(&f, M_TOKENS) == 10);
	assert_true(total(&f, M_REQUEST_TOKENS) == 2);
	assert_true(total(&f, M_TOKENS_CACHED) == 2);
	assert_true(total(&f, M_TOKENS_WASTED) == 0);
	assert_true(total(&f, M_REQUEST_DURATION) == 1);
	assert_true(total(&f, M_TIME_TO_FIRST_TOKEN) == 1);
	assert_true(total(&f, M_TIME_PER_OUTPUT_TOKEN) == 1);
	assert_true(total(&f, M_TIME_TO_HEADERS) == 1);
	assert_true(total(&f, M_PHASE_DURATION) == 2);
	end(&f);
}

static const struct exemplar *exemplar_of(struct fixture *f, enum metric_id id)
{
	const struct snapshot_series *series = &family(f, id)->series[0];

	for (size_t i = 0; series->exemplars && i <= series->hist.bounds->count; i++)
		if (*series->exemplars[i].trace_id)
			return &series->exemplars[i];
	return NULL;
}

static void test_exemplars_of_exported_spans_only(void **state)
{
	struct request_record r = ok_stream();

	(void)state;
	strcpy(r.trace_id, "0af7651916cd43dd8448eb211c80319c");
	strcpy(r.span_id, "00f067aa0ba902b7");
	r.time_ns = 1000000000;
	for (int sampled = 0; sampled < 2; sampled++) {
		struct fixture f = begin();
		const struct exemplar *e;

		r.sampled = sampled;
		observer_finished(f.observer, &r);
		e = exemplar_of(&f, M_TIME_TO_FIRST_TOKEN);
		if (!sampled)
			assert_null(e);
		if (sampled) {
			assert_string_equal(e->trace_id, r.trace_id);
			assert_string_equal(e->span_id, r.span_id);
			assert_true(e->value == 0.1);
			assert_int_equal(e->time_ns, 1500000000);
			assert_true(exemplar_of(&f, M_REQUEST_DURATION)->value == 0.5);
		}
		end(&f);
	}
}

static void test_aborted_stream(void **state)
{
	struct fixture f = begin();
	struct request_record r = ok_stream();

	(void)state;
	r.outcome = OUTCOME_ABORTED;
	r.wasted_tokens = 3;
	r.token_source = TOKENS_EVENTS;
	r.input_tokens = -1;
	observer_finished(f.observer, &r);
	assert_true(total(&f, M_TIME_TO_FIRST_TOKEN) == 0);
	assert_true(total(&f, M_TIME_PER_OUTPUT_TOKEN) == 0);
	assert_true(total(&f, M_REQUEST_DURATION) == 1);
	assert_true(total(&f, M_TOKENS_WASTED) == 3);
	assert_string_equal(label(family(&f, M_TOKENS_WASTED), 0, "reason"), "aborted");
	assert_true(total(&f, M_TOKENS) == 3);
	assert_string_equal(label(family(&f, M_TOKENS), 0, "source"), "events");
	/* An estimate is no token count. */
	assert_true(total(&f, M_REQUEST_TOKENS) == 0);
	end(&f);
}

static void test_plain_and_internal(void **state)
{
	struct fixture f = begin();
	struct request_record r = ok_stream();

	(void)state;
	r.leg = LEG_INTERNAL;
	observer_finished(f.observer, &r);
	assert_true(total(&f, M_REQUESTS) == 0);
	assert_true(total(&f, M_TOKENS) == 0);
	r.leg = LEG_SERVER;
	r.stream = 0;
	r.ttft_s = r.tpot_s = NAN;
	observer_finished(f.observer, &r);
	assert_true(total(&f, M_REQUESTS) == 1);
	assert_true(total(&f, M_TIME_TO_FIRST_TOKEN) == 0);
	end(&f);
}

static void observe_net(struct fixture *f, enum leg leg, double accept_wait_s)
{
	struct request_record r = ok_stream();

	r.leg = leg;
	r.retransmits = 2;
	r.bytes_after_close = 70;
	r.send_stall_s = 0.25;
	r.srtt_s = 0.0003;
	r.accept_wait_s = accept_wait_s;
	observer_finished(f->observer, &r);
}

static double only_sum(struct fixture *f, enum metric_id id)
{
	const struct snapshot_family *m = family(f, id);

	assert_int_equal(m->count, 1);
	assert_int_equal(m->family->label_count, SERVER_LABELS);
	assert_string_equal(label(m, 0, "server_port"), "8000");
	return m->series[0].hist.sum;
}

static void test_network(void **state)
{
	struct fixture f = begin();

	(void)state;
	observe_net(&f, LEG_INTERNAL, 0.5);
	observe_net(&f, LEG_SERVER, 0.125);
	observe_net(&f, LEG_SERVER, NAN); /* the connection's second request */
	assert_int_equal(family(&f, M_NET_RETRANSMITS)->count, 1);
	assert_true(total(&f, M_NET_RETRANSMITS) == 4);
	assert_int_equal(family(&f, M_NET_AFTER_CLOSE)->count, 1);
	assert_true(total(&f, M_NET_AFTER_CLOSE) == 140);
	assert_true(only_sum(&f, M_NET_SEND_STALL) == 0.5);
	assert_true(only_sum(&f, M_NET_RTT) == 0.0006);
	assert_true(only_sum(&f, M_NET_ACCEPT_WAIT) == 0.125);
	assert_true(total(&f, M_NET_SEND_STALL) == 2);
	assert_true(total(&f, M_NET_ACCEPT_WAIT) == 1);
	end(&f);
}

/* What the source never told has no series, not one of zeros. */
static void test_unknown_network_is_absent(void **state)
{
	static const enum metric_id net[] = { M_NET_RETRANSMITS, M_NET_AFTER_CLOSE,
					      M_NET_SEND_STALL, M_NET_ACCEPT_WAIT, M_NET_RTT };
	struct fixture f = begin();
	struct request_record r = ok_stream();

	(void)state;
	observer_finished(f.observer, &r);
	for (size_t i = 0; i < sizeof(net) / sizeof(net[0]); i++)
		assert_int_equal(family(&f, net[i])->count, 0);
	r.retransmits = r.bytes_after_close = 0;
	observer_finished(f.observer, &r);
	assert_int_equal(family(&f, M_NET_RETRANSMITS)->count, 1);
	assert_int_equal(family(&f, M_NET_AFTER_CLOSE)->count, 1);
	end(&f);
}

static struct fixture begin_as_client(void)
{
	static const struct registry_config config;
	struct fixture f = { .registry = registry_new(&config) };

	f.observer = observer_new(f.registry, &(struct observer_config){ .gen_ai_client = true });
	assert_non_null(f.observer);
	return f;
}

/* With the switch on, a request is also told as an instrumented client would. */
static void test_client_metrics(void **state)
{
	struct fixture f = begin_as_client();
	struct request_record r = ok_stream();
	const struct snapshot_family *m;

	(void)state;
	observer_finished(f.observer, &r);
	m = family(&f, M_CLIENT_OPERATION_DURATION);
	assert_int_equal(m->count, 1);
	assert_true(m->series[0].hist.count == 1 && m->series[0].hist.sum == 0.5);
	assert_null(label(m, 0, "error_type"));
	assert_string_equal(label(m, 0, "gen_ai_provider_name"), "vllm");
	m = family(&f, M_CLIENT_TOKEN_USAGE);
	assert_int_equal(m->count, 2);
	assert_string_equal(label(m, 0, "gen_ai_token_type"), "input");
	assert_true(m->series[0].hist.sum == 7);
	assert_string_equal(label(m, 1, "gen_ai_token_type"), "output");
	assert_true(m->series[1].hist.sum == 3);

	r.outcome = OUTCOME_ERROR;
	strcpy(r.error_type, "500");
	r.token_source = TOKENS_EVENTS; /* an estimate is no usage */
	observer_finished(f.observer, &r);
	m = family(&f, M_CLIENT_OPERATION_DURATION);
	assert_int_equal(m->count, 2);
	assert_string_equal(label(m, 1, "error_type"), "500");
	assert_true(total(&f, M_CLIENT_TOKEN_USAGE) == 2);
	end(&f);
}

/* Without an error type it would count as a success. */
static void test_client_metrics_invent_no_success(void **state)
{
	struct fixture f = begin_as_client();
	struct request_record r = ok_stream();

	(void)state;
	r.outcome = OUTCOME_ABORTED;
	observer_finished(f.observer, &r);
	r.outcome = OUTCOME_UNKNOWN;
	observer_finished(f.observer, &r);
	assert_true(total(&f, M_REQUEST_DURATION) == 2);
	assert_true(total(&f, M_CLIENT_OPERATION_DURATION) == 0);
	end(&f);
}

static void test_client_metrics_are_off(void **state)
{
	struct fixture f = begin();
	struct request_record r = ok_stream();

	(void)state;
	observer_finished(f.observer, &r);
	assert_int_equal(family(&f, M_CLIENT_OPERATION_DURATION)->count, 0);
	assert_int_equal(family(&f, M_CLIENT_TOKEN_USAGE)->count, 0);
	end(&f);
}

static void test_model_names_are_bounded(void **state)
{
	struct fixture f = begin();
	struct request_record r = ok_stream();
	const struct snapshot_family *m;
	bool other = false;

	(void)state;
	for (int i = 0; i < 100; i++) {
		snprintf(r.request_model, sizeof(r.request_model), "m%d", i);
		*r.response_model = '\0';
		observer_finished(f.observer, &r);
	}
	m = family(&f, M_REQUESTS);
	assert_int_equal(m->count, 65);
	for (size_t i = 0; i < m->count; i++)
		other |= !strcmp(label(m, i, "gen_ai_request_model"), "other") &&
			 m->series[i].value == 36;
	assert_true(other);
	end(&f);
}

static void test_events_and_gauges(void **state)
{
	struct fixture f = begin();
	struct request_record r = ok_stream();

	(void)state;
	observer_gauge(f.observer, &server, 1, 1);
	observer_gauge(f.observer, &server, 1, 1);
	observer_gauge(f.observer, &server, 0, -1);
	assert_true(total(&f, M_IN_FLIGHT) == 2);
	assert_true(total(&f, M_AWAITING_FIRST_TOKEN) == 1);
	for (int i = 0; i < 5; i++)
		observer_stream_event(f.observer, &server, i > 1);
	observer_finished(f.observer, &r);
	assert_true(total(&f, M_STREAM_EVENTS) == 5);
	assert_int_equal(family(&f, M_STREAM_EVENTS)->count, 2);
	observer_stream_event(f.observer, NULL, true);
	observer_flush(f.observer);
	assert_true(total(&f, M_STREAM_EVENTS) == 6);
	observer_unparsed(f.observer, &server, UNPARSED_TLS);
	assert_string_equal(label(family(&f, M_STREAMS_UNPARSED), 0, "reason"), "tls");
	end(&f);
}

static void test_series_of_a_retired_server_go(void **state)
{
	struct fixture f = begin();
	struct request_record r = ok_stream();

	(void)state;
	observer_finished(f.observer, &r);
	r.server = NULL;
	observer_finished(f.observer, &r);
	assert_int_equal(family(&f, M_REQUESTS)->count, 2);
	observer_retire(f.observer, &server);
	assert_int_equal(family(&f, M_REQUESTS)->count, 1);
	assert_null(label(family(&f, M_REQUESTS), 0, "tokscope_server"));
	assert_string_equal(label(family(&f, M_REQUESTS), 0, "gen_ai_provider_name"), "openai");
	end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ok_stream),
		cmocka_unit_test(test_exemplars_of_exported_spans_only),
		cmocka_unit_test(test_aborted_stream),
		cmocka_unit_test(test_plain_and_internal),
		cmocka_unit_test(test_network),
		cmocka_unit_test(test_unknown_network_is_absent),
		cmocka_unit_test(test_client_metrics),
		cmocka_unit_test(test_client_metrics_invent_no_success),
		cmocka_unit_test(test_client_metrics_are_off),
		cmocka_unit_test(test_model_names_are_bounded),
		cmocka_unit_test(test_events_and_gauges),
		cmocka_unit_test(test_series_of_a_retired_server_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
