// SPDX-License-Identifier: Apache-2.0
/* What a service manager receives, on a datagram socket of this process. */
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/notify.h"

struct manager {
	int fd;
	char folder[64], path[96];
};

static int listen_at(const char *path)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	size_t len = strlen(path);

	memcpy(at.sun_path, path, len);
	if (path[0] == '@')
		at.sun_path[0] = '\0';
	assert_int_equal(
		bind(fd, (struct sockaddr *)&at, offsetof(struct sockaddr_un, sun_path) + len), 0);
	setenv("NOTIFY_SOCKET", path, 1);
	return fd;
}

static int setup(void **state)
{
	struct manager *m = calloc(1, sizeof(*m));

	strcpy(m->folder, "/tmp/tokscope-notify-XXXXXX");
	assert_non_null(mkdtemp(m->folder));
	snprintf(m->path, sizeof(m->path), "%s/socket", m->folder);
	unsetenv("WATCHDOG_USEC");
	m->fd = listen_at(m->path);
	*state = m;
	return 0;
}

static int teardown(void **state)
{
	struct manager *m = *state;

	close(m->fd);
	unlink(m->path);
	rmdir(m->folder);
	free(m);
	unsetenv("NOTIFY_SOCKET");
	return 0;
}

/* "": nothing came. */
static const char *received(const struct manager *m)
{
	static char state[256];
	ssize_t n = recv(m->fd, state, sizeof(state) - 1, 0);

	state[n < 0 ? 0 : n] = '\0';
	return state;
}

static void test_states(void **state)
{
	struct manager *m = *state;

	assert_int_equal(notify_ready(), 0);
	assert_string_equal(received(m), "READY=1");
	assert_int_equal(notify_stopping(), 0);
	assert_string_equal(received(m), "STOPPING=1");
}

static void test_a_reload_tells_its_time(void **state)
{
	uint64_t before = clock_monotonic_ns() / 1000, at;
	int end = 0;

	assert_int_equal(notify_reloading(), 0);
	assert_int_equal(
		sscanf(received(*state), "RELOADING=1\nMONOTONIC_USEC=%" SCNu64 "%n", &at, &end),
		1);
	assert_in_range(at, before, clock_monotonic_ns() / 1000);
}

static void test_the_watchdog_only_where_it_is_on(void **state)
{
	struct manager *m = *state;

	assert_int_equal(notify_alive(), 0);
	assert_string_equal(received(m), "");
	setenv("WATCHDOG_USEC", "30000000", 1);
	assert_int_equal(notify_alive(), 0);
	assert_string_equal(received(m), "WATCHDOG=1");
	unsetenv("WATCHDOG_USEC");
}

static void test_the_abstract_namespace(void **state)
{
	struct manager m = { 0 };
	char name[64];

	(void)state;
	snprintf(name, sizeof(name), "@tokscope-test-%d", getpid());
	m.fd = listen_at(name);
	assert_int_equal(notify_ready(), 0);
	assert_string_equal(received(&m), "READY=1");
	close(m.fd);
}

static void test_nobody_listens(void **state)
{
	char name[200] = "/";

	(void)state;
	setenv("NOTIFY_SOCKET", "/nonexistent/socket", 1);
	assert_int_equal(notify_ready(), -ENOENT);
	setenv("NOTIFY_SOCKET", "relative", 1);
	assert_int_equal(notify_ready(), -EINVAL);
	memset(name + 1, 'x', sizeof(name) - 2);
	setenv("NOTIFY_SOCKET", name, 1);
	assert_int_equal(notify_ready(), -EINVAL);
	unsetenv("NOTIFY_SOCKET");
	assert_int_equal(notify_ready(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_states, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_reload_tells_its_time, setup, teardown),
		cmocka_unit_test_setup_teardown(test_the_watchdog_only_where_it_is_on, setup,
						teardown),
		cmocka_unit_test(test_the_abstract_namespace),
		cmocka_unit_test(test_nobody_listens),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
