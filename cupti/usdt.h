/* SPDX-License-Identifier: Apache-2.0 */
/*
 * USDT probes in the format of SystemTap's <sys/sdt.h> (an NT_STAPSDT note and a semaphore), with two things fixed that
 * <sys/sdt.h> leaves open: the three arguments are in the first registers of a call, and the probed instruction is the
 * one-byte nop. (Linux 6.18 turns a probed five-byte nop into a call, whose return address overwrites the red zone.)
 */
#ifndef USDT_H
#define USDT_H

#include <stdbool.h>
#include <stdint.h>

#if defined(__x86_64__)
#define USDT_REG0 "rdi"
#define USDT_REG1 "rsi"
#define USDT_REG2 "rdx"
#define USDT_ARGS "8@%%rdi 8@%%rsi 8@%%rdx"
#elif defined(__aarch64__)
#define USDT_REG0 "x0"
#define USDT_REG1 "x1"
#define USDT_REG2 "x2"
#define USDT_ARGS "8@x0 8@x1 8@x2"
#else
#error "usdt.h: only x86-64 and arm64 are known"
#endif

/* Who attaches to probe `name` raises its semaphore. */
#define USDT_SEMAPHORE(name)                                        \
	extern volatile unsigned short tokscope_##name##_semaphore; \
	volatile unsigned short tokscope_##name##_semaphore         \
		__attribute__((section(".probes"), used, visibility("hidden")))

/* The kernel changes it at any time. */
#define USDT_ATTACHED(name) (__atomic_load_n(&tokscope_##name##_semaphore, __ATOMIC_RELAXED) != 0)

/* clang-format off */
#define USDT_FIRE(name, a, b, c)                                                                  \
	do {                                                                                      \
		register uint64_t usdt_0 __asm__(USDT_REG0) = (uint64_t)(a);                      \
		register uint64_t usdt_1 __asm__(USDT_REG1) = (uint64_t)(b);                      \
		register uint64_t usdt_2 __asm__(USDT_REG2) = (uint64_t)(c);                      \
		__asm__ volatile("990:	nop\n"                                                    \
				 ".pushsection .note.stapsdt,\"?\",\"note\"\n"                    \
				 ".balign 4\n"                                                    \
				 ".4byte 992f-991f, 994f-993f, 3\n" /* NT_STAPSDT */              \
				 "991:	.asciz \"stapsdt\"\n"                                     \
				 "992:	.balign 4\n"                                              \
				 "993:	.8byte 990b, _.stapsdt.base\n"                            \
				 ".8byte tokscope_" #name "_semaphore\n"                          \
				 ".asciz \"tokscope\"\n"                                          \
				 ".asciz \"" #name "\"\n"                                         \
				 ".asciz \"" USDT_ARGS "\"\n"                                     \
				 "994:	.balign 4\n"                                              \
				 ".popsection\n"                                                  \
				 ".ifndef _.stapsdt.base\n"                                       \
				 ".pushsection .stapsdt.base,\"aG\",\"progbits\",.stapsdt.base,comdat\n" \
				 ".weak _.stapsdt.base\n"                                         \
				 ".hidden _.stapsdt.base\n"                                       \
				 "_.stapsdt.base: .space 1\n"                                     \
				 ".size _.stapsdt.base, 1\n"                                      \
				 ".popsection\n"                                                  \
				 ".endif\n"                                                       \
				 :: "r"(usdt_0), "r"(usdt_1), "r"(usdt_2) : "memory");            \
	} while (0)
/* clang-format on */

#endif
