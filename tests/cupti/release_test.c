// SPDX-License-Identifier: Apache-2.0
/* The library gives CUPTI up, to another profiler or by itself, and takes it back: what it leaves, and what it finds. */
#include <dlfcn.h>
#include <string.h>

#include "world.h"

static void start(struct world *w)
{
	world_open(w, true);
	world_inject(w);
}

/* ------------------------------------------------------------------ another profiler of the same process */

static struct {
	cupti_result (*subscribe)(void **subscriber, cupti_callback callback, void *data);
	cupti_result (*unsubscribe)(void *subscriber);
	cupti_result (*register_callbacks)(cupti_buffer_requested, cupti_buffer_completed);
	cupti_result (*flush)(uint32_t flags);
	void *subscriber;
	uint8_t buffer[4096] __attribute__((aligned(8)));
	uint32_t handed, strange; /* buffers: its own, and others */
} rival;

static void rival_open(void)
{
	void *cupti = dlopen(FAKES "/libcupti.so.13", RTLD_NOW | RTLD_LOCAL);

	*(void **)&rival.subscribe = dlsym(cupti, "cuptiSubscribe");
	*(void **)&rival.unsubscribe = dlsym(cupti, "cuptiUnsubscribe");
	*(void **)&rival.register_callbacks = dlsym(cupti, "cuptiActivityRegisterCallbacks");
	*(void **)&rival.flush = dlsym(cupti, "cuptiActivityFlushAll");
}

static void rival_requested(uint8_t **buffer, size_t *size, size_t *max_records)
{
	*buffer = rival.buffer;
	*size = sizeof(rival.buffer);
	*max_records = 0;
}

static void rival_completed(void *context, uint32_t stream, uint8_t *buffer, size_t size,
			    size_t valid)
{
	(void)context;
	(void)stream;
	(void)size;
	(void)valid;
	rival.handed += buffer == rival.buffer;
	rival.strange += buffer != rival.buffer;
}

static void rival_takes_cupti(void)
{
	check(rival.subscribe(&rival.subscriber, NULL, NULL) == RESULT_OK);
	check(rival.register_callbacks(rival_requested, rival_completed) == RESULT_OK);
}

static void release_and_wait(struct world *w)
{
	sink_attach("status");
	sink_attach("release");
	eventually(w->sink->statuses && sink_status().state == TKS_CUPTI_RELEASED);
	check(!w->cupti->subscribed && !w->cupti->enabled && !w->cupti->launches);
}

static void released_another_may_subscribe(struct world *w)
{
	rival_open();
	start(w);
	world_listen(w);
	check(rival.subscribe(&rival.subscriber, NULL, NULL) == RESULT_BUSY);
	check(world_kernel(w, 1, world_realtime_ns(), "k"));
	release_and_wait(w);
	check(w->sink->count == 1); /* what there was is told first */
	rival_takes_cupti();
	check(rival.unsubscribe(rival.subscriber) == RESULT_OK);
	sink_detach("release");
	eventually(sink_status().state == TKS_CUPTI_ACTIVE);
	check(world_kernel(w, 2, world_realtime_ns(), "k"));
	eventually(w->sink->count == 2);
}

static void who_registers_next_gets_no_buffer_of_ours(struct world *w)
{
	const struct activity_graph work = { .kind = KIND_GRAPH_TRACE, .start = 1, .end = 2 };

	rival_open();
	start(w);
	world_listen(w);
	w->cupti->incomplete = true;
	check(world_kernel(w, 1, world_realtime_ns(), "k"));
	release_and_wait(w);
	check(w->sink->count == 1);
	rival_takes_cupti();
	check(rival.flush(FLUSH_FORCED) == RESULT_OK);
	check(!rival.handed && !rival.strange);
	check(w->record(&work, sizeof(work), true));
	check(rival.flush(FLUSH_FORCED) == RESULT_OK);
	check(rival.handed == 1 && !rival.strange);
}

static bool settings_are(struct world *w, size_t pool_limit, uint8_t zeroed, int thread_ids)
{
	return w->cupti->pool_limit == pool_limit && w->cupti->zeroed == zeroed &&
	       w->cupti->thread_ids == thread_ids;
}

static void settings_are_left_as_they_were_found(struct world *w)
{
	world_open(w, true);
	w->cupti->pool_limit = 100;
	w->cupti->thread_ids = 2;
	world_inject(w);
	check(settings_are(w, 8, 1, THREAD_ID_SYSTEM));
	release_and_wait(w);
	check(settings_are(w, 100, 0, 2));
	w->cupti->zeroed = 1;
	sink_detach("release");
	eventually(sink_status().state == TKS_CUPTI_IDLE);
	check(settings_are(w, 8, 1, THREAD_ID_SYSTEM));
	release_and_wait(w);
	check(settings_are(w, 100, 1, 2));
}

static void settings_that_cannot_be_read_become_the_defaults(struct world *w)
{
	world_open(w, true);
	w->cupti->attributes_error = RESULT_UNKNOWN;
	world_inject(w);
	release_and_wait(w);
	check(settings_are(w, 250, 0, THREAD_ID_DEFAULT));
}

static void a_buffer_that_another_left_behind_is_left_alone(struct world *w)
{
	const struct activity_graph work = { .kind = KIND_GRAPH_TRACE, .start = 1, .end = 2 };

	rival_open();
	start(w);
	world_listen(w);
	release_and_wait(w);
	rival_takes_cupti();
	check(w->record(&work, sizeof(work), true));
	check(rival.unsubscribe(rival.subscriber) == RESULT_OK);
	sink_detach("release");
	eventually(sink_status().state == TKS_CUPTI_ACTIVE);
	check(world_kernel(w, 1, world_realtime_ns(), "k"));
	eventually(w->sink->count);
	check(w->sink->count == 1 && w->sink->records[0].kind == TKS_CUPTI_KERNEL);
	check(!memcmp(rival.buffer, &work, sizeof(work)));
	check(world_status(w).unknown == 1);
}

/* Flushes that failed within one window, as time stands still, and after it a window that is watched from its beginning. */
static void it_is_watched_anew_after_a_release(struct world *w)
{
	start(w);
	world_listen(w);
	world_stop_time();
	w->cupti->flush_error = RESULT_UNKNOWN;
	eventually(w->cupti->flushes > 12);
	w->cupti->flush_error = RESULT_OK;
	release_and_wait(w);
	world_pass(60);
	sink_detach("release");
	eventually(sink_status().state != TKS_CUPTI_RELEASED);
	check(sink_status().state == TKS_CUPTI_ACTIVE);
}

/* However near the next report is: time stands still. */
static void a_release_is_answered_though_it_changes_nothing(struct world *w)
{
	uint32_t before;

	world_open(w, true);
	w->cupti->busy = true;
	world_inject(w);
	sink_attach("status");
	eventually(w->sink->statuses && sink_status().state == TKS_CUPTI_BUSY);
	world_stop_time();
	before = w->sink->statuses;
	sink_attach("release");
	eventually(w->sink->statuses > before);
	check(sink_status().state == TKS_CUPTI_BUSY);
}

/* ------------------------------------------------------------------ kernels that cannot be turned off */

static void kernels_that_never_were_on(struct world *w, uint32_t version)
{
	world_open(w, true);
	w->cupti->version = version;
	world_inject(w);
	release_and_wait(w);
	check(!w->cupti->disables[KIND_CONCURRENT_KERNEL]);
	check(w->cupti->disables[KIND_GRAPH_TRACE] == 1);
}

static void kernels_that_never_were_on_are_not_turned_off(struct world *w)
{
	kernels_that_never_were_on(w, 26);
}

static void kernels_that_never_were_on_are_not_turned_off_from_13_0_1_on(struct world *w)
{
	kernels_that_never_were_on(w, 130001);
}

static void standing_down_an_old_cupti_keeps_kernels_until_it_is_released(struct world *w)
{
	const struct activity_kernel impossible = { .kind = KIND_CONCURRENT_KERNEL };
	uint64_t unparsed;

	world_open(w, true);
	w->cupti->version = 26;
	world_inject(w);
	world_listen(w);
	for (int i = 0; i < 2000; i++)
		check(w->record(&impossible, sizeof(impossible), false));
	eventually(world_status(w).invalid == 2000);
	world_pass(11); /* the window of the watchdog */
	eventually(sink_status().state == TKS_CUPTI_STOOD_DOWN);
	check(sink_status().reason == TKS_CUPTI_REASON_TIMESTAMPS && w->cupti->subscribed);
	check(w->cupti->enabled == (BIT(KIND_GRAPH_TRACE) | BIT(KIND_CONCURRENT_KERNEL)));
	check(!w->cupti->launches && !w->cupti->disables[KIND_CONCURRENT_KERNEL]);
	unparsed = sink_status().unparsed;
	check(world_kernel(w, 1, world_realtime_ns(), "k"));
	release_and_wait(w);
	check(sink_status().unparsed == unparsed + 216 && !w->sink->count);
	check(w->cupti->disables[KIND_CONCURRENT_KERNEL] == 1);
	sink_detach("release");
	eventually(sink_status().state == TKS_CUPTI_STOOD_DOWN);
	check(!w->cupti->subscribed);
}

int main(void)
{
	static const struct scenario scenarios[] = {
		SCENARIO(released_another_may_subscribe),
		SCENARIO(who_registers_next_gets_no_buffer_of_ours),
		SCENARIO(settings_are_left_as_they_were_found),
		SCENARIO(settings_that_cannot_be_read_become_the_defaults),
		SCENARIO(a_buffer_that_another_left_behind_is_left_alone),
		SCENARIO(it_is_watched_anew_after_a_release),
		SCENARIO(a_release_is_answered_though_it_changes_nothing),
		SCENARIO(kernels_that_never_were_on_are_not_turned_off),
		SCENARIO(kernels_that_never_were_on_are_not_turned_off_from_13_0_1_on),
		SCENARIO(standing_down_an_old_cupti_keeps_kernels_until_it_is_released),
	};

	return scenarios_run(scenarios, sizeof(scenarios) / sizeof(*scenarios));
}
