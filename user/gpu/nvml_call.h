/* SPDX-License-Identifier: Apache-2.0 */
/* Calls into NVML: watched, because a driver may hang, and their failures counted. */
#ifndef GPU_NVML_CALL_H
#define GPU_NVML_CALL_H

#include <stdint.h>

#include "gpu/nvml_library.h"

enum nvml_call {
#define NVML_CALL(symbol, ...) NVML_CALL_##symbol,
#include "gpu/nvml_calls.def"
#undef NVML_CALL
};

enum nvml_failure {
#define NVML_ABSENT(name)
#define NVML_FAILURE(name)		     NVML_FAILED_##name,
#define NVML_STATUS(name, code, kind, label) NVML_##kind(name)
#include "gpu/nvml_statuses.def"
#undef NVML_STATUS
#undef NVML_ABSENT
#undef NVML_FAILURE
	NVML_FAILURES,
};
/* The metric's error_type: "gpu_is_lost". */
extern const char *const nvml_failure_names[NVML_FAILURES];
/* The same of a status, for messages; "absent" where it is no failure. */
const char *nvml_status_name(int status);

/* The call that one thread is in, for another to look at. */
struct nvml_watch {
	int call;	      /* enum nvml_call; atomic */
	uint64_t deadline_ns; /* CLOCK_MONOTONIC: later than this it hangs; 0: in none. Atomic. */
};

/* The name of the call that hangs at now_ns; NULL: none does. */
const char *nvml_watch_stalled(const struct nvml_watch *w, uint64_t now_ns);

struct nvml_caller {
	struct nvml_api api;
	struct nvml_watch *watch; /* not owned */
	uint64_t failures[NVML_FAILURES];
};

/* For CALL(). */
void nvml_call_begin(struct nvml_caller *c, enum nvml_call call);
int nvml_call_end(struct nvml_caller *c, int status);

/* NVML's status; of a function that the library does not have: FUNCTION_NOT_FOUND. */
#define CALL(c, symbol, ...)                                                \
	((c)->api.symbol ? (nvml_call_begin(c, NVML_CALL_##symbol),         \
			    nvml_call_end(c, (c)->api.symbol(__VA_ARGS__))) \
			 : NVML_FUNCTION_NOT_FOUND)

#endif
