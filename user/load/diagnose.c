// SPDX-License-Identifier: Apache-2.0
/* Why BPF does not work here, in words an operator can act on. */
#include "load/internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"

#define VMLINUX_BTF "/sys/kernel/btf/vmlinux"

/* One message of libbpf may hold a whole verifier log: a log line each. */
static int print_debug(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	_cleanup_free_ char *text = NULL;
	char *line, *rest = NULL;

	(void)level;
	if (log_get_level() < LOG_LEVEL_DEBUG || vasprintf(&text, fmt, ap) < 0)
		return 0;
	for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		log_debug("%s", line);
	return 0;
}

void diagnose_route_libbpf_log(void)
{
	libbpf_set_print(print_debug);
}

/* include/linux/security.h: the file shows all levels, the one in force in brackets. */
static bool locked_down(void)
{
	_cleanup_fclose_ FILE *f = fopen("/sys/kernel/security/lockdown", "re");
	char line[128] = "";

	return f && fgets(line, sizeof(line), f) && strstr(line, "[confidentiality]");
}

static const char *advice(int err)
{
	if (access(VMLINUX_BTF, R_OK))
		return VMLINUX_BTF
			" is missing: a kernel with CONFIG_DEBUG_INFO_BTF=y is needed, or /sys is not "
			"mounted in this container";
	switch (err) {
	case EPERM:
	case EACCES:
		if (locked_down())
			return "the kernel is locked down (confidentiality), which forbids BPF to read memory: boot "
			       "with lockdown=integrity or none";
		if (geteuid())
			return "run as root, or with CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN and CAP_SYS_RESOURCE";
		return "root here lacks CAP_BPF and CAP_PERFMON (before 5.8: CAP_SYS_ADMIN), or before 5.11 the "
		       "limit on locked memory is too low: use a privileged container, ulimit -l unlimited";
	case ENOENT:
		return "this kernel lacks what it hooks into: `tokscope feature probe` lists the socket backends that "
		       "work here, --socket-backend auto takes the best of them";
	case ENODEV:
		return "what --gpu-ioctl hooks into comes with the driver: load that first, or leave --gpu-ioctl at auto";
	case ENOMEM:
		return "not enough memory: try a smaller ring buffer";
	default:
		return "this kernel refused a program: see `tokscope feature probe`, and the verifier's words with "
		       "--log-level debug";
	}
}

void diagnose_failure(const char *what, int err)
{
	log_error("%s: %s; %s", what, strerror(err < 0 ? -err : err), advice(err < 0 ? -err : err));
}
