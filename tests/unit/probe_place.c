// SPDX-License-Identifier: Apache-2.0
/* Where in a function a probe goes, and where its ways out are. Functions are assembly, so that each instruction is known. */
#include "probe_build.h"

#include "probe/insn.h"

static void test_entry(void **state)
{
	static const char code[] = FUNCTION("push", "push %rbp; ret") FUNCTION(
		"push_r12", "push %r12; ret") FUNCTION("endbr_push", "endbr64; push %rbx; ret")
		FUNCTION("endbr_mov", "endbr64; mov %rdi, %rax; push %rbx; ret") FUNCTION(
			"mov", "mov %rdi, %rax; ret")
			FUNCTION("cmp_je", "cmp $0, %rdi; je 1f; ret; 1: nop; ret") FUNCTION(
				"nop", "nop; ret") FUNCTION("call", "endbr64; call push@plt; ret")
				FUNCTION("sub_push", "sub $8, %rsp; push %rbx; ret")
					FUNCTION("wide_push", "pushw %bx; ret") FUNCTION(
						"loops", "endbr64; 1: push %rax; pop %rax; jmp 1b");
	struct binary *b = assemble(*state, "entry.so", code);

	assert_int_equal(place_of(b, "push", "push", COST_EMULATED), 0);
	assert_int_equal(place_of(b, "push_r12", "push", COST_EMULATED), 0);
	assert_int_equal(place_of(b, "endbr_push", "push", COST_EMULATED), 4);
	/* What is behind the mov may find its argument gone. */
	assert_int_equal(place_of(b, "endbr_mov", "endbr64", COST_STEPPED), 0);
	assert_int_equal(place_of(b, "mov", "mov", COST_STEPPED), 0);
	assert_int_equal(place_of(b, "cmp_je", "jcc", COST_EMULATED), 4);
	assert_int_equal(place_of(b, "nop", "nop", COST_NOP), 0);
	assert_int_equal(place_of(b, "call", "call", COST_EMULATED), 4);
	assert_int_equal(place_of(b, "sub_push", "sub", COST_STEPPED), 0);
	/* The kernel emulates 16-bit pushes in no version: a prefix makes them two bytes, but not REX.B. */
	assert_int_equal(place_of(b, "wide_push", "push", COST_STEPPED), 0);
	/* The push is hit on every turn of the loop. */
	assert_int_equal(place_of(b, "loops", "endbr64", COST_STEPPED), 0);
	binary_close(b);
}

/*
 * The entry of every call of libcuda: cmpl $imm, disp(%rip); je +12; jmp *disp(%rip). Bytes of cuLaunchKernel in 535.261.03 and
 * 550.163.01, and of ncclAllReduce in NCCL 2.28.9 (push %r15; mov %rsi, %r15; push %r14).
 */
static void test_driver_thunk(void **state)
{
	static const char code[] = FUNCTION(
		"driver535",
		".byte 0x81,0x3d,0x3e,0x93,0x8d,0x01,0x00,0xba,0x1c,0x32,0x74,0x0c,0xff,0x25,0xc6,0x18,"
		"0x7e,0x01,0x66,0x0f,0x1f,0x44,0x00,0x00,0xb8,0x04,0x00,0x00,0x00,0xc3")
		FUNCTION("driver550",
			 ".byte 0x81,0x3d,0xd6,0x7b,0x87,0x01,0x00,0xba,0x1c,0x32,0x74,0x0c,0xff,"
			 "0x25,0xf6,0x04,0x78,0x01,0x66,0x0f,0x1f,0x44,0x00,0x00,0xb8,0x04,0x00,"
			 "0x00,0x00,0xc3")
			FUNCTION("nccl", ".byte 0x41,0x57,0x49,0x89,0xf7,0x41,0x56; ret") FUNCTION(
				"cet_thunk",
				"endbr64; cmpl $0x321cba00, v(%rip); je 1f; jmp *p(%rip); "
				"1: mov $4, %eax; ret") ".local v; .comm v,4\n.local p; .comm p,8\n";
	struct binary *b = assemble(*state, "thunk.so", code);
	struct sites at_return;

	assert_int_equal(place_of(b, "driver535", "jcc", COST_EMULATED), 10);
	assert_int_equal(place_of(b, "driver550", "jcc", COST_EMULATED), 10);
	assert_int_equal(place_of(b, "nccl", "push", COST_EMULATED), 0);
	assert_int_equal(place_of(b, "cet_thunk", "jcc", COST_EMULATED), 14);
	/* The return address is still where a return probe looks for it. */
	assert_int_equal(find(b, TARGET_SYMBOL, AT_RETURN_PROBE, "driver535", &at_return), 1);
	assert_int_equal(at_return.items[0].offset - at_return.items[0].function, 10);
	sites_free(&at_return);
	binary_close(b);
}

static void test_never_on_a_5_byte_nop(void **state)
{
	static const char code[] = FUNCTION("nop5_mov",
					    ".byte 0x0f,0x1f,0x44,0x00,0x00; mov %rdi, %rax; ret")
		FUNCTION("endbr_nop5_push",
			 "endbr64; .byte 0x0f,0x1f,0x44,0x00,0x00; push %rbp; ret")
			FUNCTION("endbr_nop5_mov",
				 "endbr64; .byte 0x0f,0x1f,0x44,0x00,0x00; mov %rdi, %rax; ret")
				FUNCTION("nop5_66", ".byte 0x66,0x0f,0x1f,0x44,0x00,0x00; ret") FUNCTION(
					"nop5_kin",
					".byte 0x66,0x66,0x66,0x66,0x90; 1: mov %rdi, %rax; jmp 1b")
					FUNCTION("only_nop5", ".byte 0x0f,0x1f,0x44,0x00,0x00");
	struct binary *b = assemble(*state, "nop5.so", code);

	assert_int_equal(place_of(b, "nop5_mov", "mov", COST_STEPPED), 5);
	assert_int_equal(place_of(b, "endbr_nop5_push", "push", COST_EMULATED), 9);
	assert_int_equal(place_of(b, "endbr_nop5_mov", "endbr64", COST_STEPPED), 0);
	assert_int_equal(place_of(b, "nop5_66", "nop", COST_STEPPED), 0);
	refused_as(b, TARGET_SYMBOL, AT_ENTRY, "nop5_kin", "it starts with a 5-byte nop");
	refused_as(b, TARGET_SYMBOL, AT_ENTRY, "only_nop5", "it starts with a 5-byte nop");
	binary_close(b);
}

/* What gcc leaves room for patching with: five nops of one byte; a probe on the first is fine. */
static void test_patchable_entry(void **state)
{
	const struct workshop *w = *state;
	struct binary *b;

	build(w, "patchable.so", "-fpatchable-function-entry=5 -fcf-protection",
	      "int patched(int a) { return a + 1; }");
	b = open_built(w, "patchable.so");
	assert_int_equal(place_of(b, "patched", "nop", COST_NOP), 4);
	binary_close(b);
}

static void test_what_the_kernel_refuses(void **state)
{
	static const char refuse[] =
		"it starts with an instruction that the kernel puts no uprobe on";
	static const char code[] = FUNCTION("trap", "int3; ret") FUNCTION("halt", "hlt") FUNCTION(
		"locked", "lock incl (%rdi); ret") FUNCTION("segment", "mov %es:(%rdi), %eax; ret")
		FUNCTION("port", "in $1, %al; ret") FUNCTION("sys", "syscall; ret")
			FUNCTION("evex", "vaddps %zmm0, %zmm1, %zmm2; ret")
				FUNCTION("vex_bad", "vpxor %ymm0, %ymm0, %ymm0; ret")
					FUNCTION("vex_good", "vmovups (%rdi), %ymm0; ret")
						FUNCTION("exchange", "xchg %r8, %rax; ret")
							FUNCTION("junk", ".byte 0x06, 0x06; ret");
	struct binary *b = assemble(*state, "kernel.so", code);

	refused_as(b, TARGET_SYMBOL, AT_ENTRY, "trap", refuse);
	refused_as(b, TARGET_SYMBOL, AT_ENTRY, "halt", refuse);
	refused_as(b, TARGET_SYMBOL, AT_ENTRY, "locked", refuse);
	refused_as(b, TARGET_SYMBOL, AT_ENTRY, "segment", refuse);
	refused_as(b, TARGET_SYMBOL, AT_ENTRY, "port", refuse);
	refused_as(b, TARGET_SYMBOL, AT_ENTRY, "sys", refuse);
	refused_as(b, TARGET_SYMBOL, AT_ENTRY, "evex", refuse);
	refused_as(b, TARGET_SYMBOL, AT_ENTRY, "vex_bad", refuse);
	assert_int_equal(place_of(b, "vex_good", "vmovups", COST_STEPPED), 0);
	refused_as(b, TARGET_SYMBOL, AT_ENTRY, "exchange",
		   "it starts with an exchange of registers that the kernel takes for a nop");
	refused_as(b, TARGET_SYMBOL, AT_ENTRY, "junk", "its first bytes are no instruction");
	binary_close(b);
}

static void test_offset(void **state)
{
	static const char code[] =
		FUNCTION("f", "endbr64; push %rbx; mov %rdi, %rbx; pop %rbx; ret");
	struct binary *b = assemble(*state, "offset.so", code);
	struct sites sites;
	uint64_t start;
	char at[32];

	assert_int_equal(find(b, TARGET_SYMBOL, AT_ENTRY, "f", &sites), 1);
	start = sites.items[0].function;
	sites_free(&sites);
	snprintf(at, sizeof(at), "0x%" PRIx64, start);
	assert_int_equal(find(b, TARGET_OFFSET, AT_ENTRY, at, &sites), 1);
	assert_int_equal(sites.items[0].offset,
			 start + 4); /* a function's entry is chosen as by name */
	sites_free(&sites);
	snprintf(at, sizeof(at), "%" PRIu64, start + 5);
	assert_int_equal(find(b, TARGET_OFFSET, AT_ENTRY, at, &sites), 1);
	assert_null(sites.items[0].refused);
	assert_int_equal(sites.items[0].offset, start + 5);
	assert_string_equal(sites.items[0].insn, "mov");
	sites_free(&sites);
	snprintf(at, sizeof(at), "0x%" PRIx64, start + 6);
	refused_as(b, TARGET_OFFSET, AT_ENTRY, at, "it is not the start of an instruction");
	refused_as(b, TARGET_OFFSET, AT_ENTRY, "0x10", "there is no code");
	assert_int_equal(find(b, TARGET_OFFSET, AT_ENTRY, "f", &sites), -EINVAL);
	assert_int_equal(find(b, TARGET_OFFSET, AT_ENTRY, "0x", &sites), -EINVAL);
	binary_close(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_entry),
		cmocka_unit_test(test_driver_thunk),
		cmocka_unit_test(test_never_on_a_5_byte_nop),
		cmocka_unit_test(test_patchable_entry),
		cmocka_unit_test(test_what_the_kernel_refuses),
		cmocka_unit_test(test_offset),
	};

	return cmocka_run_group_tests(tests, workshop_open, workshop_close);
}
