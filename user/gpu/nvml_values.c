// SPDX-License-Identifier: Apache-2.0
#include "gpu/nvml_values.h"

#define NVML_READING(name, metric, label, second, ...) \
	[NVML_##name] = { M_##metric, { label, second } },
const struct nvml_reading_metric nvml_reading_metrics[NVML_READINGS] = {
#include "gpu/nvml_readings.def"
};
#undef NVML_READING

/* Each: 0 and the value as NVML has it, or NVML's status. */
typedef int (*read_fn)(struct nvml_caller *c, nvml_device device, unsigned int argument,
		       uint64_t *value);

static int read_utilization(struct nvml_caller *c, nvml_device device, unsigned int unused,
			    uint64_t *percent)
{
	struct nvml_utilization u = { 0 };
	int status = CALL(c, nvmlDeviceGetUtilizationRates, device, &u);

	(void)unused;
	*percent = u.gpu;
	return status;
}

static int read_memory(struct nvml_caller *c, nvml_device device, struct nvml_memory *out)
{
	struct nvml_memory_two two = { .version = NVML_MEMORY_TWO };
	int status;

	if (!c->api.nvmlDeviceGetMemoryInfo_v2)
		return CALL(c, nvmlDeviceGetMemoryInfo, device, out);
	status = CALL(c, nvmlDeviceGetMemoryInfo_v2, device, &two);
	*out = (struct nvml_memory){ two.total, two.free, two.used };
	return status;
}

static int read_memory_used(struct nvml_caller *c, nvml_device device, unsigned int unused,
			    uint64_t *bytes)
{
	struct nvml_memory m = { 0 };
	int status = read_memory(c, device, &m);

	(void)unused;
	*bytes = m.used;
	return status;
}

static int read_memory_total(struct nvml_caller *c, nvml_device device, unsigned int unused,
			     uint64_t *bytes)
{
	struct nvml_memory m = { 0 };
	int status = read_memory(c, device, &m);

	(void)unused;
	*bytes = m.total;
	return status;
}

static int read_power(struct nvml_caller *c, nvml_device device, unsigned int unused,
		      uint64_t *milliwatts)
{
	unsigned int value = 0;
	int status = CALL(c, nvmlDeviceGetPowerUsage, device, &value);

	(void)unused;
	*milliwatts = value;
	return status;
}

static int read_temperature(struct nvml_caller *c, nvml_device device, unsigned int unused,
			    uint64_t *celsius)
{
	unsigned int value = 0;
	int status = CALL(c, nvmlDeviceGetTemperature, device, NVML_TEMPERATURE_DIE, &value);

	(void)unused;
	*celsius = value;
	return status;
}

static int read_ecc_errors(struct nvml_caller *c, nvml_device device, unsigned int type,
			   uint64_t *count)
{
	unsigned long long value = 0;
	int status =
		CALL(c, nvmlDeviceGetTotalEccErrors, device, type, NVML_ECC_SINCE_LOAD, &value);

	*count = value;
	return status;
}

static int read_clock(struct nvml_caller *c, nvml_device device, unsigned int clock,
		      uint64_t *megahertz)
{
	unsigned int value = 0;
	int status = CALL(c, nvmlDeviceGetClockInfo, device, clock, &value);

	*megahertz = value;
	return status;
}

static const struct {
	read_fn read;
	unsigned int argument;
	double multiplier, divisor;
} readings[NVML_READINGS] = {
#define NVML_READING(name, metric, label, second, fn, argument, multiplier, divisor) \
	[NVML_##name] = { fn, argument, multiplier, divisor },
#include "gpu/nvml_readings.def"
#undef NVML_READING
};

void nvml_read_values(struct nvml_caller *c, nvml_device device, struct nvml_gpu *g)
{
	for (enum nvml_reading i = 0; i < NVML_READINGS; i++) {
		uint64_t value;

		if (readings[i].read(c, device, readings[i].argument, &value))
			continue;
		g->values[i] = value * readings[i].multiplier / readings[i].divisor;
		g->has |= 1U << i;
	}
}
