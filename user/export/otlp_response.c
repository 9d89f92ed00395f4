// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <math.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "export/otlp_encode.h"

#include "google/rpc/error_details.pb-c.h"
#include "google/rpc/status.pb-c.h"
#include "opentelemetry/proto/collector/metrics/v1/metrics_service.pb-c.h"

/*
 * What a message may become in memory. Two bytes make an empty list entry of some hundred bytes, so the length of what a
 * hostile server sends is no bound.
 */
#define MEMORY_MAX (256 * 1024)

static void *allocate(void *arena, size_t size)
{
	return arena_alloc(arena, size);
}

static void release(void *arena, void *piece)
{
	(void)arena;
	(void)piece; /* goes with the arena */
}

/* NULL: no such message, or too large. */
static void *unpack(const ProtobufCMessageDescriptor *type, struct arena *a, const uint8_t *data,
		    size_t len)
{
	ProtobufCAllocator allocator = { .alloc = allocate, .free = release, .allocator_data = a };

	return protobuf_c_message_unpack(type, &allocator, len, data);
}

/* A server's words as they may go to a log: one line of ASCII. */
static void copy_printable(char *out, size_t room, const char *from)
{
	size_t n = 0;

	for (; from[n] && n + 1 < room; n++)
		out[n] = from[n] >= ' ' && from[n] <= '~' ? from[n] : '?';
	out[n] = '\0';
}

int otlp_decode_response(const uint8_t *data, size_t len, struct otlp_partial *out)
{
	/* The three responses differ in the names of their fields only, not in types and numbers. */
	const ProtobufCMessageDescriptor *type =
		&opentelemetry__proto__collector__metrics__v1__export_metrics_service_response__descriptor;
	const Opentelemetry__Proto__Collector__Metrics__V1__ExportMetricsServiceResponse *response;
	struct arena a = { .limit = MEMORY_MAX };
	int err;

	*out = (struct otlp_partial){ 0 };
	response = unpack(type, &a, data, len);
	err = response ? 0 : -EBADMSG;
	if (response && response->partial_success) {
		out->rejected = response->partial_success->rejected_data_points;
		copy_printable(out->message, sizeof(out->message),
			       response->partial_success->error_message);
	}
	arena_free(&a);
	return err;
}

/* Of a RetryInfo; NAN: it is none. Without a delay it says: at once. */
static double retry_delay_s(struct arena *a, const Google__Protobuf__Any *detail)
{
	static const char name[] = "/google.rpc.RetryInfo";
	size_t len = strlen(detail->type_url);
	const Google__Rpc__RetryInfo *info;

	if (len < strlen(name) || strcmp(detail->type_url + len - strlen(name), name))
		return NAN;
	info = unpack(&google__rpc__retry_info__descriptor, a, detail->value.data,
		      detail->value.len);
	if (!info)
		return NAN;
	if (!info->retry_delay)
		return 0;
	return fmax(0, (double)info->retry_delay->seconds +
			       (double)info->retry_delay->nanos / NSEC_PER_SEC);
}

int otlp_decode_status(const uint8_t *data, size_t len, struct otlp_status *out)
{
	struct arena a = { .limit = MEMORY_MAX };
	const Google__Rpc__Status *status = unpack(&google__rpc__status__descriptor, &a, data, len);
	int err = status ? 0 : -EBADMSG;

	*out = (struct otlp_status){ .retry_s = NAN };
	if (status) {
		out->code = status->code;
		copy_printable(out->message, sizeof(out->message), status->message);
	}
	for (size_t i = 0; status && i < status->n_details && isnan(out->retry_s); i++)
		out->retry_s = retry_delay_s(&a, status->details[i]);
	arena_free(&a);
	return err;
}
