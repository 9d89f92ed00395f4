// SPDX-License-Identifier: Apache-2.0
/* Registers by their place in struct pt_regs, as BPF programs on uprobes get it. */
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "probe/internal.h"

#define WORD 8

#if defined(__aarch64__)

/* arch/arm64: struct user_pt_regs: x0 to x30, sp, pc. */
#define REG_SP 31

int regs_argument(unsigned int index)
{
	return index < 6 ? (int)index * WORD : -ENOENT;
}

int regs_return_value(void)
{
	return 0;
}

int regs_stack(void)
{
	return REG_SP * WORD;
}

int regs_by_name(const char *name, size_t len, unsigned int *bytes)
{
	unsigned int n = 0;

	*bytes = WORD;
	if (len == 2 && !memcmp(name, "sp", 2))
		return REG_SP * WORD;
	if (len < 2 || len > 3 || (name[0] != 'x' && name[0] != 'w'))
		return -ENOENT;
	for (size_t i = 1; i < len; i++) {
		if (name[i] < '0' || name[i] > '9')
			return -ENOENT;
		n = 10 * n + (unsigned int)(name[i] - '0');
	}
	if (n > 30)
		return -ENOENT;
	if (name[0] == 'w')
		*bytes = 4;
	return (int)n * WORD;
}

#else

/* arch/x86: struct pt_regs, 64-bit, in its order. Of each register its names for 8, 4, 2 and 1 bytes. */
enum {
	R15,
	R14,
	R13,
	R12,
	RBP,
	RBX,
	R11,
	R10,
	R9,
	R8,
	RAX,
	RCX,
	RDX,
	RSI,
	RDI,
	ORIG,
	RIP,
	CS,
	FLAGS,
	RSP
};

static const struct {
	unsigned char word;
	const char *names[4];
} registers[] = {
	{ R15, { "r15", "r15d", "r15w", "r15b" } }, { R14, { "r14", "r14d", "r14w", "r14b" } },
	{ R13, { "r13", "r13d", "r13w", "r13b" } }, { R12, { "r12", "r12d", "r12w", "r12b" } },
	{ R11, { "r11", "r11d", "r11w", "r11b" } }, { R10, { "r10", "r10d", "r10w", "r10b" } },
	{ R9, { "r9", "r9d", "r9w", "r9b" } },	    { R8, { "r8", "r8d", "r8w", "r8b" } },
	{ RBP, { "rbp", "ebp", "bp", "bpl" } },	    { RBX, { "rbx", "ebx", "bx", "bl" } },
	{ RAX, { "rax", "eax", "ax", "al" } },	    { RCX, { "rcx", "ecx", "cx", "cl" } },
	{ RDX, { "rdx", "edx", "dx", "dl" } },	    { RSI, { "rsi", "esi", "si", "sil" } },
	{ RDI, { "rdi", "edi", "di", "dil" } },	    { RSP, { "rsp", "esp", "sp", "spl" } },
};

int regs_argument(unsigned int index)
{
	static const unsigned char order[] = {
		RDI, RSI, RDX, RCX, R8, R9
	}; /* System V AMD64 ABI */

	return index < sizeof(order) ? order[index] * WORD : -ENOENT;
}

int regs_return_value(void)
{
	return RAX * WORD;
}

int regs_stack(void)
{
	return RSP * WORD;
}

int regs_by_name(const char *name, size_t len, unsigned int *bytes)
{
	for (size_t i = 0; i < sizeof(registers) / sizeof(registers[0]); i++)
		for (unsigned int k = 0; k < 4; k++) {
			const char *n = registers[i].names[k];

			if (strlen(n) != len || memcmp(n, name, len) != 0)
				continue;
			*bytes = WORD >> k;
			return registers[i].word * WORD;
		}
	return -ENOENT;
}

#endif
