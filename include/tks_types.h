/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Fixed-width kernel types for the contract headers: vmlinux.h brings them in bpf/, linux/types.h in user/. */
#ifndef TKS_TYPES_H
#define TKS_TYPES_H

#ifndef __VMLINUX_H__
#include <linux/types.h>
#endif

#ifdef __cplusplus
#define TKS_STATIC_ASSERT(cond, msg) static_assert(cond, msg)
#else
#define TKS_STATIC_ASSERT(cond, msg) _Static_assert(cond, msg)
#endif

#endif
