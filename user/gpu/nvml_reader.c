// SPDX-License-Identifier: Apache-2.0
#include "gpu/nvml_reader.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gpu/nvml_values.h"

/* Events of one look: an Xid storm must not keep the thread from the values. What is left waits in the driver. */
#define EVENTS_MAX 256

struct nvml_known {
	nvml_device device;
	struct nvml_identity who;
};

/* ------------------------------------------------------------------ identity */

/* What NVML calls it ends in the profile: "NVIDIA A100-SXM4-40GB MIG 1g.5gb". */
static void read_profile(struct nvml_reader *r, nvml_device device, struct nvml_instance *out)
{
	static const char before[] = " MIG ";
	char name[NVML_TEXT_SIZE] = "";
	const char *at;

	if (CALL(&r->caller, nvmlDeviceGetName, device, name, sizeof(name)))
		return;
	at = strstr(name, before);
	if (at)
		snprintf(out->profile, sizeof(out->profile), "%.*s", (int)sizeof(out->profile) - 1,
			 at + strlen(before));
}

static bool read_instance(struct nvml_reader *r, nvml_device device, unsigned int i,
			  struct nvml_instance *out)
{
	nvml_device instance;

	if (CALL(&r->caller, nvmlDeviceGetMigDeviceHandleByIndex, device, i, &instance) ||
	    CALL(&r->caller, nvmlDeviceGetUUID, instance, out->uuid, sizeof(out->uuid)) ||
	    CALL(&r->caller, nvmlDeviceGetGpuInstanceId, instance, &out->id))
		return false;
	read_profile(r, instance, out);
	return true;
}

static void read_instances(struct nvml_reader *r, nvml_device device, struct nvml_gpu *g)
{
	unsigned int now = 0, pending, max = 0;

	if (CALL(&r->caller, nvmlDeviceGetMigMode, device, &now, &pending) ||
	    now != NVML_MIG_ENABLED ||
	    CALL(&r->caller, nvmlDeviceGetMaxMigDeviceCount, device, &max))
		return;
	for (unsigned int i = 0; i < max && g->instance_count < NVML_INSTANCES_MAX; i++) {
		struct nvml_instance *out = &g->instances[g->instance_count];

		memset(out, 0, sizeof(*out));
		if (read_instance(r, device, i, out))
			g->instance_count++;
	}
}

static bool read_identity(struct nvml_reader *r, nvml_device device, struct nvml_identity *who)
{
	if (CALL(&r->caller, nvmlDeviceGetUUID, device, who->uuid, sizeof(who->uuid)))
		return false;
	if (CALL(&r->caller, nvmlDeviceGetName, device, who->name, sizeof(who->name)))
		who->name[0] = '\0';
	return true;
}

/* ------------------------------------------------------------------ Xids */

static struct nvml_known *known_of(const struct nvml_reader *r, nvml_device device)
{
	for (unsigned int i = 0; i < r->known_count; i++)
		if (r->known[i].device == device)
			return &r->known[i];
	return NULL;
}

/* Asks for the Xids of a GPU that is seen for the first time. */
static void know(struct nvml_reader *r, nvml_device device, const struct nvml_identity *who)
{
	struct nvml_known *k = known_of(r, device), *grown;

	if (k)
		k->who = *who;
	if (k || !r->events)
		return;
	grown = reallocarray(r->known, r->known_count + 1, sizeof(*grown));
	if (!grown)
		return;
	r->known = grown;
	if (!CALL(&r->caller, nvmlDeviceRegisterEvents, device, NVML_EVENT_XID, r->events))
		grown[r->known_count++] = (struct nvml_known){ device, *who };
}

static struct nvml_xid *xid_row(struct nvml_reader *r, const struct nvml_identity *who,
				uint64_t xid)
{
	struct nvml_xid *grown;

	for (unsigned int i = 0; i < r->xid_count; i++)
		if (r->xids[i].xid == xid && !strcmp(r->xids[i].who.uuid, who->uuid))
			return &r->xids[i];
	grown = reallocarray(r->xids, r->xid_count + 1, sizeof(*grown));
	if (!grown)
		return NULL;
	r->xids = grown;
	grown[r->xid_count] = (struct nvml_xid){ .who = *who, .xid = xid };
	return &grown[r->xid_count++];
}

static void count_xid(struct nvml_reader *r, const struct nvml_event *e)
{
	static const struct nvml_identity unknown = { .index = NVML_INDEX_UNKNOWN };
	const struct nvml_known *k = known_of(r, e->device);
	struct nvml_xid *row = xid_row(r, k ? &k->who : &unknown, e->data);

	if (row)
		row->count++;
	else
		r->caller.failures[NVML_FAILED_OTHER]++;
}

/* The ones since the last look: the driver has kept them. A timeout says that there are no more. */
static void read_xids(struct nvml_reader *r)
{
	for (unsigned int i = 0; r->events && i < EVENTS_MAX; i++) {
		struct nvml_event e = { 0 };

		if (CALL(&r->caller, nvmlEventSetWait_v2, r->events, &e, 0))
			return;
		if (e.type == NVML_EVENT_XID)
			count_xid(r, &e);
	}
}

/* ------------------------------------------------------------------ a sample */

void nvml_sample_free(struct nvml_sample *s)
{
	if (!s)
		return;
	free(s->gpus);
	free(s->xids);
	free(s);
}

static struct nvml_sample *sample_new(unsigned int gpus)
{
	struct nvml_sample *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->read = true;
	s->gpus = calloc(gpus + 1, sizeof(*s->gpus));
	if (s->gpus)
		return s;
	free(s);
	return NULL;
}

static bool copy_counts(struct nvml_sample *s, const struct nvml_reader *r)
{
	memcpy(s->failures, r->caller.failures, sizeof(s->failures));
	s->xids = calloc(r->xid_count + 1, sizeof(*s->xids));
	if (!s->xids)
		return false;
	if (r->xid_count)
		memcpy(s->xids, r->xids, r->xid_count * sizeof(*s->xids));
	s->xid_count = r->xid_count;
	return true;
}

/* A GPU that does not even tell who it is, is left out; the failure is counted. */
static void read_gpu(struct nvml_reader *r, unsigned int index, struct nvml_sample *s)
{
	struct nvml_gpu *g = &s->gpus[s->gpu_count];
	nvml_device device;

	if (CALL(&r->caller, nvmlDeviceGetHandleByIndex_v2, index, &device) ||
	    !read_identity(r, device, &g->who))
		return;
	g->who.index = index;
	know(r, device, &g->who);
	nvml_read_values(&r->caller, device, g);
	read_instances(r, device, g);
	s->gpu_count++;
}

struct nvml_sample *nvml_reader_read(struct nvml_reader *r)
{
	struct nvml_sample *s;
	unsigned int count = 0;

	if (CALL(&r->caller, nvmlDeviceGetCount_v2, &count)) {
		errno = EIO;
		return NULL;
	}
	s = sample_new(count);
	for (unsigned int i = 0; s && i < count; i++)
		read_gpu(r, i, s);
	read_xids(r);
	if (s && copy_counts(s, r))
		return s;
	nvml_sample_free(s);
	errno = ENOMEM;
	return NULL;
}

/* ------------------------------------------------------------------ start and stop */

int nvml_reader_start(struct nvml_reader *r, const struct nvml_api *api)
{
	int status;

	r->caller.api = *api;
	status = CALL(&r->caller, nvmlInit_v2);
	if (status) {
		nvml_library_close(&r->caller.api);
		return status;
	}
	if (!r->caller.api.nvmlEventSetWait_v2 || CALL(&r->caller, nvmlEventSetCreate, &r->events))
		r->events = NULL;
	return 0;
}

void nvml_reader_driver(struct nvml_reader *r, char version[NVML_TEXT_SIZE])
{
	version[0] = '\0';
	if (CALL(&r->caller, nvmlSystemGetDriverVersion, version, NVML_TEXT_SIZE))
		version[0] = '\0';
}

void nvml_reader_stop(struct nvml_reader *r)
{
	if (r->events)
		CALL(&r->caller, nvmlEventSetFree, r->events);
	r->events = NULL;
	free(r->known);
	r->known = NULL;
	r->known_count = 0;
	if (r->caller.api.nvmlShutdown)
		CALL(&r->caller, nvmlShutdown);
	nvml_library_close(&r->caller.api);
}

void nvml_reader_free(struct nvml_reader *r)
{
	free(r->xids);
	r->xids = NULL;
	r->xid_count = 0;
}
