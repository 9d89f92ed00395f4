// SPDX-License-Identifier: Apache-2.0
/* The bounded queue of finished requests, and what is kept of one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "export/otlp_queue.h"

static struct kept_record *numbered(uint32_t pid)
{
	struct request_record r = { .pid = pid };
	struct kept_record *k = kept_record_new(&r, NULL);

	assert_non_null(k);
	return k;
}

static void push(struct otlp_queue *q, uint32_t pid, uint64_t now)
{
	assert_null(otlp_queue_push(q, numbered(pid), now));
}

/* Takes a batch; asserts that it is of `count` records with pids from `first` on. */
static void take(struct otlp_queue *q, uint32_t first, size_t count, uint64_t now)
{
	struct kept_record *out[8];

	assert_int_equal(otlp_queue_take(q, out, now), count);
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(out[i]->record.pid, first + i);
		kept_record_free(out[i]);
	}
}

static void test_due(void **state)
{
	struct otlp_queue q;

	(void)state;
	assert_int_equal(otlp_queue_init(&q, 5, 3, 1000), 0);
	assert_true(otlp_queue_due(&q) == UINT64_MAX);
	push(&q, 1, 70);
	push(&q, 2, 90);
	assert_int_equal(otlp_queue_due(&q), 1070); /* of the oldest */
	push(&q, 3, 95);
	assert_int_equal(otlp_queue_due(&q), 0); /* full */
	push(&q, 4, 99);
	take(&q, 1, 3, 200);
	assert_int_equal(otlp_queue_due(&q), 1200); /* of the batch before */
	take(&q, 4, 1, 1200);
	assert_true(otlp_queue_due(&q) == UINT64_MAX);
	take(&q, 0, 0, 1300);
	push(&q, 5, 5000);
	assert_int_equal(otlp_queue_due(&q), 6000);
	otlp_queue_free(&q);
}

static void test_oldest_goes(void **state)
{
	struct kept_record *oldest;
	struct otlp_queue q;

	(void)state;
	assert_int_equal(otlp_queue_init(&q, 3, 3, 1000), 0);
	for (uint32_t pid = 1; pid <= 3; pid++)
		push(&q, pid, 0);
	for (uint32_t pid = 4; pid <= 10; pid++) {
		oldest = otlp_queue_push(&q, numbered(pid), 0);
		assert_non_null(oldest);
		assert_int_equal(oldest->record.pid, pid - 3);
		kept_record_free(oldest);
	}
	assert_int_equal(q.count, 3);
	take(&q, 8, 3, 0);
	otlp_queue_free(&q);
}

static void test_queue_of_one(void **state)
{
	struct kept_record *oldest;
	struct otlp_queue q;

	(void)state;
	assert_int_equal(otlp_queue_init(&q, 1, 1, 1000), 0);
	push(&q, 1, 0);
	oldest = otlp_queue_push(&q, numbered(2), 0);
	assert_int_equal(oldest->record.pid, 1);
	kept_record_free(oldest);
	take(&q, 2, 1, 0);
	otlp_queue_free(&q);
}

/* Nothing in it points into the tracker. */
static void test_kept(void **state)
{
	struct attribute name = { .key = "service.name", .text = "s" };
	struct resource *resource = resource_new(&name, 1);
	struct server server = { .address = "10.0.0.1", .port = 8081 };
	struct hist itl = { .count = 15 };
	struct request_record r = { .server = &server, .itl = &itl, .pid = 9, .ttft_s = 0.5 };
	struct kept_record *k = kept_record_new(&r, resource);

	(void)state;
	assert_non_null(k);
	assert_null(k->record.server);
	assert_null(k->record.itl);
	assert_string_equal(k->address, "10.0.0.1");
	assert_int_equal(k->port, 8081);
	assert_int_equal(k->itl_count, 15);
	assert_int_equal(k->record.pid, 9);
	assert_true(k->record.ttft_s == 0.5);
	assert_int_equal(resource->refs, 2);
	kept_record_free(k);
	assert_int_equal(resource->refs, 1);
	resource_put(resource);
	kept_record_free(NULL);

	k = kept_record_new(&(struct request_record){ 0 }, NULL);
	assert_string_equal(k->address, "");
	assert_int_equal(k->itl_count, 0);
	assert_null(k->resource);
	kept_record_free(k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_due),
		cmocka_unit_test(test_oldest_goes),
		cmocka_unit_test(test_queue_of_one),
		cmocka_unit_test(test_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
