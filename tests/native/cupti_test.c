// SPDX-License-Identifier: Apache-2.0
/*
 * What libtokscope_cupti.so tells, on its way through the kernel: a child hits places like the library's probes with known
 * records, the parent must get every byte. The places are in this program; the library itself is in tests/e2e/test_cupti.py.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "probe_stage.h"

/* ------------------------------------------------------------------ the places */

/* Arguments of a function and of a probe are in the same registers. */
#define PLACE(name)                                              \
	void name##_place(uint64_t a, uint64_t b, uint64_t c);   \
	__asm__(".text\n" #name "_place:	nop\n	ret\n"); \
	static volatile unsigned short name##_semaphore __attribute__((used, section(".probes")));

#define TKS_CUPTI_PROBE(id, name, program) PLACE(name)
#include "tks_cupti_probes.def"
#undef TKS_CUPTI_PROBE

static const struct {
	const void *code;
	volatile unsigned short *semaphore;
} table[CUPTI_PROBES] = {
#define TKS_CUPTI_PROBE(id, name, program) { name##_place, &name##_semaphore },
#include "tks_cupti_probes.def"
#undef TKS_CUPTI_PROBE
};

#define ALL ((1u << CUPTI_PROBES) - 1)

/* A probe as the library has it: told to nobody, it is not hit. */
#define TELL(name, a, b, c)                                                         \
	do {                                                                        \
		if (name##_semaphore)                                               \
			name##_place((uint64_t)(uintptr_t)(a), (uint64_t)(b), (c)); \
	} while (0)

static uint8_t byte_at(size_t i)
{
	return (uint32_t)i * 0x9e3779b1u >> 24;
}

static void fill(void *to, size_t size, size_t seed)
{
	for (size_t i = 0; i < size; i++)
		((uint8_t *)to)[i] = byte_at(seed + i);
}

/* ------------------------------------------------------------------ the stage */

#define RECORDS_MAX 512

static struct stage {
	struct probe_stage probes; /* its loader */
	struct tks_header *records[RECORDS_MAX];
	size_t n;
} stage;

static void keep(void *ctx, const struct tks_header *h)
{
	struct stage *s = ctx;

	if (s->n == RECORDS_MAX || h->kind < TKS_KIND_CUPTI_ACTIVITY)
		return;
	s->records[s->n] = malloc(h->size);
	if (s->records[s->n])
		memcpy(s->records[s->n++], h, h->size);
}

static int forget(void **state)
{
	(void)state;
	while (stage.n)
		free(stage.records[--stage.n]);
	return 0;
}

static struct cupti_links *attach(pid_t pid, unsigned int wanted)
{
	struct uprobe_place places[CUPTI_PROBES] = { 0 };
	struct cupti_links *links;

	for (size_t i = 0; i < CUPTI_PROBES; i++) {
		places[i].offset = probe_offset(table[i].code);
		places[i].semaphore = probe_offset((const void *)table[i].semaphore);
	}
	links = loader_cupti_attach(stage.probes.loader, pid, "/proc/self/exe", places, wanted);
	assert_non_null(links);
	return links;
}

static void play(void (*scene)(void))
{
	pid_t child = probe_child(scene);
	struct cupti_links *links = attach(child, ALL);

	stage.probes.child = child;
	probe_child_go();
	probe_child_end(child);
	loader_cupti_detach(links);
	probe_read(&stage.probes);
}

static const void *record(size_t i, enum tks_kind kind, size_t size)
{
	const struct tks_header *h = stage.records[i];

	assert_true(i < stage.n);
	assert_int_equal(h->kind, kind);
	assert_int_equal(h->size, size);
	assert_int_equal(h->flags, 0);
	assert_int_equal(h->tgid, stage.probes.child);
	return h;
}

static void check_bytes(const void *got, size_t size, size_t seed)
{
	for (size_t i = 0; i < size; i++)
		assert_int_equal(((const uint8_t *)got)[i], byte_at(seed + i));
}

/* ------------------------------------------------------------------ activity */

static struct tks_cupti_record batch[TKS_CUPTI_BATCH + 100];

static void scene_every_size(void)
{
	for (uint32_t n = 1; n <= TKS_CUPTI_BATCH; n++) {
		fill(batch, n * sizeof(*batch), n);
		TELL(activity, batch, n, TKS_CUPTI_VERSION);
	}
}

static void test_every_size_of_batch(void **state)
{
	(void)state;
	play(scene_every_size);
	assert_int_equal(stage.n, TKS_CUPTI_BATCH);
	for (uint32_t n = 1; n <= TKS_CUPTI_BATCH; n++) {
		const struct tks_cupti_activity *a =
			record(n - 1, TKS_KIND_CUPTI_ACTIVITY, sizeof(*a) + n * sizeof(*batch));

		assert_int_equal(a->count, n);
		assert_int_equal(a->version, TKS_CUPTI_VERSION);
		check_bytes(a->records, n * sizeof(*batch), n);
	}
}

static void scene_too_long(void)
{
	fill(batch, sizeof(batch), 7);
	TELL(activity, batch, TKS_CUPTI_BATCH + 100, 1);
	TELL(activity, batch, UINT32_MAX, 1);
}

static void test_batch_is_clamped(void **state)
{
	uint64_t before = probe_lost(&stage.probes, "cupti_batch");

	(void)state;
	play(scene_too_long);
	assert_int_equal(stage.n, 2);
	for (size_t i = 0; i < 2; i++) {
		const struct tks_cupti_activity *a = record(
			i, TKS_KIND_CUPTI_ACTIVITY, sizeof(*a) + TKS_CUPTI_BATCH * sizeof(*batch));

		assert_int_equal(a->count, TKS_CUPTI_BATCH);
		check_bytes(a->records, TKS_CUPTI_BATCH * sizeof(*batch), 7);
	}
	assert_int_equal(probe_lost(&stage.probes, "cupti_batch") - before, 2);
}

static void scene_bad_pointers(void)
{
	TELL(activity, 8, 1, 1);
	TELL(activity, 8, TKS_CUPTI_BATCH, 1);
	TELL(activity, UINT64_MAX - 8, 10, 1);
	TELL(kernel_name, 1, 8, 5);
	TELL(device, 0, 0, 0);
	TELL(status, 8, 0, 0);
}

static void test_bad_pointers_are_counted(void **state)
{
	uint64_t before = probe_lost(&stage.probes, "cupti_read");
	uint64_t bad = probe_lost(&stage.probes, "bad_record");

	(void)state;
	play(scene_bad_pointers);
	assert_int_equal(stage.n, 0);
	assert_int_equal(probe_lost(&stage.probes, "cupti_read") - before, 6);
	assert_int_equal(probe_lost(&stage.probes, "bad_record"), bad);
}

#define FLOOD 2000 /* of 8 KiB: four times the ring */

static void scene_flood(void)
{
	fill(batch, sizeof(batch), 3);
	for (int i = 0; i < FLOOD; i++)
		TELL(activity, batch, TKS_CUPTI_BATCH, 1);
}

/* The reader is away: what came and what is counted as lost is all there was, and the child was not held up. */
static void test_full_ring_is_counted(void **state)
{
	uint64_t before = probe_lost(&stage.probes, "ring_full");

	(void)state;
	play(scene_flood);
	assert_true(stage.n > 0);
	assert_true(stage.n < FLOOD);
	assert_int_equal(stage.n + probe_lost(&stage.probes, "ring_full") - before, FLOOD);
}

/* ------------------------------------------------------------------ names, devices, status */

static const uint32_t lengths[] = { 0, 1, 127, 128, 129, 511, 512, 513, 5000 };
#define LENGTHS (sizeof(lengths) / sizeof(lengths[0]))

static void scene_names(void)
{
	static char name[5000];

	for (uint32_t i = 0; i < LENGTHS; i++) {
		fill(name, lengths[i], i);
		TELL(kernel_name, 1000 + i, (uintptr_t)name, lengths[i]);
	}
}

static void test_names(void **state)
{
	(void)state;
	play(scene_names);
	assert_int_equal(stage.n, LENGTHS);
	for (uint32_t i = 0; i < LENGTHS; i++) {
		uint32_t len = lengths[i] < TKS_CUPTI_NAME_MAX ? lengths[i] : TKS_CUPTI_NAME_MAX;
		const struct tks_cupti_kernel_name *k =
			record(i, TKS_KIND_CUPTI_NAME, sizeof(*k) + len);

		assert_int_equal(k->id, 1000 + i);
		assert_int_equal(k->len, len);
		check_bytes(k->name, len, i);
	}
}

static void scene_device_and_status(void)
{
	struct tks_cupti_device d;
	struct tks_cupti_status s;

	fill(&d, sizeof(d), 1);
	fill(&s, sizeof(s), 2);
	TELL(device, &d, 0, 0);
	TELL(status, &s, 0, 0);
}

static void test_device_and_status(void **state)
{
	const struct tks_cupti_device_record *d;
	const struct tks_cupti_status_record *s;

	(void)state;
	play(scene_device_and_status);
	assert_int_equal(stage.n, 2);
	d = record(0, TKS_KIND_CUPTI_DEVICE, sizeof(*d));
	check_bytes(&d->device, sizeof(d->device), 1);
	s = record(1, TKS_KIND_CUPTI_STATUS, sizeof(*s));
	check_bytes(&s->status, sizeof(s->status), 2);
}

/* ------------------------------------------------------------------ whose, and when */

/* Both processes map this file at the same addresses. */
static unsigned int semaphore_of(pid_t pid, enum cupti_probe probe)
{
	unsigned short value = 0xffff;
	struct iovec to = { &value, sizeof(value) };
	struct iovec from = { (void *)(uintptr_t)table[probe].semaphore, sizeof(value) };

	assert_int_equal(process_vm_readv(pid, &to, 1, &from, 1, 0), sizeof(value));
	return value;
}

static void check_semaphores(pid_t pid, unsigned int probes, unsigned int value)
{
	for (size_t i = 0; i < CUPTI_PROBES; i++)
		assert_int_equal(semaphore_of(pid, i), probes & 1u << i ? value : 0);
}

/* Events are closed in a thread; a hang is the harness's to end. */
static void wait_until_down(pid_t pid, unsigned int probes)
{
	for (size_t i = 0; i < CUPTI_PROBES; i++)
		while (probes & 1u << i && semaphore_of(pid, i))
			usleep(1000);
}

static void scene_nothing(void)
{
}

static void test_semaphores(void **state)
{
	const unsigned int release = 1u << CUPTI_PROBE_RELEASE | 1u << CUPTI_PROBE_STATUS;
	pid_t child = probe_child(scene_nothing);
	struct cupti_links *one, *two;

	(void)state;
	check_semaphores(child, ALL, 0);
	one = attach(child, release);
	check_semaphores(child, release, 1);
	check_semaphores(getpid(), ALL, 0);
	loader_cupti_detach(one);
	wait_until_down(child, ALL);
	one = attach(child, ALL);
	two = attach(child, release);
	check_semaphores(child, ALL, 1); /* up once, however many there are */
	loader_cupti_detach(one);
	wait_until_down(child, ALL & ~release);
	check_semaphores(child, release, 1);
	loader_cupti_detach(two);
	wait_until_down(child, ALL);
	probe_child_go();
	probe_child_end(child);
}

static void tell_ten(void)
{
	fill(batch, sizeof(*batch),
	     0); /* memory that was never written is not there, and cannot be read */
	for (int i = 0; i < 10; i++)
		TELL(activity, batch, 1, 1);
}

/* Its own, and those of a child of its own that nobody attached to. */
static void scene_forks(void)
{
	int status;

	if (!fork()) {
		tell_ten();
		_exit(0);
	}
	if (wait(&status) < 0 || status)
		_exit(97);
	tell_ten();
}

static void test_forked_child_is_not_told(void **state)
{
	(void)state;
	play(scene_forks);
	assert_int_equal(stage.n, 10);
	for (size_t i = 0; i < 10; i++)
		record(i, TKS_KIND_CUPTI_ACTIVITY,
		       sizeof(struct tks_cupti_activity) + sizeof(*batch));
}

static pid_t teller(int go[2])
{
	pid_t child;
	char c;

	assert_int_equal(pipe2(go, O_CLOEXEC), 0);
	child = fork();
	if (child)
		return child;
	if (read(go[0], &c, 1) == 1)
		tell_ten();
	_exit(0);
}

static size_t records_of(pid_t pid)
{
	size_t n = 0;

	for (size_t i = 0; i < stage.n; i++)
		n += stage.records[i]->tgid == (uint32_t)pid;
	return n;
}

static void tell_and_end(pid_t child, int go[2])
{
	int status;

	assert_int_equal(write(go[1], "", 1), 1);
	close(go[0]);
	close(go[1]);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

/* Two are attached to, one of them no more when all three tell. */
static void test_processes(void **state)
{
	int go[3][2];
	pid_t child[3];
	struct cupti_links *links[2];

	(void)state;
	for (size_t i = 0; i < 3; i++)
		child[i] = teller(go[i]);
	links[0] = attach(child[0], ALL);
	links[1] = attach(child[1], ALL);
	loader_cupti_detach(links[1]);
	wait_until_down(child[1], ALL);
	for (size_t i = 0; i < 3; i++)
		tell_and_end(child[i], go[i]);
	probe_read(&stage.probes);
	assert_int_equal(stage.n, 10);
	assert_int_equal(records_of(child[0]), 10);
	loader_cupti_detach(links[0]);
}

/* ------------------------------------------------------------------ what cannot be */

static void test_refusals(void **state)
{
	struct uprobe_place places[CUPTI_PROBES] = { 0 };
	const struct cupti_links *links;
	pid_t child = probe_child(scene_nothing);

	(void)state;
	links = loader_cupti_attach(stage.probes.loader, child, "/nonexistent", places, ALL);
	assert_null(links);
	assert_int_equal(errno, ENOENT);
	probe_child_go();
	probe_child_end(child);
	assert_null(loader_cupti_attach(stage.probes.loader, child, "/proc/self/exe", places,
					1u << CUPTI_PROBE_ACTIVITY));
	assert_int_equal(errno, ESRCH);
}

#define TEST(name) cmocka_unit_test_setup(name, forget)

static int run(bool multi, bool *had_multi)
{
	const struct CMUnitTest tests[] = {
		TEST(test_every_size_of_batch),
		TEST(test_batch_is_clamped),
		TEST(test_bad_pointers_are_counted),
		TEST(test_full_ring_is_counted),
		TEST(test_names),
		TEST(test_device_and_status),
		TEST(test_semaphores),
		TEST(test_forked_child_is_not_told),
		TEST(test_processes),
		TEST(test_refusals),
	};
	const struct loader_config config = { .probe_events = !multi };
	const struct loader_ops ops = { keep };
	int failed;

	stage.probes.loader = loader_new(&config, &ops, &stage);
	if (!stage.probes.loader)
		return 1;
	*had_multi = loader_probes_many(stage.probes.loader);
	print_message("# by %s\n", *had_multi ? "uprobe_multi" : "perf events");
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	forget(NULL);
	loader_free(stage.probes.loader);
	return failed;
}

/* By uprobe_multi, where the kernel has it; it always has perf events. */
int main(void)
{
	bool multi;
	int failed;

	setvbuf(stdout, NULL, _IOLBF, 0);
	failed = run(true, &multi);
	return multi ? failed + run(false, &multi) : failed;
}
