/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a pack reads at a probe: "*(u32*)(arg1 + 4)", compiled to the steps that the kernel side interprets.
 *
 *   sum    = term { ("+" | "-") NUMBER | "-" term }     a difference of two reads needs the one saved value
 *   term   = value { "/" NUMBER }                       unsigned
 *   value  = "*" "(" TYPE "*" ")" value | "(" TYPE ")" value | "(" sum ")" | ["-"] NUMBER | NAME | scaled
 *   scaled = "scaled" "(" sum "," sum "," FACTOR { FACTOR } ")"    the first times the factor (1, 2, 4, 8) that the second
 *            chooses, counted from 0; needs the one saved value, too
 *   TYPE   = u8 u16 u32 u64 i8 i16 i32 i64 ptr
 *   NAME   = arg0..arg5, sarg0..sarg15 (8 bytes each of the stack, in front of which the return address lies), retval,
 *            uarg0..uarg11 (of USDT)
 */
#ifndef PROBE_EXPR_H
#define PROBE_EXPR_H

#include <stddef.h>
#include <stdint.h>

#include "tks_probe.h"

enum expr_place {
	EXPR_ENTRY,
	EXPR_RETURN,
	EXPR_USDT,
};

struct expr {
	struct tks_probe_step steps[TKS_PROBE_STEPS]; /* without those of the USDT argument */
	uint8_t usdt; /* 1 + number of the USDT argument that it begins with; 0: none */
};

/* -EINVAL: *error (size > 0) receives what is wrong, with the column, counted from 1. */
int expr_compile(const char *text, enum expr_place place, struct expr *out, char *error,
		 size_t size);

#endif
