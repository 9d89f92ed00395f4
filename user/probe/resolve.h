/* SPDX-License-Identifier: Apache-2.0 */
/* From what a pack names to places in a file where a probe is safe and cheap. */
#ifndef PROBE_RESOLVE_H
#define PROBE_RESOLVE_H

#include <elf.h> /* here, so that it cannot define AT_ENTRY (a key of the auxiliary vector) behind our back */
#undef AT_ENTRY
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "probe/binary.h"
#include "tks_probe.h"

enum target_kind {
	TARGET_SYMBOL, /* pattern as in the file: exact, or a glob where it has * ? or [ */
	TARGET_DEMANGLED, /* likewise, on the demangled C++ or Rust name without its hash: "server_queue::post(*" */
	TARGET_PYMETHOD, /* "Tokenizer.encode_batch", "CoreBPE.encode", or a module's function "loads" */
	TARGET_USDT,   /* "provider:name" */
	TARGET_OFFSET, /* "0x1d0780": offset in the file */
};

enum target_at {
	AT_ENTRY,
	AT_RETURN, /* every instruction that leaves the function: ret, and jumps out of it (tail calls) */
	AT_RETURN_PROBE, /* the entry, for a return probe (uretprobe) */
};

struct target {
	enum target_kind kind;
	enum target_at at;
	const char *pattern;
	uint32_t pid; /* for slots of method tables that only the live process has; 0: none */
	uint64_t load_bias;
};

/* What the kernel does with the instruction under a uprobe (arch/x86/kernel/uprobes.c). */
enum site_cost {
	COST_NOP,      /* emulated: 0.4 to 0.9 us a hit were measured */
	COST_EMULATED, /* push, call, jmp, jcc: likewise */
	COST_STEPPED, /* run out of line in single step: 14 us under a hypervisor that traps #DB, about 1 us on metal */
};
const char *site_cost_name(enum site_cost c);

/* A 5-byte nop is refused everywhere (design.md 4). */
struct usdt_arg {
	struct tks_probe_step steps[TKS_PROBE_STEPS];
};
#define USDT_ARGS_MAX 12

struct site {
	uint64_t offset;   /* in the file, of the chosen instruction */
	uint64_t function; /* in the file, of the function's first */
	uint32_t size;	   /* of the function, bytes; 0 unknown */
	char *name;	   /* the symbol, or "Class.method", or "provider:name" */
	char insn
		[16]; /* the chosen instruction's class: "push", "endbr64", "nop", "mov", "ret", ... */
	enum site_cost cost;
	char *refused; /* NULL: usable; else why not: "a 5-byte nop", "no instruction boundary is known" */
	uint64_t semaphore; /* USDT: offset in the file; 0: none */
	size_t arg_count;
	struct usdt_arg *args; /* USDT */
};

struct sites {
	struct site *items;
	size_t count;
};

/*
 * Adds the sites of one target; places that are there already are not added twice. Returns how many were added, 0: the
 * file has none, or negative errno.
 */
int resolve(struct binary *b, const struct target *t, struct sites *out);
void sites_free(struct sites *s);

/* Does the file have such a symbol? For `when:`. */
bool binary_has_symbol(struct binary *b, const char *pattern);

/* The bytes of struct pt_regs that hold an argument (0..5), the return value, the stack pointer. Negative: none such. */
int regs_argument(unsigned int index);
int regs_return_value(void);
int regs_stack(void);

#endif
