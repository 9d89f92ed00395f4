// SPDX-License-Identifier: Apache-2.0
#include "sink.h"

#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <ucontext.h>
#include <unistd.h>

#define PROBES_MAX 16

#if defined(__x86_64__)
#define BREAKPOINT	"\xcc"
#define BREAKPOINT_SIZE 1
#elif defined(__aarch64__)
#define BREAKPOINT	"\x00\x00\x20\xd4" /* brk 0 */
#define BREAKPOINT_SIZE 4
#endif

struct site {
	char name[32];
	uintptr_t address; /* of the probed instruction */
	volatile unsigned short *semaphore;
	void (*hit)(const uint64_t args[3]);
};

static struct sink sink;
static struct site sites[PROBES_MAX];
static size_t site_count;
static atomic_flag telling = ATOMIC_FLAG_INIT;

/* A lock that a signal handler may take: no site is hit while it is held by the thread itself. */
static void lock(void)
{
	while (atomic_flag_test_and_set(&telling))
		;
}

static void unlock(void)
{
	atomic_flag_clear(&telling);
}

static void die(const char *what)
{
	fprintf(stderr, "sink: %s\n", what);
	_exit(2);
}

/* ------------------------------------------------------------------ hits */

static void hit_activity(const uint64_t args[3])
{
	const struct tks_cupti_record *records = (const void *)(uintptr_t)args[0];
	uint32_t count = (uint32_t)args[1];

	if (count > TKS_CUPTI_BATCH || args[1] != count || args[2] != TKS_CUPTI_VERSION ||
	    sink.count + count > SINK_RECORDS) {
		sink.wrong++;
		return;
	}
	if (!count) {
		sink.flushes++;
		return;
	}
	memcpy(sink.records + sink.count, records, count * sizeof(*records));
	sink.count += count;
	sink.batches++;
	if (sink.largest < count)
		sink.largest = count;
}

static void hit_kernel_name(const uint64_t args[3])
{
	const char *name = (const char *)(uintptr_t)args[1];
	char *known = sink.names[args[0] % SINK_NAMES];

	if (!args[0] || args[0] >= SINK_NAMES || args[2] > TKS_CUPTI_NAME_MAX ||
	    strlen(name) != args[2] || (*known && strcmp(known, name))) {
		sink.wrong++;
		return;
	}
	sink.names_told_twice += *known != '\0';
	memcpy(known, name, args[2] + 1);
	sink.names_told++;
}

static void hit_device(const uint64_t args[3])
{
	const struct tks_cupti_device *device = (const void *)(uintptr_t)args[0];

	if (device->ordinal >= SINK_DEVICES) {
		sink.wrong++;
		return;
	}
	sink.devices[device->ordinal] = *device;
	sink.devices_told++;
}

static void hit_status(const uint64_t args[3])
{
	sink.status = *(const struct tks_cupti_status *)(uintptr_t)args[0];
	sink.wrong += sink.status.version != TKS_CUPTI_VERSION;
	sink.statuses++;
}

static void hit_command(const uint64_t args[3])
{
	(void)args;
	sink.commands++;
}

static const struct {
	const char *name;
	void (*hit)(const uint64_t args[3]);
} handlers[] = {
	{ "activity", hit_activity },	  { "kernel_name", hit_kernel_name },
	{ "device", hit_device },	  { "status", hit_status },
	{ "want_activity", hit_command }, { "release", hit_command },
};

static const struct site *site_at(uintptr_t address)
{
	for (size_t i = 0; i < site_count; i++)
		if (sites[i].address == address)
			return &sites[i];
	return NULL;
}

static void on_trap(int number, siginfo_t *info, void *context)
{
	mcontext_t *m = &((ucontext_t *)context)->uc_mcontext;
	const struct site *s;
#if defined(__x86_64__)
	uintptr_t address = (uintptr_t)m->gregs[REG_RIP] - BREAKPOINT_SIZE;
	uint64_t args[3] = { (uint64_t)m->gregs[REG_RDI], (uint64_t)m->gregs[REG_RSI],
			     (uint64_t)m->gregs[REG_RDX] };
#else
	uintptr_t address = m->pc;
	uint64_t args[3] = { m->regs[0], m->regs[1], m->regs[2] };

	m->pc += BREAKPOINT_SIZE;
#endif
	(void)number;
	(void)info;
	lock();
	s = site_at(address);
	if (!s)
		die("a breakpoint that is none of ours");
	s->hit(args);
	unlock();
}

/* ------------------------------------------------------------------ notes */

struct image {
	const uint8_t *file;
	size_t size;
	const Elf64_Shdr *notes, *base;
};

static struct image read_image(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct image image = { 0 };
	const Elf64_Ehdr *header;
	const Elf64_Shdr *sections;
	const char *names;
	struct stat st;

	if (fd < 0 || fstat(fd, &st))
		die(path);
	image.size = (size_t)st.st_size;
	image.file = mmap(NULL, image.size, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	header = (const void *)image.file;
	sections = (const void *)(image.file + header->e_shoff);
	names = (const char *)image.file + sections[header->e_shstrndx].sh_offset;
	for (int i = 0; i < header->e_shnum; i++) {
		if (!strcmp(names + sections[i].sh_name, ".note.stapsdt"))
			image.notes = &sections[i];
		if (!strcmp(names + sections[i].sh_name, ".stapsdt.base"))
			image.base = &sections[i];
	}
	if (!image.notes || !image.base)
		die("the library has no USDT notes");
	return image;
}

struct loaded {
	const char *path;
	uintptr_t address;
};

static int find_loaded(struct dl_phdr_info *info, size_t size, void *data)
{
	struct loaded *l = data;

	(void)size;
	if (!strcmp(info->dlpi_name, l->path))
		l->address = info->dlpi_addr;
	return l->address != 0;
}

static void add_site(const char *name, uintptr_t address, uintptr_t semaphore)
{
	struct site *s = &sites[site_count++];
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	void *from = (void *)(address / page * page);

	snprintf(s->name, sizeof(s->name), "%s", name);
	s->address = address;
	s->semaphore = (volatile unsigned short *)semaphore;
	for (size_t i = 0; i < sizeof(handlers) / sizeof(*handlers); i++)
		if (!strcmp(handlers[i].name, name))
			s->hit = handlers[i].hit;
	if (!s->hit || *s->semaphore)
		die("an unknown probe, or one with its semaphore up");
	if (mprotect(from, 2 * page, PROT_READ | PROT_WRITE | PROT_EXEC))
		die("the library's code cannot be changed");
	memcpy((void *)address, BREAKPOINT, BREAKPOINT_SIZE);
	__builtin___clear_cache((char *)address, (char *)address + BREAKPOINT_SIZE);
}

static void add_note(const struct image *image, uintptr_t loaded, const uint8_t *description)
{
	uint64_t words[3], moved;
	const char *provider = (const char *)description + sizeof(words);
	const char *name = provider + strlen(provider) + 1;

	memcpy(words, description, sizeof(words));
	moved = loaded + image->base->sh_addr - words[1];
	if (strcmp(provider, TKS_CUPTI_PROVIDER) != 0 || site_count == PROBES_MAX)
		die("a note of another provider");
	add_site(name, words[0] + moved, words[2] + moved);
}

struct sink *sink_open(const char *path)
{
	struct sigaction action = { .sa_sigaction = on_trap, .sa_flags = SA_SIGINFO };
	struct image image = read_image(path);
	struct loaded loaded = { .path = path };
	const uint8_t *at = image.file + image.notes->sh_offset, *end = at + image.notes->sh_size;

	dl_iterate_phdr(find_loaded, &loaded);
	if (!loaded.address)
		die("the library is not loaded");
	sink.records = calloc(SINK_RECORDS, sizeof(*sink.records));
	sink.names = calloc(SINK_NAMES, sizeof(*sink.names));
	sigaction(SIGTRAP, &action, NULL);
	lock();
	while (at < end) {
		const Elf64_Nhdr *note = (const void *)at;
		const uint8_t *description = at + sizeof(*note) + (note->n_namesz + 3) / 4 * 4;

		add_note(&image, loaded.address, description);
		at = description + (note->n_descsz + 3) / 4 * 4;
	}
	unlock();
	return &sink;
}

static struct site *site_named(const char *name)
{
	for (size_t i = 0; i < site_count; i++)
		if (!strcmp(sites[i].name, name))
			return &sites[i];
	die(name);
	return NULL;
}

void sink_attach(const char *probe)
{
	__atomic_fetch_add(site_named(probe)->semaphore, 1, __ATOMIC_RELAXED);
}

void sink_detach(const char *probe)
{
	__atomic_fetch_sub(site_named(probe)->semaphore, 1, __ATOMIC_RELAXED);
}

struct tks_cupti_status sink_status(void)
{
	struct tks_cupti_status status;

	lock();
	status = sink.status;
	unlock();
	return status;
}
