// SPDX-License-Identifier: Apache-2.0
/* The agent's own Resource: what is known of it, and OTEL_RESOURCE_ATTRIBUTES. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "cli/agent_resource.h"

static struct resource *made(const char *attributes, const char *service_name)
{
	struct config c = { .node_name = "node-7" };

	c.otlp.resource_attributes = attributes;
	c.otlp.service_name = service_name;
	return agent_resource(&c, "host-id", "host-name");
}

static void assert_text(const char *attributes, const char *service_name, const char *key,
			const char *text)
{
	struct resource *r = made(attributes, service_name);
	const char *got = resource_text(r, key);

	if (text)
		assert_string_equal(got ?: "(absent)", text);
	else
		assert_null(got);
	resource_put(r);
}

static void test_what_is_known(void **state)
{
	struct resource *r = made(NULL, NULL);

	(void)state;
	assert_string_equal(resource_text(r, "service.name"), "tokscope");
	assert_string_equal(resource_text(r, "service.version"), TOKSCOPE_VERSION);
	assert_string_equal(resource_text(r, "service.instance.id"), "host-id:agent");
	assert_string_equal(resource_text(r, "host.id"), "host-id");
	assert_string_equal(resource_text(r, "host.name"), "host-name");
	assert_string_equal(resource_text(r, "k8s.node.name"), "node-7");
	assert_int_equal(r->count, 9);
	resource_put(r);
}

static void test_given_attributes(void **state)
{
	(void)state;
	assert_text("deployment.environment.name=prod,team=a%2Cb%3D%20c", NULL, "team", "a,b= c");
	assert_text(" a = b , c=d ,", NULL, "a", "b");
	assert_text(" a = b , c=d ,", NULL, "c", "d");
	assert_text("a=1,a=2", NULL, "a", "2");
	assert_text("a=b=c", NULL, "a", "b=c");
	assert_text("host.name=other", NULL, "host.name", "other");
	assert_text("%6b=v", NULL, "k", "v");
}

static void test_the_service_name_wins(void **state)
{
	(void)state;
	assert_text("service.name=listed", NULL, "service.name", "listed");
	assert_text("service.name=listed", "named", "service.name", "named");
	assert_text("service.name=listed", "", "service.name", "listed");
}

/* One mistake, and nothing of the list is taken (OpenTelemetry specification, Resource SDK). */
static void test_a_list_that_cannot_be_read(void **state)
{
	static const char *const lists[] = { "a=b,c",	  "a=b,=c",    "a=b,c=%4",
					     "a=b,c=%zz", "a=b,c=%0a", "a=b,c=%00" };
	struct buf many = BUF_INIT;

	(void)state;
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
		assert_text(lists[i], NULL, "a", NULL);
	buf_puts(&many, "a=b");
	for (int i = 0; i < 200; i++)
		buf_printf(&many, ",k%d=v", i);
	assert_text(many.data, NULL, "a", NULL);
	assert_text(many.data, "named", "service.name", "named");
	buf_free(&many);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_known),
		cmocka_unit_test(test_given_attributes),
		cmocka_unit_test(test_the_service_name_wins),
		cmocka_unit_test(test_a_list_that_cannot_be_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
