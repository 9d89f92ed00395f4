// SPDX-License-Identifier: Apache-2.0
#include "gpu/nvml_call.h"

#include <stddef.h>

#include "base/clock.h"

static const struct {
	const char *symbol;
	unsigned int patience_s;
} calls[] = {
#define NVML_CALL(symbol, need, patience, ...) { #symbol, patience },
#include "gpu/nvml_calls.def"
#undef NVML_CALL
};

#define NVML_ABSENT(name, label)
#define NVML_FAILURE(name, label)	     [NVML_FAILED_##name] = (label),
#define NVML_STATUS(name, code, kind, label) NVML_##kind(name, label)
const char *const nvml_failure_names[NVML_FAILURES] = {
#include "gpu/nvml_statuses.def"
};
#undef NVML_STATUS
#undef NVML_ABSENT
#undef NVML_FAILURE

void nvml_call_begin(struct nvml_caller *c, enum nvml_call call)
{
	struct nvml_watch *w = c->watch;

	__atomic_store_n(&w->call, call, __ATOMIC_RELAXED);
	__atomic_store_n(&w->deadline_ns,
			 clock_monotonic_ns() + calls[call].patience_s * NSEC_PER_SEC,
			 __ATOMIC_RELEASE);
}

const char *nvml_watch_stalled(const struct nvml_watch *w, uint64_t now_ns)
{
	uint64_t deadline = __atomic_load_n(&w->deadline_ns, __ATOMIC_ACQUIRE);

	if (!deadline || now_ns <= deadline)
		return NULL;
	return calls[__atomic_load_n(&w->call, __ATOMIC_RELAXED)].symbol;
}

/* Of NVML's status; -1: it is no failure. */
static int failure_of(int status)
{
	switch (status) {
#define NVML_ABSENT(name)  -1
#define NVML_FAILURE(name) NVML_FAILED_##name
#define NVML_STATUS(name, code, kind, label) \
	case code:                           \
		return NVML_##kind(name);
#include "gpu/nvml_statuses.def"
#undef NVML_STATUS
#undef NVML_ABSENT
#undef NVML_FAILURE
	default:
		return NVML_FAILED_OTHER;
	}
}

const char *nvml_status_name(int status)
{
	int failure = failure_of(status);

	return failure < 0 ? "absent" : nvml_failure_names[failure];
}

int nvml_call_end(struct nvml_caller *c, int status)
{
	int failure = failure_of(status);

	__atomic_store_n(&c->watch->deadline_ns, 0, __ATOMIC_RELEASE);
	if (failure >= 0)
		c->failures[failure]++;
	return status;
}
