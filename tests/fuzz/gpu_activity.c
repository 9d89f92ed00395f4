// SPDX-License-Identifier: Apache-2.0
/*
 * Records of libtokscope_cupti.so with any bytes, sizes and counts: input is a list of a kind, a process, a length and as many
 * bytes, each a record in memory of exactly its size. Nothing beyond it is read, and no time is busy twice.
 */
#include "fuzz.h"

#include "gpu/activity.h"
#include "gpu/timeline.h"

static void owner(void *ctx, uint32_t tgid, struct activity_owner *out)
{
	(void)ctx;
	out->id = tgid % 3;
}

static void work(void *ctx, const struct activity_work *w)
{
	fuzz_check(w->record->start_ns <= w->record->end_ns);
	timeline_add(ctx, w);
}

static const char *process(void *ctx, uint32_t tgid)
{
	(void)ctx;
	(void)tgid;
	return NULL;
}

/* The header is ours: the kernel side writes it. */
static void tell(struct activity *a, uint8_t kind, uint8_t tgid, uint64_t time_ns,
		 const uint8_t *body, size_t len)
{
	struct tks_header *h = malloc(sizeof(*h) + len);

	*h = (struct tks_header){ .size = sizeof(*h) + len,
				  .kind = TKS_KIND_CUPTI_ACTIVITY + kind % 4,
				  .time_ns = time_ns,
				  .tgid = tgid % 4 };
	memcpy(h + 1, body, len);
	activity_record(a, h);
	free(h);
}

static void check(const struct activity *a, uint64_t now_ns)
{
	const struct gpu *g = NULL;

	while ((g = devices_next_gpu(activity_devices(a), g)))
		fuzz_check(g->busy_ns <= now_ns + 100000000);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const struct registry_config rc = { 0 };
	struct timeline *t = timeline_new(64);
	const struct activity_config c = {
		.owner = owner, .work = work, .ctx = t, .keep_names = true
	};
	struct registry *r = registry_new(&rc);
	struct activity *a = activity_new(r, &c);
	uint64_t now_ns = 1;
	FILE *null = fopen("/dev/null", "we");

	while (len >= 4) {
		size_t body = data[2] | (data[3] & 7) << 8;

		body = body < len - 4 ? body : len - 4;
		now_ns += (uint64_t)data[3] << 26;
		tell(a, data[0], data[1], now_ns, data + 4, body);
		if (data[3] & 8)
			activity_tick(a, now_ns);
		if (data[3] & 16)
			activity_process_gone(a, data[1] % 4);
		check(a, now_ns);
		data += 4 + body;
		len -= 4 + body;
	}
	activity_tick(a, now_ns);
	timeline_write(t, null, 0, process, NULL);
	fclose(null);
	activity_free(a);
	registry_free(r);
	timeline_free(t);
	return 0;
}
