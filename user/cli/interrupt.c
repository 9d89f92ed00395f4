// SPDX-License-Identifier: Apache-2.0
#include "cli/interrupt.h"

#include <signal.h>
#include <stddef.h>

static volatile sig_atomic_t came, hangup;

static void on_signal(int sig)
{
	(void)sig;
	came = 1;
}

void interrupt_catch(void)
{
	struct sigaction sa = { .sa_handler = on_signal };

	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	signal(SIGPIPE, SIG_IGN);
}

static void on_hangup(int sig)
{
	(void)sig;
	hangup = 1;
}

void interrupt_catch_reload(void)
{
	struct sigaction sa = { .sa_handler = on_hangup };

	sigaction(SIGHUP, &sa, NULL);
}

bool interrupt_reload(void)
{
	if (!hangup)
		return false;
	hangup = 0;
	return true;
}

bool interrupted(void)
{
	return came;
}
