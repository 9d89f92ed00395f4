/* SPDX-License-Identifier: Apache-2.0 */
/* The library's USDT probes (include/tks_cupti.h says what each means). Each is at one place of the code. */
#ifndef PROBES_H
#define PROBES_H

#include <stdbool.h>
#include <stdint.h>

#include "tks_cupti.h"

/* Is anyone attached? What is told to nobody costs this look alone. */
bool probe_activity_attached(void);
bool probe_kernel_name_attached(void);
bool probe_device_attached(void);
bool probe_status_attached(void);

/* Commands: probes that never fire. */
bool probe_want_activity_attached(void);
bool probe_release_attached(void);

void probe_activity(const struct tks_cupti_record *records, uint32_t count);
void probe_kernel_name(uint32_t id, const char *name, uint32_t length);
void probe_device(const struct tks_cupti_device *device);
void probe_status(const struct tks_cupti_status *status);

#endif
