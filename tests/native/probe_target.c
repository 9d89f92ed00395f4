// SPDX-License-Identifier: Apache-2.0
/* Functions that tests probe. In assembly where a test needs to know an instruction's address. */
#include "probe_stage.h"

__attribute__((noinline)) void target_object(const struct target_outer *o)
{
	__asm__ volatile("" ::"r"(o) : "memory");
}

__attribute__((noinline)) void target_value(uint64_t value)
{
	__asm__ volatile("" ::"r"(value) : "memory");
}

__attribute__((noinline)) void target_value_2(uint64_t value)
{
	__asm__ volatile("nop" ::"r"(value) : "memory");
}

__attribute__((noinline)) void target_pair(uint64_t value, const void *object)
{
	__asm__ volatile("" ::"r"(value), "r"(object) : "memory");
}

__attribute__((noinline)) void target_by_value(struct target_big big)
{
	__asm__ volatile("" ::"m"(big) : "memory");
}

#ifdef __x86_64__
__asm__(".text\n"
	".globl target_twice, target_twice_ret, target_call, target_call_ret, target_many\n"
	"target_twice:\n"
	"	lea (%rdi,%rdi), %rax\n"
	"target_twice_ret:\n"
	"	ret\n"
	"target_call:\n"
	"	push %rbp\n"
	"	call *%rdi\n"
	"	pop %rbp\n"
	"target_call_ret:\n"
	"	ret\n"
	"target_many:\n"
	".rept 1000\n"
	"	nop\n"
	"	ret\n"
	".endr\n");
#else
#error "write these functions for this architecture"
#endif

void target_many_call(size_t first, size_t count)
{
	for (size_t i = first; i < first + count; i++)
		((void (*)(void))(uintptr_t)(target_many + i * TARGET_STEP))();
}
