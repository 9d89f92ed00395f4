// SPDX-License-Identifier: Apache-2.0
#include "collect.h"

#include <errno.h>
#include <unistd.h>

#include "clock.h"
#include "probes.h"

enum when {
	WHEN_GRAPH_LEVEL =
		1, /* from the start: CUPTI cannot trace graphs that were instantiated before it was told to */
	WHEN_NODE_LEVEL = 2, /* likewise */
	WHEN_WANTED = 4,
};

/*
 * Order matters: without GRAPH_TRACE first, CONCURRENT_KERNEL would trace every node of every graph, which was measured to
 * cost 64 % of a server's throughput. KERNEL would serialise all kernels.
 */
static const struct {
	int kind, when;
	enum cupti_feature feature;
} kinds[] = {
	{ KIND_GRAPH_TRACE, WHEN_GRAPH_LEVEL, FEATURE_ANY },
	{ KIND_CONCURRENT_KERNEL, WHEN_NODE_LEVEL | WHEN_WANTED, FEATURE_ANY },
	{ KIND_MEMCPY, WHEN_WANTED, FEATURE_COPIES },
	{ KIND_MEMCPY_PEER, WHEN_WANTED, FEATURE_COPIES },
	{ KIND_MEMSET, WHEN_WANTED, FEATURE_COPIES },
	{ KIND_OVERHEAD, WHEN_WANTED, FEATURE_ANY },
};

/* Driver calls that launch work, and their twins for per-thread streams. The runtime's calls end in these. */
static const uint32_t launch_cbids[] = {
	307, 442, /* cuLaunchKernel */
	652, 653, /* cuLaunchKernelEx */
	477, 478, /* cuLaunchCooperativeKernel */
	514, 515, /* cuGraphLaunch */
};

/* CUPTI's callbacks carry no pointer of ours. */
static struct collect *collecting;

static bool usable(const struct collect *c)
{
	return c && getpid() == c->owner;
}

static void buffer_requested(uint8_t **buffer, size_t *size, size_t *max_records)
{
	struct collect *c = collecting;
	int saved = errno;

	*buffer = usable(c) ? buffers_take(&c->buffers) : NULL;
	*size = *buffer ? BUFFER_BYTES : 0;
	*max_records = 0; /* as many as fit */
	errno = saved;
}

/* Outside the lock: CUPTI holds one here that it also holds when it requests buffers. */
static uint64_t read_dropped(struct collect *c, void *context, uint32_t stream)
{
	size_t dropped = 0;

	if (c->api.cuptiActivityGetNumDroppedRecords(context, stream, &dropped) != RESULT_OK)
		return 0;
	return dropped;
}

static void read_buffer(struct collect *c, uint8_t *buffer, size_t valid)
{
	if (!buffers_own(&c->buffers, buffer)) {
		c->pack.unknown++;
		return;
	}
	if (!c->wanted) {
		c->unparsed += valid;
		return;
	}
	c->pack.clock_offset = c->clock_offset;
	pack_buffer(&c->pack, buffer, valid);
	dump_buffer(&c->dump, &c->pack, buffer, valid);
}

static void buffer_completed(void *context, uint32_t stream, uint8_t *buffer, size_t size,
			     size_t valid)
{
	struct collect *c = collecting;
	uint64_t cpu_ns, dropped;
	int saved = errno;

	if (!usable(c))
		return;
	cpu_ns = clock_thread_cpu_ns();
	dropped = read_dropped(c, context, stream);
	pthread_mutex_lock(&c->lock);
	c->dropped += dropped;
	if (buffer && valid)
		read_buffer(c, buffer, valid < size ? valid : size);
	if (!pthread_equal(pthread_self(), c->flusher))
		c->callback_cpu_ns += clock_thread_cpu_ns() - cpu_ns;
	pthread_mutex_unlock(&c->lock);
	buffers_give_back(&c->buffers, buffer);
	errno = saved;
}

static void unused_callback(void *data, int domain, uint32_t cbid, const void *info)
{
	(void)data;
	(void)domain;
	(void)cbid;
	(void)info;
}

int collect_init(struct collect *c, bool node_level)
{
	int err = buffers_init(&c->buffers);

	if (err)
		return err;
	c->node_level = node_level;
	c->buffers.may_refuse = cupti_allows(c->api.version, FEATURE_REFUSE_BUFFER);
	c->names.tell = probe_kernel_name;
	c->pack = (struct pack){ .next = c->api.cuptiActivityGetNextRecord,
				 .tell = probe_activity,
				 .names = &c->names };
	dump_open(&c->dump, c->api.version);
	collecting = c;
	return 0;
}

static bool is_on(const struct collect *c, int kind)
{
	return c->on >> kind & 1;
}

/* A kind that this GPU or CUPTI does not know is not recorded; the others are. The first error. */
static cupti_result enable_kinds(struct collect *c, int when)
{
	cupti_result first = RESULT_OK;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		cupti_result result;

		if (!(kinds[i].when & when) || is_on(c, kinds[i].kind) ||
		    !cupti_allows(c->api.version, kinds[i].feature))
			continue;
		result = c->api.cuptiActivityEnable(kinds[i].kind);
		if (result == RESULT_OK)
			c->on |= UINT64_C(1) << kinds[i].kind;
		else if (first == RESULT_OK)
			first = result;
	}
	return first;
}

static int level(const struct collect *c)
{
	return c->node_level ? WHEN_NODE_LEVEL : WHEN_GRAPH_LEVEL;
}

static bool kernels_stay_on(const struct collect *c)
{
	return is_on(c, KIND_CONCURRENT_KERNEL) &&
	       !cupti_allows(c->api.version, FEATURE_DISABLE_KERNELS);
}

/* What stays on when records are no longer wanted. */
static int kept(const struct collect *c)
{
	return level(c) | (kernels_stay_on(c) ? WHEN_NODE_LEVEL : 0);
}

/* Those that are on, but for those of `keep`. Last on, first off. Nothing else: FEATURE_DISABLE_KERNELS. */
static void disable_kinds(struct collect *c, int keep)
{
	for (size_t i = sizeof(kinds) / sizeof(*kinds); i-- > 0;) {
		if (!is_on(c, kinds[i].kind) || (kinds[i].when & keep))
			continue;
		c->api.cuptiActivityDisable(kinds[i].kind);
		c->on &= ~(UINT64_C(1) << kinds[i].kind);
	}
}

static void enable_launches(struct collect *c, bool on)
{
	if (!c->api.cuptiActivityEnableDriverApi || !cupti_allows(c->api.version, FEATURE_LAUNCHES))
		return;
	for (size_t i = 0; i < sizeof(launch_cbids) / sizeof(*launch_cbids); i++)
		c->api.cuptiActivityEnableDriverApi(launch_cbids[i], on);
}

cupti_result collect_subscribe(struct collect *c)
{
	cupti_result result = c->api.cuptiSubscribe(&c->subscriber, unused_callback, NULL);

	c->last_error = result;
	if (result != RESULT_OK) {
		c->subscriber = NULL;
		return result;
	}
	attributes_set(&c->api, &c->attributes_before);
	result = c->api.cuptiActivityRegisterCallbacks(buffer_requested, buffer_completed);
	if (result == RESULT_OK)
		result = enable_kinds(c, level(c));
	c->last_error = result;
	if (result != RESULT_OK)
		collect_unsubscribe(c);
	return result;
}

/*
 * Turns off kernels too, whatever the version: whoever asks for it profiles next, and then does the same. Never
 * cuptiFinalize(): it is only sound from within a callback of CUPTI, and crashed with graphs before 12.6.
 */
void collect_unsubscribe(struct collect *c)
{
	bool recorded = c->on != 0;

	if (!c->subscriber)
		return;
	if (c->kinds_on)
		enable_launches(c, false);
	disable_kinds(c, 0);
	if (recorded)
		collect_flush(c, true);
	c->wanted = c->kinds_on = false;
	attributes_restore(&c->api, &c->attributes_before);
	c->api.cuptiUnsubscribe(c->subscriber);
	c->subscriber = NULL;
}

void collect_stand_down(struct collect *c)
{
	if (kernels_stay_on(c))
		collect_want(c, false);
	else
		collect_unsubscribe(c);
}

static void set_clock(struct collect *c)
{
	int64_t offset;

	if (clock_offset(c->api.cuptiGetTimestamp, &offset))
		c->clock_offset = offset;
}

void collect_want(struct collect *c, bool wanted)
{
	if (c->kinds_on == wanted)
		return;
	c->kinds_on = wanted;
	if (wanted) {
		collect_flush(c, false); /* what was made while nobody wanted it */
		c->last_error = enable_kinds(c, WHEN_WANTED);
		enable_launches(c, true);
	} else {
		enable_launches(c, false);
		disable_kinds(c, kept(c));
		collect_flush(c, false);
	}
	c->wanted = wanted;
}

void collect_flush(struct collect *c, bool forced)
{
	cupti_result result;

	set_clock(c);
	result = c->api.cuptiActivityFlushAll(forced ? FLUSH_FORCED : 0);
	if (result == RESULT_OK)
		return;
	c->flushes_failed++;
	c->last_error = result;
}
