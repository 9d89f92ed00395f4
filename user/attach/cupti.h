/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keeps the probes of libtokscope_cupti.so (tks_cupti.h) attached to the traced processes that have loaded it, so that it
 * makes records of their GPU work. It is looked for again and again: a program loads it when it first uses the GPU.
 */
#ifndef ATTACH_CUPTI_H
#define ATTACH_CUPTI_H

#include <stdint.h>

#include "load/loader.h"

#define CUPTI_LIBRARY "libtokscope_cupti.so"

/*
 * Attaches probes (1 << enum cupti_probe each) of the library that the process has loaded, to be given up with
 * loader_cupti_detach(). NULL with errno set: ENOENT it has not loaded it, ENOEXEC it lacks one of these probes.
 */
struct cupti_links *cupti_attach(struct loader *l, uint32_t pid, unsigned int probes);

struct cupti;

/* l must outlive it. NULL: out of memory. Each function below does nothing without one. */
struct cupti *cupti_new(struct loader *l);
void cupti_free(struct cupti *c);

/* A process is traced, or no longer; or it has replaced its image, and the library is gone with it. */
void cupti_add_process(struct cupti *c, uint32_t pid);
void cupti_drop_process(struct cupti *c, uint32_t pid);
void cupti_exec_process(struct cupti *c, uint32_t pid);
/* Every 100 ms or so (CLOCK_MONOTONIC): processes that are due are looked at. */
void cupti_tick(struct cupti *c, uint64_t now_ns);

#endif
