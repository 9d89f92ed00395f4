// SPDX-License-Identifier: Apache-2.0
/*
 * Activity buffers of any bytes, through an iterator that strides as the input says. Every record that is told is whole,
 * has possible times, and stems from the buffer; the walk ends.
 */
#include "fuzz.h"

#include "pack.h"

#define STEPS_MAX 4096

static struct names names;
static const uint8_t *strides;
static size_t stride_count, step;
static uint64_t told;

/* Names are pointers, which a CUPTI that answers at all gets right. */
static void point_names(uint8_t *record, size_t room)
{
	static const char *const some[] = { NULL, "", "_Z4gemmPf", "flash" };
	struct activity_kernel *k = (struct activity_kernel *)record;

	if (room >= sizeof(*k) && (k->kind == KIND_KERNEL || k->kind == KIND_CONCURRENT_KERNEL))
		k->name = some[(uintptr_t)k->name % 4];
}

static cupti_result next(uint8_t *buffer, size_t valid, struct activity **record)
{
	uint8_t stride = stride_count ? strides[step % stride_count] : 0;
	size_t at = *record ? (size_t)((uint8_t *)*record - buffer) : 0;

	fuzz_check(step < STEPS_MAX);
	if (*record)
		at += stride == 255 ? (size_t)-8 : stride; /* backwards too */
	step++;
	if (stride == 254)
		return RESULT_INVALID_KIND;
	if (stride != 253 && at >= valid)
		return RESULT_END;
	if (at < valid && at % 8 == 0 && valid - at >= sizeof(struct activity))
		point_names(buffer + at, valid - at);
	*record = (struct activity *)(buffer + at);
	return RESULT_OK;
}

static void tell(const struct tks_cupti_record *records, uint32_t count)
{
	fuzz_check(count >= 1 && count <= TKS_CUPTI_BATCH);
	for (uint32_t i = 0; i < count; i++) {
		fuzz_check(records[i].kind >= TKS_CUPTI_KERNEL &&
			   records[i].kind <= TKS_CUPTI_OVERHEAD);
		fuzz_check(records[i].end_ns >= records[i].start_ns && records[i].start_ns);
		fuzz_check(records[i].name <= names.count);
	}
	told += count;
}

/* The first byte: how many strides follow; the rest is the buffer. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct pack p = { .next = next, .tell = tell, .names = &names };
	uint8_t *buffer;

	if (len < 1 || len < 1 + (size_t)data[0])
		return 0;
	memset(&names, 0, sizeof(names));
	stride_count = data[0];
	strides = data + 1;
	step = told = 0;
	len -= 1 + stride_count;
	buffer = malloc(len ? len : 1); /* aligned as CUPTI's are, and its end is watched */
	memcpy(buffer, data + 1 + stride_count, len);
	pack_buffer(&p, buffer, len);
	fuzz_check(p.records == told);
	fuzz_check(p.records + p.invalid + p.unknown <= step);
	free(buffer);
	return 0;
}
