// SPDX-License-Identifier: Apache-2.0
/* Which programs run: by socket backend, and by what this kernel has. */
#include "load/internal.h"

#include <bpf/btf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char *const backend_names[] = {
	[SOCKET_BACKEND_AUTO] = "auto",	      [SOCKET_BACKEND_FENTRY] = "fentry",
	[SOCKET_BACKEND_KPROBE] = "kprobe",   [SOCKET_BACKEND_SOCK] = "sock",
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

/* Programs that belong to one backend, by name or by the first part of it; all others serve every backend. */
static const struct {
	const char *program;
	enum socket_backend backend;
	bool raw;
} choices[] = {
	{ "fexit_", SOCKET_BACKEND_FENTRY, false },
	{ "unix_close_fentry", SOCKET_BACKEND_FENTRY, false },
	{ "unix_close_kprobe", SOCKET_BACKEND_KPROBE, false },
	{ "kprobe_", SOCKET_BACKEND_KPROBE, false },
	{ "kretprobe_", SOCKET_BACKEND_KPROBE, false },
	{ "sock_send", SOCKET_BACKEND_SOCK, false },
	{ "sock_recv", SOCKET_BACKEND_SOCK, false },
	{ "sys_exit_btf", SOCKET_BACKEND_SYSCALL, false },
	{ "sys_exit_raw", SOCKET_BACKEND_SYSCALL, true },
};

bool backend_wants(const char *program, enum socket_backend backend, bool raw)
{
	for (size_t i = 0; i < sizeof(choices) / sizeof(choices[0]); i++)
		if (!strncmp(program, choices[i].program, strlen(choices[i].program)))
			return choices[i].backend == backend && choices[i].raw == raw;
	return true;
}

/* What a section attaches to, by the BTF of the kernel: typedef btf_trace_<name> is a tracepoint that BTF programs can use. */
static bool target_exists(const struct btf *btf, const char *section)
{
	const char *name = strchr(section, '/');
	char type[128];

	if (!name || strstr(section, "raw_tp/"))
		return true;
	if (!strstr(section, "tp_btf/"))
		return btf__find_by_name_kind(btf, name + 1, BTF_KIND_FUNC) > 0;
	snprintf(type, sizeof(type), "btf_trace_%s", name + 1);
	return btf__find_by_name_kind(btf, type, BTF_KIND_TYPEDEF) > 0;
}

/* A backend without these is none; what else there is, kernels have more or less of. */
static bool essential(const char *section)
{
	static const char *const names[] = { "/tcp_sendmsg", "/tcp_recvmsg", "/sock_send_length",
					     "/sock_recv_length", "/sys_exit" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(strchr(section, '/') ?: "", names[i]))
			return true;
	return false;
}

/* Number of arguments of a kernel function; `otherwise` where its type is not known. */
static __u32 arguments(const struct btf *btf, const char *function, __u32 otherwise)
{
	const struct btf_type *t =
		btf__type_by_id(btf, btf__find_by_name_kind(btf, function, BTF_KIND_FUNC));

	t = t && btf_is_func(t) ? btf__type_by_id(btf, t->type) : NULL;
	return t ? btf_vlen(t) : otherwise;
}

int backend_select_programs(struct tokscope_bpf *skel, enum socket_backend backend, bool raw)
{
	struct btf *btf = btf__load_vmlinux_btf();
	struct bpf_program *p;
	int err = 0;

	if (!btf)
		return -errno;
	skel->rodata->recvmsg_args = arguments(btf, "tcp_recvmsg", skel->rodata->recvmsg_args);
	skel->rodata->accept_args = arguments(btf, "inet_csk_accept", skel->rodata->accept_args);
	bpf_object__for_each_program(p, skel->obj) {
		const char *section = bpf_program__section_name(p);
		bool use = backend_wants(bpf_program__name(p), backend, raw);
		bool exists = target_exists(btf, section);

		if (use && !exists && essential(section))
			err = -ENOENT;
		bpf_program__set_autoload(p, use && exists);
	}
	btf__free(btf);
	return err;
}

int backend_attach(struct loader *l)
{
	int err = tokscope_bpf__attach(l->skel);
	struct bpf_program *p;

	if (err || l->backend != SOCKET_BACKEND_KPROBE)
		return err;
	bpf_object__for_each_program(p, l->skel->obj) {
		const char *section = bpf_program__section_name(p);
		struct bpf_link *link;

		if (bpf_program__fd(p) < 0 || strncmp(bpf_program__name(p), "kprobe_", 7) ||
		    l->n_returns == RETURNS_MAX)
			continue;
		link = bpf_program__attach_kprobe(l->skel->progs.kretprobe_return, true,
						  strchr(section, '/') + 1);
		if (!link)
			return -errno;
		l->returns[l->n_returns++] = link;
	}
	return 0;
}

void backend_detach(struct loader *l)
{
	while (l->n_returns)
		bpf_link__destroy(l->returns[--l->n_returns]);
}
