/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the process's CUDA ordinals are. The driver permutes and hides devices (CUDA_VISIBLE_DEVICES), so that only the
 * process itself can say it.
 */
#ifndef DEVICES_H
#define DEVICES_H

#include <stdbool.h>

#include "tks_cupti.h"

#define DEVICES_MAX 64

/* One by one, from the driver that the process has loaded. False: none is there, or it is not initialised yet. */
bool devices_read(void (*tell)(const struct tks_cupti_device *device));

#endif
