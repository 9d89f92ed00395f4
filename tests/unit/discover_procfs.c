// SPDX-License-Identifier: Apache-2.0
/* What is read of other processes: names, sockets, identity; and what a process can write there to do harm. */
#include "discover_tree.h"

#include <arpa/inet.h>
#include <errno.h>

#include "discover/identity.h"
#include "discover/procfs.h"
#include "discover/sockets.h"
#include "discover/text.h"

static int setup(void **state)
{
	static struct tree t;

	tree_init(&t);
	tree_process(&t, 7, 1, "/usr/bin/x", "x -a b");
	*state = &t;
	return 0;
}

static int teardown(void **state)
{
	tree_remove(((struct tree *)*state)->root);
	return 0;
}

static void test_stat(void **state)
{
	const struct tree *t = *state;
	struct procfs_stat st;

	tree_stat(t, 7, 42, 123456789012, "a) S 9 (b", 'S');
	assert_int_equal(procfs_stat(t->root, 7, &st), 0);
	assert_string_equal(st.comm, "a) S 9 (b");
	assert_int_equal(st.ppid, 42);
	assert_int_equal(st.start, 123456789012);
	assert_false(st.dead);
	assert_false(st.kernel_thread);
	tree_stat(t, 7, 42, 1, "x", 'Z');
	assert_int_equal(procfs_stat(t->root, 7, &st), 0);
	assert_true(st.dead);
	tree_file(t, 7, "stat", "2 (kthreadd) S 0 0 0 0 -1 2129984 0 0 0 0 0 0 0 0 20 0 1 0 2 0");
	assert_int_equal(procfs_stat(t->root, 7, &st), 0);
	assert_true(st.kernel_thread);
	assert_int_equal(procfs_stat(t->root, 8, &st), -ENOENT);
	tree_file(t, 7, "stat", "");
	assert_int_equal(procfs_stat(t->root, 7, &st), -EBADMSG);
	tree_file(t, 7, "stat", ")(");
	assert_int_equal(procfs_stat(t->root, 7, &st), -EBADMSG);
}

static void test_argv_and_links(void **state)
{
	const struct tree *t = *state;
	static char huge[1 << 20];
	const char *argv[PROCFS_ARGV_MAX];
	char buf[64];
	uint32_t netns;

	assert_int_equal(procfs_argv(t->root, 7, buf, sizeof(buf), argv), 3);
	assert_string_equal(argv[0], "x");
	assert_string_equal(argv[2], "b");
	memset(huge, 'a', sizeof(huge));
	tree_write(t, "7/cmdline", huge, sizeof(huge), "w");
	assert_int_equal(procfs_argv(t->root, 7, buf, sizeof(buf), argv), 1);
	assert_int_equal(strlen(argv[0]), sizeof(buf) - 1);
	memset(huge, 0, sizeof(huge));
	tree_write(t, "7/cmdline", huge, sizeof(huge), "w");
	assert_int_equal(procfs_argv(t->root, 7, buf, sizeof(buf), argv), PROCFS_ARGV_MAX);
	tree_file(t, 7, "cmdline", "");
	assert_int_equal(procfs_argv(t->root, 7, buf, sizeof(buf), argv), 0);
	tree_link(t, "7/exe", "/usr/bin/llama-server (deleted)");
	assert_int_equal(procfs_link(t->root, 7, "exe", buf, sizeof(buf)), 21);
	assert_string_equal(buf, "/usr/bin/llama-server");
	assert_int_equal(procfs_netns(t->root, 7, &netns), 0);
	assert_int_equal(netns, HOST_NS);
	tree_link(t, "7/ns/net", "junk");
	assert_int_equal(procfs_netns(t->root, 7, &netns), -EBADMSG);
}

static void test_environment(void **state)
{
	static const char env[] =
		"A=1\0XOTEL_SERVICE_NAME=no\0OTEL_SERVICE_NAMES=no\0OTEL_SERVICE_NAME=chat api\0B";
	const struct tree *t = *state;
	char value[32];

	assert_int_equal(procfs_env(t->root, 7, "OTEL_SERVICE_NAME", value, sizeof(value)),
			 -ENOENT);
	tree_write(t, "7/environ", env, sizeof(env), "w");
	assert_int_equal(procfs_env(t->root, 7, "OTEL_SERVICE_NAME", value, sizeof(value)), 0);
	assert_string_equal(value, "chat api");
	assert_int_equal(procfs_env(t->root, 7, "C", value, sizeof(value)), -ENOENT);
}

struct lines {
	unsigned int count;
	size_t longest;
	bool stop;
};

static bool count_line(void *ctx, char *line)
{
	struct lines *l = ctx;

	l->count++;
	l->longest = strlen(line) > l->longest ? strlen(line) : l->longest;
	return l->stop;
}

static void test_lines(void **state)
{
	const struct tree *t = *state;
	static char text[100000];
	struct lines l = { 0 };

	tree_file(t, 7, "f", "one\n\nthree\nlast");
	assert_int_equal(procfs_lines(t->root, 7, "f", 1000, count_line, &l), 0);
	assert_int_equal(l.count, 4);
	assert_int_equal(l.longest, 5);
	l = (struct lines){ .stop = true };
	assert_int_equal(procfs_lines(t->root, 7, "f", 1000, count_line, &l), 0);
	assert_int_equal(l.count, 1);
	/* One line far too long, then a short one: the first is cut, once. */
	memset(text, 'x', sizeof(text));
	memcpy(text + sizeof(text) - 7, "\nshort", 7);
	tree_write(t, "7/f", text, sizeof(text) - 1, "w");
	l = (struct lines){ 0 };
	assert_int_equal(procfs_lines(t->root, 7, "f", sizeof(text), count_line, &l), 0);
	assert_int_equal(l.count, 2);
	assert_int_equal(l.longest, PROCFS_LINE_MAX);
	assert_int_equal(procfs_lines(t->root, 7, "none", 1000, count_line, &l), -ENOENT);
}

struct found {
	struct listening all[16];
	size_t count;
};

static void collect(void *ctx, const struct listening *l)
{
	struct found *f = ctx;

	assert_true(f->count < 16);
	f->all[f->count++] = *l;
}

static void check_listening(const struct listening *l, const char *address, uint16_t port,
			    uint64_t ino)
{
	char text[SERVER_ADDRESS_MAX];

	sockets_text(l, text, sizeof(text));
	assert_string_equal(text, address);
	assert_int_equal(l->at.port, port);
	assert_int_equal(l->at.netns, HOST_NS);
	assert_int_equal(l->ino, ino);
}

static void test_listening(void **state)
{
	const struct tree *t = *state;
	struct found f = { 0 };

	tree_tcp(t, HOST_NS, "0100007F", 8080, "0A", 11);
	tree_tcp(t, HOST_NS, "00000000", 80, "0A", 12);
	tree_tcp(t, HOST_NS, "0100007F", 41000, "01", 13);
	tree_tcp(t, HOST_NS, "0100007F", 8081, "0A",
		 14); /* behind a connection: not where the kernel puts it */
	tree_tcp(t, HOST_NS, "00000000000000000000000000000000", 8082, "0A", 15);
	tree_tcp(t, HOST_NS, "0000000000000000FFFF00000100007F", 8083, "0A", 16);
	tree_tcp(t, HOST_NS, "B80D0120000000000000000001000000", 8084, "0A", 17);
	tree_unix(t, HOST_NS, "00010000", 21, "/run/x.sock");
	tree_unix(t, HOST_NS, "00000000", 22, "/run/connected");
	tree_unix(t, HOST_NS, "00010000", 23, "@abstract");
	tree_unix(t, HOST_NS, "00010000", 24, "");
	assert_int_equal(sockets_listening(t->root, 7, HOST_NS, collect, &f), 0);
	assert_int_equal(f.count, 8);
	check_listening(&f.all[0], "127.0.0.1", 8080, 11);
	check_listening(&f.all[1], "0.0.0.0", 80, 12);
	check_listening(&f.all[2], "::", 8082, 15);
	check_listening(&f.all[3], "127.0.0.1", 8083, 16);
	check_listening(&f.all[4], "2001:db8::1", 8084, 17);
	check_listening(&f.all[5], "/run/x.sock", 0, 21);
	check_listening(&f.all[6], "@abstract", 0, 23);
	check_listening(&f.all[7], "", 0, 24);
}

static void test_junk_in_socket_tables(void **state)
{
	static const char junk[] =
		"\n\x00\xff\xfe:::\n0: :0050 0:0 0A\n0: ZZ:0050 00000000:0000 0A 0:0 0:0 0 0 0 9\n"
		"0: 0100007F:FFFFFFFFFFFF 00000000:0000 0A 0:0 0:0 0 0 0 9\n"
		"0: 0100007F0:0050 00000000:0000 0A 00000000:00000000 00:00000000 0 0 0 9\n"
		"0: 0100007F:0000 00000000:0000 0A 00000000:00000000 00:00000000 0 0 0 9\n"
		"0: 0100007F:0050 00000000:0000 0A 00000000:00000000 00:00000000 0 0 0 0\n"
		"0: 0100007F:0050 00000000:0000 0A 00000000:00000000 00:00000000 0 0 0 x\n"
		"0: 0100007F:0050 00000000:0000 0A 00000000:00000000 00:00000000 0 0 0 31 1\n";
	const struct tree *t = *state;
	struct found f = { 0 };

	tree_write(t, "net-4026531840/tcp", junk, sizeof(junk) - 1, "w");
	tree_write(t, "net-4026531840/tcp6", junk, 20, "w");
	tree_write(t, "net-4026531840/unix", junk, sizeof(junk) - 1, "w");
	assert_int_equal(sockets_listening(t->root, 7, HOST_NS, collect, &f), 0);
	assert_int_equal(f.count, 1);
	check_listening(&f.all[0], "127.0.0.1", 80, 31);
	assert_int_equal(sockets_listening(t->root, 9, HOST_NS, collect, &f), -ENOENT);
}

static void test_cgroups(void **state)
{
#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define U  "8a3c6a4e-1d2f-4b5a-9c8d-0123456789ab"
	static const char *const rows[][3] = {
		{ "0::/user.slice/session.scope\n", "", "" },
		{ "0::/system.slice/docker-" ID ".scope\n", ID, "" },
		{ "12:cpu:/docker/" ID "\n11:memory:/docker/" ID "\n", ID, "" },
		{ "0::/kubepods/burstable/pod" U "/" ID "\n", ID, U },
		{ "0::/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-"
		  "pod8a3c6a4e_1d2f_4b5a_9c8d_0123456789ab.slice/cri-containerd-" ID ".scope\n",
		  ID, U },
		{ "0::/kubepods/pod00112233445566778899aabbccddeeff/" ID "\n", ID,
		  "00112233445566778899aabbccddeeff" },
		{ "0::/machine.slice/libpod-" ID ".scope/container\n", ID, "" },
		{ "0::/x/" ID "0\n", "", "" }, /* one digit too many */
		{ "\xff\x00", "", "" },
		{ "0::/pod/podpod8a3c6a4e-1d2f\n", "", "" },
		{ "/", "", "" },
		{ "", "", "" },
	};
	const struct tree *t = *state;
	char container[65], pod[37];

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		tree_file(t, 7, "cgroup", rows[i][0]);
		identity_cgroup(t->root, 7, container, pod);
		assert_string_equal(container, rows[i][1]);
		assert_string_equal(pod, rows[i][2]);
	}
}

static void test_identity(void **state)
{
	static const char env[] = "OTEL_SERVICE_NAME=chat\napi\xff";
	const struct tree *t = *state;
	struct server s = { .engine = "vllm", .pid = 7 };

	identity_fill(&s, t->root, "host-1", 700, "python3");
	assert_string_equal(s.service_name, "vllm");
	assert_string_equal(s.instance_id, "host-1:7:700");
	s.engine = "unknown";
	identity_fill(&s, t->root, "host-1", 700, "python3");
	assert_string_equal(s.service_name, "python3");
	tree_write(t, "7/environ", env, sizeof(env), "w");
	tree_file(t, 7, "cgroup", "0::/system.slice/docker-" ID ".scope\n");
	identity_fill(&s, t->root, "host-1", 700, "python3");
	assert_string_equal(s.service_name, "chat?api?");
	assert_string_equal(s.instance_id, ID);
}

static void test_text(void **state)
{
	char dst[8];

	(void)state;
	text_copy(dst, sizeof(dst), "abcdefghij");
	assert_string_equal(dst, "abcdefg");
	text_copy(dst, sizeof(dst),
		  "abcdef\xc3\xa9"); /* the last character does not fit: it is not halved */
	assert_string_equal(dst, "abcdef");
	text_copy(dst, sizeof(dst), "\xe2\x82\xac\xf0\x9f\x98\x80");
	assert_string_equal(dst, "\xe2\x82\xac\xf0\x9f\x98\x80");
	text_copy(dst, sizeof(dst), "\xc0\x80\xed\xa0\x80\xe2\x82"); /* overlong, surrogate, cut */
	assert_string_equal(dst, "???????");
	text_copy(dst, sizeof(dst), "\t\x7f\xc2\x9b");
	assert_string_equal(dst, "????");
	text_copy(dst, 1, "x");
	assert_string_equal(dst, "");
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_stat),	 T(test_argv_and_links), T(test_environment),
		T(test_lines),	 T(test_listening),	 T(test_junk_in_socket_tables),
		T(test_cgroups), T(test_identity),	 T(test_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
