// SPDX-License-Identifier: Apache-2.0
/*
 * Are return probes safe here?
 *
 * On x86-64 a probed function returns through a system call of the kernel's own since Linux 6.11 (ff474a78cef5). Filters of
 * seccomp saw it until it was exempted (cf6cb56ef244: 6.14, 6.13.3, 6.12.14), and those of containers and of systemd do not
 * know it: refused, the process goes on at an address that is what the function has returned. So it is tried, in a child.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "features.skel.h"
#include "load/internal.h"

/* uretprobe, in arch/x86/entry/syscalls/syscall_64.tbl; other architectures have no such call. */
#define NR_URETPROBE 335

static void refuse_uretprobe(void)
{
#ifdef __x86_64__
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, NR_URETPROBE, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog filter = { sizeof(code) / sizeof(code[0]), code };

	/* A kernel without seccomp has no process with a filter. */
	if (!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter);
#endif
}

static void crashed(int signal)
{
	(void)signal;
	_exit(1);
}

/* Other threads of the agent are not in it: nothing that takes a lock. */
static void child(int go, void (*target)(void))
{
	char c;

	signal(SIGSEGV, crashed);
	signal(SIGBUS, crashed);
	signal(SIGILL, crashed);
	if (read(go, &c, 1) != 1)
		_exit(2);
	refuse_uretprobe();
	target();
	_exit(0);
}

/* A perf event takes CAP_SYS_ADMIN since Linux 6.16, uprobe_multi does not. */
static struct bpf_link *attach(const struct features_bpf *skel, pid_t pid, size_t offset)
{
	const unsigned long at = offset;
	LIBBPF_OPTS(bpf_uprobe_multi_opts, multi, .offsets = &at, .cnt = 1, .retprobe = true);
	LIBBPF_OPTS(bpf_uprobe_opts, single, .retprobe = true);
	struct bpf_link *link = bpf_program__attach_uprobe_multi(skel->progs.uretprobe, pid,
								 "/proc/self/exe", NULL, &multi);

	return link
		       ?: bpf_program__attach_uprobe_opts(skel->progs.uretprobe_2, pid,
							  "/proc/self/exe", offset, &single);
}

/* The exit status of the child, after it has called the function with a probe on its return. Negative errno: it has not. */
static int call_probed(const struct features_bpf *skel, pid_t pid, int go, size_t offset)
{
	struct bpf_link *link = attach(skel, pid, offset);
	int err = link ? 0 : -errno, status = 0;

	if (link && write(go, "", 1) != 1)
		err = -errno;
	close(go); /* the child reads it, or its end */
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	bpf_link__destroy(link);
	return err ?: WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

static int try(const struct features_bpf *skel, void (*target)(void), size_t offset)
{
	int go[2];
	pid_t pid;

	if (pipe2(go, O_CLOEXEC))
		return -errno;
	pid = fork();
	if (!pid) {
		close(go[1]);
		child(go[0], target);
	}
	close(go[0]);
	if (pid > 0)
		return call_probed(skel, pid, go[1], offset);
	close(go[1]);
	return -errno;
}

bool return_probe_try(const struct features_bpf *skel, void (*target)(void), size_t offset,
		      struct feature *out)
{
	int result = try(skel, target, offset);

	if (result < 0)
		snprintf(out->detail, sizeof(out->detail), "cannot be attached: %s",
			 strerror(-result));
	else if (result)
		snprintf(
			out->detail, sizeof(out->detail),
			"processes with a seccomp filter crash at them (Linux 6.11 to 6.13.2, and 6.12 before .14)");
	else if (!skel->bss->probe_hits)
		snprintf(out->detail, sizeof(out->detail), "do not fire");
	return !result && skel->bss->probe_hits;
}
