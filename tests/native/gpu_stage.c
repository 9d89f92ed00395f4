// SPDX-License-Identifier: Apache-2.0
#include "gpu_stage.h"

#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../vm/fake_nvidia/fake_nvidia.h"

static void keep_record(void *ctx, const struct tks_header *h)
{
	struct gpu_stage *s = ctx;

	if (h->kind == TKS_KIND_GPU && s->n < GPU_RECORDS_MAX)
		s->records[s->n++] = *(const struct tks_gpu *)h;
}

const struct loader_ops gpu_ops = { keep_record };

/* No other driver takes this command. */
bool gpu_fake_loaded(void)
{
	const struct fake_nvidia_answer none = { 0 };
	int fd = open(GPU_NODE, O_RDWR);
	bool fake = fd >= 0 && !ioctl(fd, FAKE_NVIDIA_ANSWER, &none);

	if (fd >= 0)
		close(fd);
	return fake;
}

struct loader *gpu_load(enum gpu_hook hook, uint32_t nvidia, uint32_t uvm, struct gpu_stage *stage)
{
	struct loader_config config = { .gpu_hook = hook, .gpu_majors = { nvidia, uvm } };

	return loader_new(&config, &gpu_ops, stage);
}

void gpu_play(struct gpu_stage *s, void (*scene)(void), bool selected)
{
	int go[2], status;
	pid_t child;
	char c = 0;

	s->n = 0;
	assert_int_equal(pipe(go), 0);
	child = fork();
	if (!child) {
		if (read(go[0], &c, 1) == 1)
			scene();
		_exit(0);
	}
	if (selected)
		assert_int_equal(loader_select(s->loader, child), 0);
	assert_int_equal(write(go[1], &c, 1), 1);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_true(loader_consume(s->loader) >= 0);
	close(go[0]);
	close(go[1]);
	loader_unselect(s->loader, child);
	for (size_t i = 0; i < s->n; i++)
		assert_int_equal(s->records[i].h.tgid, child);
}

uint64_t gpu_lost(const struct gpu_stage *s, const char *label)
{
	struct loader_failure rows[32];
	size_t n = loader_failures(s->loader, rows, 32);

	for (size_t i = 0; i < n; i++)
		if (!strcmp(rows[i].stage, label))
			return rows[i].count;
	fail_msg("no failure counter %s", label);
	return 0;
}

bool gpu_has_program(const struct loader *l, const char *name)
{
	struct loader_program rows[64];
	size_t n = loader_programs(l, rows, 64);

	for (size_t i = 0; i < n; i++)
		if (!strcmp(rows[i].name, name))
			return true;
	return false;
}

static void add_cell(void *ctx, const struct tks_gpu_cell_key *key, const struct tks_gpu_cell *sum)
{
	struct gpu_tally *t = ctx;

	assert_in_range(key->device, 0, TKS_GPU_DEVICES - 1);
	assert_in_range(key->command, 0, TKS_GPU_COMMANDS - 1);
	t->count[key->device][key->command] += sum->count;
	t->failed[key->device][key->command] += sum->failed;
	t->all += sum->count;
	t->sum_ns += sum->sum_ns;
}

void gpu_tally(const struct gpu_stage *s, struct gpu_tally *t)
{
	memset(t, 0, sizeof(*t));
	loader_gpu_cells(s->loader, add_cell, t);
}

/* ------------------------------------------------------------------ what a driver's library would do */

int gpu_call(int fd, unsigned int nr, void *arg, size_t size)
{
	return ioctl(fd, _IOC(_IOC_READ | _IOC_WRITE, 'F', nr, size), arg);
}

void put32(void *arg, size_t offset, uint32_t value)
{
	memcpy((char *)arg + offset, &value, sizeof(value));
}

void put64(void *arg, size_t offset, uint64_t value)
{
	memcpy((char *)arg + offset, &value, sizeof(value));
}

int gpu_open(const char *node)
{
	int fd = open(node, O_RDWR);

	if (fd < 0)
		_exit(99);
	return fd;
}

void fill_alloc(void *arg, uint32_t object, uint32_t class_number, const void *params)
{
	put32(arg, 0, CLIENT);
	put32(arg, 4, DEVICE);
	put32(arg, 8, object);
	put32(arg, 12, class_number);
	put64(arg, 16, (uintptr_t)params);
}

void alloc_memory(int fd, uint32_t flags, uint32_t attr, uint64_t bytes, uint32_t status)
{
	char arg[48] = { 0 }, params[128] = { 0 };

	put32(params, 8, flags);
	put32(params, 24, attr);
	put64(params, 64, bytes);
	fill_alloc(arg, MEMORY, 0x40, params);
	put32(arg, 40, status);
	gpu_call(fd, 0x2b, arg, sizeof(arg));
}
