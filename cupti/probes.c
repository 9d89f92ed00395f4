// SPDX-License-Identifier: Apache-2.0
#include "probes.h"

#include "usdt.h"

#define PROBE(name)                         \
	USDT_SEMAPHORE(name);               \
	bool probe_##name##_attached(void)  \
	{                                   \
		return USDT_ATTACHED(name); \
	}

PROBE(activity)
PROBE(kernel_name)
PROBE(device)
PROBE(status)
PROBE(want_activity)
PROBE(release)

void probe_activity(const struct tks_cupti_record *records, uint32_t count)
{
	if (USDT_ATTACHED(activity))
		USDT_FIRE(activity, (uintptr_t)records, count, TKS_CUPTI_VERSION);
}

void probe_kernel_name(uint32_t id, const char *name, uint32_t length)
{
	if (USDT_ATTACHED(kernel_name))
		USDT_FIRE(kernel_name, id, (uintptr_t)name, length);
}

void probe_device(const struct tks_cupti_device *device)
{
	if (USDT_ATTACHED(device))
		USDT_FIRE(device, (uintptr_t)device, 0, 0);
}

void probe_status(const struct tks_cupti_status *status)
{
	if (USDT_ATTACHED(status))
		USDT_FIRE(status, (uintptr_t)status, 0, 0);
}

/* Never called: a probe needs a place in the code. */
static __attribute__((used, noinline)) void commands(void)
{
	USDT_FIRE(want_activity, 0, 0, 0);
	USDT_FIRE(release, 0, 0, 0);
}
