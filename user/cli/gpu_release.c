// SPDX-License-Identifier: Apache-2.0
/*
 * `tokscope gpu release -p PID`: has libtokscope_cupti.so give CUPTI up, of which one process can have but one user, so that
 * torch.profiler or another tool may take it. When this ends, whatever way, the library takes it back.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "attach/cupti.h"
#include "base/clock.h"
#include "cli/command.h"
#include "cli/interrupt.h"
#include "cli/privilege.h"
#include "discover/procfs.h"

#define POLL_MS 50
/* The library looks at its commands twice a second; where it does not see that one came, it tells its state each 10 s. */
#define ANSWER_NS (15 * NSEC_PER_SEC)
#define PROBES	  (1u << CUPTI_PROBE_STATUS | 1u << CUPTI_PROBE_RELEASE)

struct release {
	const struct config *config;
	uint32_t pid;
	struct loader *loader;
	struct cupti_links *links;
	int state;    /* enum tks_cupti_state; -1: not told yet */
	pid_t child;  /* the command that is run meanwhile; 0: none, or it has ended */
	int status;   /* as waitpid() told it */
	bool stopped; /* the child was asked to end */
};

static const char *state_name(int state)
{
	static const char *const names[] = {
#define CUPTI_STATE(id, label) [id] = label,
#include "gpu/activity_kinds.def"
#undef CUPTI_STATE
	};

	return (size_t)state < sizeof(names) / sizeof(names[0]) ? names[state] : "unknown";
}

static void on_record(void *ctx, const struct tks_header *h)
{
	struct release *r = ctx;

	if (h->kind == TKS_KIND_CUPTI_STATUS && h->tgid == r->pid)
		r->state = (int)((const struct tks_cupti_status_record *)h)->status.state;
}

/* Does the library keep others from CUPTI? Not told yet: as far as we know. One that stood down may, and releases it too. */
static bool is_held(const struct release *r)
{
	return r->state < 0 || r->state == TKS_CUPTI_STARTING || r->state == TKS_CUPTI_IDLE ||
	       r->state == TKS_CUPTI_ACTIVE || r->state == TKS_CUPTI_STOOD_DOWN;
}

static void turn(struct release *r)
{
	struct pollfd pfd = { .fd = loader_poll_fd(r->loader), .events = POLLIN };

	poll(&pfd, 1, POLL_MS);
	loader_consume(r->loader);
}

static bool process_is_there(const struct release *r)
{
	struct procfs_stat st;

	return !procfs_stat("/proc", r->pid, &st) && !st.dead;
}

/* ------------------------------------------------------------------ taking it */

static int attach(struct release *r)
{
	static const struct loader_ops ops = { .record = on_record };
	const struct loader_config lc = { .gpu_hook = GPU_HOOK_OFF };

	privilege_protect();
	r->loader = loader_new(&lc, &ops, r);
	if (!r->loader)
		return -errno;
	r->links = cupti_attach(r->loader, r->pid, PROBES);
	if (r->links)
		return 0;
	if (errno == ENOENT)
		log_error("process %u has not loaded " CUPTI_LIBRARY
			  " (see tokscope run): there is nothing to release",
			  r->pid);
	else
		log_error(CUPTI_LIBRARY " in process %u cannot be probed: %s", r->pid,
			  errno == ENOEXEC ? "it is of another version" : strerror(errno));
	return -errno;
}

static int wait_until_free(struct release *r)
{
	uint64_t start = clock_monotonic_ns();

	while (is_held(r)) {
		turn(r);
		if (interrupted())
			return -EINTR;
		if (!process_is_there(r)) {
			log_error("process %u has ended", r->pid);
			return -ESRCH;
		}
		if (clock_monotonic_ns() - start > ANSWER_NS) {
			log_error("process %u does not release CUPTI (state: %s); is it stopped?",
				  r->pid, state_name(r->state));
			return -ETIMEDOUT;
		}
	}
	if (r->state == TKS_CUPTI_RELEASED)
		printf("process %u has released CUPTI\n", r->pid);
	else
		printf("process %u does not hold CUPTI (state: %s), and will not take it now\n",
		       r->pid, state_name(r->state));
	fflush(stdout);
	return 0;
}

/* ------------------------------------------------------------------ keeping it */

static int start_command(struct release *r)
{
	char **argv = r->config->operands;

	if (!r->config->operand_count)
		return 0;
	signal(SIGCHLD, SIG_DFL); /* where it was ignored, nobody would tell the command's end */
	r->child = fork();
	if (r->child < 0) {
		log_error("%s: %s", argv[0], strerror(errno));
		return -errno;
	}
	if (r->child)
		return 0;
	signal(SIGPIPE, SIG_DFL);
	execvp(argv[0], argv);
	log_error("%s: %s", argv[0], strerror(errno));
	_exit(errno == ENOENT ? 127 : 126); /* as the shell has them */
}

static bool has_ended(struct release *r)
{
	pid_t pid = waitpid(r->child, &r->status, WNOHANG);

	if (pid == 0 || (pid < 0 && errno == EINTR))
		return false;
	if (pid < 0) {
		log_error("waiting for %s: %s; it may still run", r->config->operands[0],
			  strerror(errno));
		r->status = W_EXITCODE(EXIT_FAILURE, 0);
	}
	r->child = 0;
	return true;
}

/* The command ends first, on a signal too: it may be in the middle of its profile. */
static bool is_over(struct release *r, uint64_t start)
{
	double limit = r->config->duration_s;
	bool stop = interrupted() ||
		    (limit > 0 && clock_monotonic_ns() - start >= limit * NSEC_PER_SEC);

	if (!r->config->operand_count)
		return stop || !process_is_there(r);
	if (has_ended(r))
		return true;
	if (stop && !r->stopped) {
		kill(r->child, SIGTERM);
		r->stopped = true;
	}
	return false;
}

static int exit_status(const struct release *r)
{
	if (WIFSIGNALED(r->status))
		return 128 + WTERMSIG(r->status);
	return WEXITSTATUS(r->status);
}

int cmd_gpu_release(const struct config *c)
{
	struct release r = { .config = c, .state = -1 };
	uint64_t start;
	int err;

	if (c->pids.count != 1) {
		log_error("of which process? tokscope gpu release -p PID");
		return EXIT_USAGE;
	}
	r.pid = c->pids.items[0];
	interrupt_catch();
	err = attach(&r);
	if (!err)
		err = wait_until_free(&r);
	if (!err)
		err = start_command(&r); /* with the privileges that it was called with */
	privilege_drop(false);
	start = clock_monotonic_ns();
	while (!err && !is_over(&r, start))
		turn(&r);
	loader_cupti_detach(r.links);
	loader_free(r.loader);
	return err ? 1 : exit_status(&r);
}
