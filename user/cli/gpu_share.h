/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What GPU time was a request's: joins the tracker's requests with the work that libtokscope_cupti.so tells of. A record waits
 * here until the work of its time is told, two seconds at most; then its gpu_s is known, or stays null.
 */
#ifndef CLI_GPU_SHARE_H
#define CLI_GPU_SHARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gpu/busy.h"
#include "metric/registry.h"
#include "track/tracker.h"

struct gpu_share;

/* `finished` gets the records that waited, with what is known now. NULL: out of memory. */
struct gpu_share *gpu_share_new(void (*finished)(void *ctx, const struct request_record *r),
				void *ctx);
/* Records that still wait go out as they are, and no other waits from now on. */
void gpu_share_end(struct gpu_share *g);
/* After that. NULL is fine. */
void gpu_share_free(struct gpu_share *g);

/* Work of one of the server's processes (0: of nobody's), on the GPU of this number; items as busy_add() takes them. */
void gpu_share_busy(struct gpu_share *g, uint32_t server, uint32_t gpu, struct interval *items,
		    size_t count);
/*
 * The library in this process tells all work from now on, or none any more. Each change of who tells begins anew: requests
 * that ran then have no known time.
 */
void gpu_share_process(struct gpu_share *g, uint32_t server, uint32_t tgid, bool active,
		       uint64_t now_ns);
/* It has ended, or runs another program. */
void gpu_share_process_gone(struct gpu_share *g, uint32_t tgid, uint64_t now_ns);
/* Is there any that has the library? */
bool gpu_share_has_process(const struct gpu_share *g);
/* What work of this process had ended before the last such call has been told: about twice a second while it is active. */
void gpu_share_flushed(struct gpu_share *g, uint32_t tgid, uint64_t now_ns);
/* Some work of this process, or of any, is not told: requests that ran until now have no known time. */
void gpu_share_lost(struct gpu_share *g, uint32_t tgid, uint64_t now_ns);
void gpu_share_lost_any(struct gpu_share *g, uint64_t now_ns);
void gpu_share_server_gone(struct gpu_share *g, uint32_t server);
/* As the tracker tells it. */
void gpu_share_run(struct gpu_share *g, const struct request_run *run);
/* True: r was copied, and is told later. */
bool gpu_share_hold(struct gpu_share *g, const struct request_record *r, uint64_t now_ns);
/*
 * Often: settles what all active libraries have told. Who is silent for too long is waited for no more, and requests of its
 * server have no known time.
 */
void gpu_share_tick(struct gpu_share *g, uint64_t now_ns);
/* What could not be shared out, as reasons of tokscope_gpu_records_discarded_total. */
void gpu_share_publish(const struct gpu_share *g, struct registry *r);

#endif
