// SPDX-License-Identifier: Apache-2.0
/*
 * The advisory boundaries of the OpenTelemetry GenAI metrics (semantic-conventions v1.41.1, docs/gen-ai/gen-ai-metrics.md),
 * so that tokscope's series add up with those of instrumented servers.
 */
#include "metric/bounds.h"

#define BOUNDS(name, ...)                                          \
	static const double name##_le[] = { __VA_ARGS__ };         \
	const struct hist_bounds name = {                          \
		.le = name##_le,                                   \
		.count = sizeof(name##_le) / sizeof(name##_le[0]), \
	}

/* gen_ai.server.request.duration */
BOUNDS(bounds_duration, 0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48,
       40.96, 81.92);

/* gen_ai.server.time_to_first_token */
BOUNDS(bounds_ttft, 0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0,
       7.5, 10.0);

/*
 * gen_ai.server.time_per_output_token, and below its first boundary (10 ms) six more: small models on a GPU write a
 * token every 1 to 8 ms.
 */
BOUNDS(bounds_tpot, 0.0005, 0.001, 0.002, 0.004, 0.006, 0.008, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15,
       0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5);

/* From a round trip on one host (tens of microseconds) to a client that stopped reading. */
BOUNDS(bounds_net, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,
       0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0);

/* From a query that the driver answers at once (1 us) to one that waits for the GPU, or resets it. */
BOUNDS(bounds_call, 0.000001, 0.0000025, 0.000005, 0.00001, 0.000025, 0.00005, 0.0001, 0.00025,
       0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0);

/* gen_ai.client.token.usage */
BOUNDS(bounds_tokens, 1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304,
       16777216, 67108864);

/* Batches: powers of two. */
BOUNDS(bounds_batch, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768,
       65536, 131072);
