// SPDX-License-Identifier: Apache-2.0
/* attributes.def against the catalogue. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "metric/attributes.h"
#include "metric/registry.h"

static void test_known_labels(void **state)
{
	struct label_attribute a = label_attribute("service_instance_id");

	(void)state;
	assert_string_equal(a.key, "service.instance.id");
	assert_int_equal(a.place, ATTRIBUTE_RESOURCE);
	assert_int_equal(a.kind, ATTRIBUTE_TEXT);
	a = label_attribute("http_response_status_code");
	assert_string_equal(a.key, "http.response.status_code");
	assert_int_equal(a.place, ATTRIBUTE_POINT);
	assert_int_equal(a.kind, ATTRIBUTE_NUMBER);
}

static void test_other_labels_keep_their_name(void **state)
{
	struct label_attribute a = label_attribute("phase");

	(void)state;
	assert_string_equal(a.key, "phase");
	assert_int_equal(a.place, ATTRIBUTE_POINT);
	assert_int_equal(a.kind, ATTRIBUTE_TEXT);
}

/* A key may not stand twice among the attributes of one point. */
static void test_keys_of_a_family_differ(void **state)
{
	(void)state;
	for (enum metric_id id = 0; id < M_MAX; id++) {
		const struct metric_family *f = metric_family(id);

		for (size_t i = 0; i < f->label_count; i++)
			for (size_t k = 0; k < i; k++)
				assert_string_not_equal(label_attribute(f->labels[i]).key,
							label_attribute(f->labels[k]).key);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known_labels),
		cmocka_unit_test(test_other_labels_keep_their_name),
		cmocka_unit_test(test_keys_of_a_family_differ),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
