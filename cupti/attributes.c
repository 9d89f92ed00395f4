// SPDX-License-Identifier: Apache-2.0
#include "attributes.h"

/*
 * Device buffers a context, of 3.2 MB each (about 100 000 records). CUPTI's own limit is 250, which is 800 MB of GPU memory
 * before it would refuse.
 */
#define DEVICE_BUFFERS 8

/* Both architectures are little-endian: a value of any size begins where its uint64_t does. */
static const struct {
	int attribute;
	size_t size;
	uint64_t ours, usual; /* usual: as <cupti_activity.h> has it */
} attributes[ATTRIBUTES] = {
	{ ATTRIBUTE_DEVICE_BUFFER_POOL_LIMIT, sizeof(size_t), DEVICE_BUFFERS, 250 },
	{ ATTRIBUTE_ZEROED_OUT_ACTIVITY_BUFFER, sizeof(uint8_t), 1, 0 },
};

static uint64_t get(const struct cupti_api *api, size_t i)
{
	size_t size = attributes[i].size;
	uint64_t value = 0;

	if (api->cuptiActivityGetAttribute &&
	    api->cuptiActivityGetAttribute(attributes[i].attribute, &size, &value) == RESULT_OK)
		return value;
	return attributes[i].usual;
}

static void set(const struct cupti_api *api, size_t i, uint64_t value)
{
	size_t size = attributes[i].size;

	if (api->cuptiActivitySetAttribute)
		api->cuptiActivitySetAttribute(attributes[i].attribute, &size, &value);
}

static int get_thread_ids(const struct cupti_api *api)
{
	int type;

	if (api->cuptiGetThreadIdType && api->cuptiGetThreadIdType(&type) == RESULT_OK)
		return type;
	return THREAD_ID_DEFAULT;
}

static void set_thread_ids(const struct cupti_api *api, int type)
{
	if (api->cuptiSetThreadIdType)
		api->cuptiSetThreadIdType(type);
}

void attributes_set(const struct cupti_api *api, struct attributes *before)
{
	for (size_t i = 0; i < ATTRIBUTES; i++) {
		before->values[i] = get(api, i);
		set(api, i, attributes[i].ours);
	}
	before->thread_ids = get_thread_ids(api);
	set_thread_ids(api, THREAD_ID_SYSTEM);
}

void attributes_restore(const struct cupti_api *api, const struct attributes *before)
{
	for (size_t i = 0; i < ATTRIBUTES; i++)
		set(api, i, before->values[i]);
	set_thread_ids(api, before->thread_ids);
}
