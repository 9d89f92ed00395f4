// SPDX-License-Identifier: Apache-2.0
#include "gpu/nvml.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"

#define LOOK_US 10000

/* Shared with the process that calls NVML. */
struct inquiry {
	struct nvml_watch watch;
	bool available;
	char detail[NVML_DETAIL_MAX];
};

/* Whoever reads our output must not wait for a process that hangs. */
static void leave_output(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (int fd = 0; fd <= STDERR_FILENO; fd++)
		dup2(null, fd);
}

static void await_end(struct inquiry *q, pid_t child)
{
	const char *hangs;
	int status = 0;

	while (!waitpid(child, &status, WNOHANG)) {
		hangs = nvml_watch_stalled(&q->watch, clock_monotonic_ns());
		if (hangs) {
			kill(child, SIGKILL);
			snprintf(q->detail, sizeof(q->detail), "the driver hangs in %s", hangs);
			return;
		}
		usleep(LOOK_US);
	}
	if (WIFSIGNALED(status))
		snprintf(q->detail, sizeof(q->detail), "NVML crashed: %s",
			 strsignal(WTERMSIG(status)));
}

/* 0 or negative errno. */
static int inquire(struct inquiry *q, const struct nvml_config *config)
{
	pid_t child = fork();

	if (child < 0)
		return -errno;
	if (!child) {
		leave_output();
		q->available = nvml_probe_here(config, &q->watch, q->detail);
		_exit(0);
	}
	await_end(q, child);
	return 0;
}

bool nvml_probe(const struct nvml_config *config, char detail[NVML_DETAIL_MAX])
{
	struct inquiry *q =
		mmap(NULL, sizeof(*q), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int err = q == MAP_FAILED ? -errno : inquire(q, config);
	bool available = !err && q->available;

	snprintf(detail, NVML_DETAIL_MAX, "%s", err ? strerror(-err) : q->detail);
	if (q != MAP_FAILED)
		munmap(q, sizeof(*q));
	return available;
}
