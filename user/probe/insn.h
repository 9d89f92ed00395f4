/* SPDX-License-Identifier: Apache-2.0 */
/* One machine instruction, as the choice of a place for a probe needs it. */
#ifndef PROBE_INSN_H
#define PROBE_INSN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "probe/resolve.h"

#define INSN_MAX 15 /* bytes of the longest x86-64 instruction */

enum insn_flow {
	FLOW_NEXT, /* goes on behind itself; calls too */
	FLOW_RETURN,
	FLOW_JUMP,
	FLOW_BRANCH,   /* a conditional jump */
	FLOW_INDIRECT, /* a jump to where a register or memory says */
};

struct insn {
	uint8_t length;
	enum insn_flow flow;
	int64_t target;	     /* JUMP, BRANCH: relative to this instruction's first byte */
	enum site_cost cost; /* under a uprobe */
	const char *refused; /* why the kernel, or we, do not put a uprobe there; NULL: fine */
	bool harmless;	     /* leaves stack pointer, argument registers and memory as they were */
	char name[16];

	/* For telling jump tables from tail calls. */
	bool notrack;	     /* INDIRECT under CET: a jump table */
	bool indexed;	     /* INDIRECT: through memory at base + index * scale */
	bool fixed;	     /* INDIRECT: through memory at a fixed address, as the PLT does */
	uint16_t jump_reg;   /* INDIRECT: through this register; 0: through memory */
	uint16_t writes;     /* the register that it writes first; 0: none */
	bool adds;	     /* `add` into it */
	bool from_table;     /* loads it from base + index * scale */
	bool restores_stack; /* pop, leave, add to the stack pointer */
};

/* False where the bytes are no instruction, or are cut off. */
bool insn_decode(const uint8_t *code, size_t len, struct insn *insn);
bool insn_is_endbr(const uint8_t *code, size_t len);

#endif
