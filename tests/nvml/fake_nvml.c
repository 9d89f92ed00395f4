// SPDX-License-Identifier: Apache-2.0
/*
 * A FAKE libnvidia-ml.so.1: there is no GPU behind it. What it answers stands in the file that FAKE_NVML names, read again
 * at every call, so that a test can change it:
 *
 *   count=2                   GPUs
 *   0.power=231500            what the function for GPU 0 answers; without the line it answers NOT_SUPPORTED
 *   0.power=!15               ... that it returns this status
 *   hang=power                the function for that key does not return while this stands here
 *   crash=power               the function for that key ends the process
 *   xids=0:79,1:31            Xids in order; each is delivered once
 *
 * Keys are those in the functions below. A MIG instance I of GPU G has the keys "G.mig.I.".
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define GPUS_MAX      4
#define INSTANCES_MAX 8

enum {
	SUCCESS = 0,
	UNINITIALIZED = 1,
	INVALID_ARGUMENT = 2,
	NOT_SUPPORTED = 3,
	NOT_FOUND = 6,
	TIMEOUT = 10,
};

struct device {
	unsigned int gpu;
	int instance; /* -1: the GPU itself */
};

static struct device gpus[GPUS_MAX], instances[GPUS_MAX][INSTANCES_MAX];
static int event_set, registered[GPUS_MAX];
static unsigned int delivered;
static int initialised;

/* The value of a key; NULL: there is none. */
static const char *look_up(const char *key, char out[256])
{
	const char *path = getenv("FAKE_NVML");
	FILE *f = path ? fopen(path, "r") : NULL;
	const char *found = NULL;
	size_t n = strlen(key);
	char line[256];

	while (f && !found && fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = '\0';
		if (!strncmp(line, key, n) && line[n] == '=')
			found = strcpy(out, line + n + 1);
	}
	if (f)
		fclose(f);
	return found;
}

static int is_told_to(const char *what, const char *name)
{
	char text[256];
	const char *value = look_up(what, text);

	return value && !strcmp(value, name);
}

static void misbehave_if_told(const char *name)
{
	while (is_told_to("hang", name))
		usleep(1000);
	if (is_told_to("crash", name))
		abort();
}

/* The answer of a function to a question about a device, as text. A status other than SUCCESS: there is none. */
static int answer(const struct device *d, const char *name, char text[256])
{
	char key[64];
	const char *value;

	misbehave_if_told(name);
	if (!initialised)
		return UNINITIALIZED;
	if (!d)
		return INVALID_ARGUMENT;
	if (d->instance < 0)
		snprintf(key, sizeof(key), "%u.%s", d->gpu, name);
	else
		snprintf(key, sizeof(key), "%u.mig.%d.%s", d->gpu, d->instance, name);
	value = look_up(key, text);
	if (!value)
		return NOT_SUPPORTED;
	return *value == '!' ? atoi(value + 1) : SUCCESS;
}

static int number(const struct device *d, const char *name, unsigned long long *out)
{
	char text[256];
	int status = answer(d, name, text);

	if (!status)
		*out = strtoull(text, NULL, 10);
	return status;
}

static int small_number(const struct device *d, const char *name, unsigned int *out)
{
	unsigned long long value = 0;
	int status = number(d, name, &value);

	if (!status)
		*out = value;
	return status;
}

static int text_of(const struct device *d, const char *name, char *out, unsigned int size)
{
	char text[256];
	int status = answer(d, name, text);

	if (!status)
		snprintf(out, size, "%s", text);
	return status;
}

int nvmlInit_v2(void)
{
	char text[256];
	const char *value = look_up("init", text);

	misbehave_if_told("init");
	if (value)
		return atoi(value + 1);
	initialised = 1;
	return SUCCESS;
}

int nvmlShutdown(void)
{
	initialised = 0;
	return SUCCESS;
}

int nvmlSystemGetDriverVersion(char *version, unsigned int size)
{
	snprintf(version, size, "999.1-fake");
	return SUCCESS;
}

int nvmlDeviceGetCount_v2(unsigned int *count)
{
	char text[256];
	const char *value = look_up("count", text);

	misbehave_if_told("count");
	if (value && *value == '!')
		return atoi(value + 1);
	*count = value ? atoi(value) : 0;
	return SUCCESS;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned int index, struct device **device)
{
	char key[64], text[256];
	const char *value;

	if (index >= GPUS_MAX)
		return INVALID_ARGUMENT;
	snprintf(key, sizeof(key), "%u.handle", index);
	value = look_up(key, text);
	if (value && *value == '!')
		return atoi(value + 1);
	gpus[index] = (struct device){ index, -1 };
	*device = &gpus[index];
	return SUCCESS;
}

int nvmlDeviceGetUUID(struct device *d, char *uuid, unsigned int size)
{
	return text_of(d, "uuid", uuid, size);
}

int nvmlDeviceGetName(struct device *d, char *name, unsigned int size)
{
	return text_of(d, "name", name, size);
}

/* "37": percent. */
int nvmlDeviceGetUtilizationRates(struct device *d, unsigned int out[2])
{
	return small_number(d, "utilization", &out[0]);
}

/* struct: version, total, reserved, free, used */
int nvmlDeviceGetMemoryInfo_v2(struct device *d, unsigned long long out[5])
{
	int status = number(d, "memory.total", &out[1]);

	if ((unsigned int)out[0] != (40U | 2U << 24))
		return INVALID_ARGUMENT;
	return status ?: number(d, "memory.used", &out[4]);
}

/* struct: total, free, used; what is reserved counts as used. */
int nvmlDeviceGetMemoryInfo(struct device *d, unsigned long long out[3])
{
	unsigned long long reserved = 0;
	int status = number(d, "memory.total", &out[0]) ?: number(d, "memory.used", &out[2]);

	if (!status && !number(d, "memory.reserved", &reserved))
		out[2] += reserved;
	return status;
}

int nvmlDeviceGetPowerUsage(struct device *d, unsigned int *milliwatts)
{
	return small_number(d, "power", milliwatts);
}

int nvmlDeviceGetTemperature(struct device *d, unsigned int sensor, unsigned int *celsius)
{
	return sensor ? INVALID_ARGUMENT : small_number(d, "temperature", celsius);
}

int nvmlDeviceGetTotalEccErrors(struct device *d, unsigned int type, unsigned int since,
				unsigned long long *count)
{
	char name[32];

	snprintf(name, sizeof(name), "ecc.%u.%u", type, since);
	return number(d, name, count);
}

int nvmlDeviceGetClockInfo(struct device *d, unsigned int clock, unsigned int *megahertz)
{
	char name[32];

	snprintf(name, sizeof(name), "clock.%u", clock);
	return small_number(d, name, megahertz);
}

int nvmlDeviceGetMigMode(struct device *d, unsigned int *now, unsigned int *pending)
{
	*pending = 0;
	return small_number(d, "mig", now);
}

int nvmlDeviceGetMaxMigDeviceCount(struct device *d, unsigned int *count)
{
	(void)d;
	*count = INSTANCES_MAX;
	return SUCCESS;
}

int nvmlDeviceGetMigDeviceHandleByIndex(struct device *d, unsigned int index, struct device **out)
{
	struct device *instance;
	char text[256];

	if (index >= INSTANCES_MAX)
		return INVALID_ARGUMENT;
	instance = &instances[d->gpu][index];
	*instance = (struct device){ d->gpu, index };
	if (answer(instance, "uuid", text))
		return NOT_FOUND;
	*out = instance;
	return SUCCESS;
}

int nvmlDeviceGetGpuInstanceId(struct device *d, unsigned int *id)
{
	return small_number(d, "instance", id);
}

int nvmlEventSetCreate(void **set)
{
	*set = &event_set;
	return SUCCESS;
}

int nvmlEventSetFree(void *set)
{
	(void)set;
	memset(registered, 0, sizeof(registered));
	return SUCCESS;
}

int nvmlDeviceRegisterEvents(struct device *d, unsigned long long types, void *set)
{
	if (types != 8 || set != &event_set)
		return INVALID_ARGUMENT;
	registered[d->gpu] = 1;
	return SUCCESS;
}

struct event {
	struct device *device;
	unsigned long long type, data;
	unsigned int gpu_instance, compute_instance;
};

/* As the driver does: only of GPUs whose events were asked for. */
int nvmlEventSetWait_v2(void *set, struct event *out, unsigned int milliseconds)
{
	char text[256];
	char *save = NULL;
	const char *value = look_up("xids", text);
	char *word = value ? strtok_r(text, ",", &save) : NULL;
	unsigned int gpu, xid;

	if (set != &event_set || milliseconds)
		return INVALID_ARGUMENT;
	for (unsigned int i = 0; word && i < delivered; i++)
		word = strtok_r(NULL, ",", &save);
	if (!word || sscanf(word, "%u:%u", &gpu, &xid) != 2 || gpu >= GPUS_MAX || !registered[gpu])
		return TIMEOUT;
	delivered++;
	*out = (struct event){ &gpus[gpu], 8, xid, 0xffffffff, 0xffffffff };
	return SUCCESS;
}
