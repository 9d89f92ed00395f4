// SPDX-License-Identifier: Apache-2.0
/* Which programs run: by socket backend, and by what this kernel has. */
#include "load/internal.h"

#include <bpf/btf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char *const backend_names[] = {
	[SOCKET_BACKEND_AUTO] = "auto",
	[SOCKET_BACKEND_SOCK] = "sock",
	[SOCKET_BACKEND_SYSCALL] = "syscall",
};
#define BACKENDS (sizeof(backend_names) / sizeof(backend_names[0]))

const char *socket_backend_name(enum socket_backend b)
{
	return (size_t)b < BACKENDS ? backend_names[b] : "unknown";
}

int socket_backend_parse(const char *name)
{
	for (size_t i = 0; i < BACKENDS; i++)
		if (!strcmp(name, backend_names[i]))
			return i;
	return -EINVAL;
}

/* The programs of each backend; all others serve every backend. */
static const struct {
	const char *program;
	enum socket_backend backend;
	bool raw;
} choices[] = {
	{ "sock_send", SOCKET_BACKEND_SOCK, false },
	{ "sock_recv", SOCKET_BACKEND_SOCK, false },
	{ "sys_exit_btf", SOCKET_BACKEND_SYSCALL, false },
	{ "sys_exit_raw", SOCKET_BACKEND_SYSCALL, true },
};

static bool wanted(const char *program, enum socket_backend backend, bool raw)
{
	for (size_t i = 0; i < sizeof(choices) / sizeof(choices[0]); i++)
		if (!strcmp(program, choices[i].program))
			return choices[i].backend == backend && choices[i].raw == raw;
	return true;
}

/* A tracepoint that BTF programs can use is a typedef btf_trace_<name> in the kernel's BTF. */
static bool tracepoint_exists(const struct btf *btf, const char *section)
{
	const char *name = strchr(section, '/');
	char type[128];

	if (!name || !strstr(section, "tp_btf/"))
		return true;
	snprintf(type, sizeof(type), "btf_trace_%s", name + 1);
	return btf__find_by_name_kind(btf, type, BTF_KIND_TYPEDEF) > 0;
}

int backend_select_programs(struct tokscope_bpf *skel, enum socket_backend backend, bool raw)
{
	struct btf *btf = btf__load_vmlinux_btf();
	struct bpf_program *p;
	int err = 0;

	if (!btf)
		return -errno;
	bpf_object__for_each_program(p, skel->obj) {
		bool use = wanted(bpf_program__name(p), backend, raw);
		bool exists = tracepoint_exists(btf, bpf_program__section_name(p));
		bool chosen = use && !wanted(bpf_program__name(p), SOCKET_BACKEND_AUTO, raw);

		if (chosen && !exists)
			err = -ENOENT;
		bpf_program__set_autoload(p, use && exists);
	}
	btf__free(btf);
	return err;
}
