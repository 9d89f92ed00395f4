// SPDX-License-Identifier: Apache-2.0
/* USDT notes, as <sys/sdt.h> writes them; written here by hand, so that every form of argument is there. */
#include "probe_build.h"

/* base: what the note says of where .stapsdt.base lies. */
#define NOTE_OF(base, at, semaphore, provider, name, args)                                           \
	".pushsection .note.stapsdt,\"\",@note\n.balign 4\n.4byte 8, 9f-8f, 3\n.asciz \"stapsdt\"\n" \
	"8: .8byte " at ", " base ", " semaphore "\n.asciz \"" provider "\"\n.asciz \"" name         \
	"\"\n.asciz \"" args "\"\n9: .balign 4\n.popsection\n"
#define NOTE(...) NOTE_OF("_.stapsdt.base", __VA_ARGS__)
#define BASE                                                                                    \
	".pushsection .stapsdt.base,\"aG\",\"progbits\",.stapsdt.base,comdat\n"                 \
	".weak _.stapsdt.base\n.hidden _.stapsdt.base\n_.stapsdt.base: .space 1\n.popsection\n" \
	".pushsection .probes,\"aw\",\"progbits\"\nsema: .2byte 0\n.popsection\n"

static const char code[] = BASE FUNCTION(
	"f", "push %rbx; p1: nop; p2: nop; p3: .byte 0x0f,0x1f,0x44,0x00,0x00; pop %rbx; ret")
	NOTE("p1", "sema", "engine", "start",
	     "8@%rdi -4@%esi 4@$5 -4@$-7 8@16(%rbp) -2@(%rax) 1@-3(%rsp)")
		NOTE("p2", "0", "engine", "done",
		     "8@sym(%rip) 8@8(%rax,%rbx,4) 8f@%xmm0 8@%eax 8@$0x123456789 8@(%eax) 8@%r12")
			NOTE("p1", "0", "other", "start", "")
				NOTE("p3", "0", "engine", "patched", "")
					NOTE("0x10", "0", "engine", "outside", "")
						NOTE_OF("_.stapsdt.base-16", "p2-16", "sema-16",
							"engine", "moved", "");

static void assert_steps(const struct usdt_arg *arg, const struct tks_probe_step *want, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(arg->steps[i].op, want[i].op);
		assert_int_equal(arg->steps[i].imm, want[i].imm);
		if (want[i].size) {
			assert_int_equal(arg->steps[i].size, want[i].size);
			assert_int_equal(arg->steps[i].is_signed, want[i].is_signed);
		}
	}
	assert_int_equal(arg->steps[n].op, TKS_PROBE_END);
}

#define STEPS(...) ((const struct tks_probe_step[]){ __VA_ARGS__ })

/* Offsets in struct pt_regs, arch/x86/include/uapi/asm/ptrace.h: R12 24, RBP 32, RSP 152, RAX 80, RSI 104, RDI 112. */
static void test_arguments(void **state)
{
	struct binary *b = assemble(*state, "usdt.so", code);
	struct sites sites;
	const struct usdt_arg *a;

	assert_int_equal(find(b, TARGET_USDT, AT_ENTRY, "engine:start", &sites), 1);
	assert_null(sites.items[0].refused);
	assert_string_equal(sites.items[0].name, "engine:start");
	assert_string_equal(sites.items[0].insn, "nop");
	assert_int_equal(sites.items[0].cost, COST_NOP);
	assert_int_equal(sites.items[0].arg_count, 7);
	a = sites.items[0].args;
	assert_steps(&a[0], STEPS({ .op = TKS_PROBE_REG, .imm = 112, .size = 8 }), 1);
	assert_steps(&a[1],
		     STEPS({ .op = TKS_PROBE_REG, .imm = 104, .size = 8 },
			   { .op = TKS_PROBE_CAST, .size = 4, .is_signed = 1 }),
		     2);
	assert_steps(&a[2], STEPS({ .op = TKS_PROBE_CONST, .imm = 5 }), 1);
	assert_steps(&a[3], STEPS({ .op = TKS_PROBE_CONST, .imm = -7 }), 1);
	assert_steps(&a[4],
		     STEPS({ .op = TKS_PROBE_REG, .imm = 32, .size = 8 },
			   { .op = TKS_PROBE_ADD, .imm = 16 }, { .op = TKS_PROBE_LOAD, .size = 8 }),
		     3);
	assert_steps(&a[5],
		     STEPS({ .op = TKS_PROBE_REG, .imm = 80, .size = 8 },
			   { .op = TKS_PROBE_LOAD, .size = 2, .is_signed = 1 }),
		     2);
	assert_steps(&a[6],
		     STEPS({ .op = TKS_PROBE_REG, .imm = 152, .size = 8 },
			   { .op = TKS_PROBE_ADD, .imm = -3 }, { .op = TKS_PROBE_LOAD, .size = 1 }),
		     3);
	sites_free(&sites);

	/* What the steps cannot say: the argument is there, without steps. */
	assert_int_equal(find(b, TARGET_USDT, AT_ENTRY, "engine:done", &sites), 1);
	assert_int_equal(sites.items[0].arg_count, 7);
	a = sites.items[0].args;
	for (int i = 0; i < 6; i++)
		assert_int_equal(a[i].steps[0].op, TKS_PROBE_END);
	assert_steps(&a[6], STEPS({ .op = TKS_PROBE_REG, .imm = 24, .size = 8 }), 1);
	sites_free(&sites);
	binary_close(b);
}

static void test_places(void **state)
{
	struct binary *b = assemble(*state, "usdt.so", code);
	const Elf64_Shdr *probes = elf_file_section(&b->file, ".probes");
	struct sites sites;

	assert_int_equal(find(b, TARGET_USDT, AT_ENTRY, "engine:start", &sites), 1);
	assert_int_equal(sites.items[0].semaphore, probes->sh_offset);
	assert_true(probes->sh_offset != probes->sh_addr); /* or the check above says nothing */
	sites_free(&sites);
	assert_int_equal(find(b, TARGET_USDT, AT_ENTRY, "other:start", &sites), 1);
	assert_int_equal(sites.items[0].semaphore, 0);
	assert_int_equal(sites.items[0].arg_count, 0);
	sites_free(&sites);
	refused_as(b, TARGET_USDT, AT_ENTRY, "engine:patched", "it is on a 5-byte nop");
	refused_as(b, TARGET_USDT, AT_ENTRY, "engine:outside",
		   "its address 0x10 is not in the file's code");
	assert_int_equal(find(b, TARGET_USDT, AT_ENTRY, "start", &sites), 0);
	binary_close(b);
}

/* Notes say where .stapsdt.base lay when they were written: prelinking has moved the file by 16 since. */
static void test_moved_file(void **state)
{
	struct binary *b = assemble(*state, "usdt.so", code);
	struct sites moved, at;

	assert_int_equal(find(b, TARGET_USDT, AT_ENTRY, "engine:moved", &moved), 1);
	assert_int_equal(find(b, TARGET_USDT, AT_ENTRY, "engine:done", &at), 1);
	assert_int_equal(moved.items[0].offset, at.items[0].offset);
	sites_free(&at);
	assert_int_equal(find(b, TARGET_USDT, AT_ENTRY, "engine:start", &at), 1);
	assert_int_equal(moved.items[0].semaphore, at.items[0].semaphore);
	sites_free(&moved);
	sites_free(&at);
	binary_close(b);
}

static void test_registers(void **state)
{
	(void)state;
	assert_int_equal(regs_argument(0), 112);
	assert_int_equal(regs_argument(1), 104);
	assert_int_equal(regs_argument(2), 96);
	assert_int_equal(regs_argument(3), 88);
	assert_int_equal(regs_argument(4), 72);
	assert_int_equal(regs_argument(5), 64);
	assert_int_equal(regs_argument(6), -ENOENT);
	assert_int_equal(regs_return_value(), 80);
	assert_int_equal(regs_stack(), 152);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_arguments),
		cmocka_unit_test(test_places),
		cmocka_unit_test(test_moved_file),
		cmocka_unit_test(test_registers),
	};

	return cmocka_run_group_tests(tests, workshop_open, workshop_close);
}
