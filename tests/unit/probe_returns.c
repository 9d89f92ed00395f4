// SPDX-License-Identifier: Apache-2.0
/* The ways out of a function: each is found, or the function is refused. */
#include "probe_build.h"

#define REFUSED "its returns are not known: "

/* exits: the classes and offsets (relative to the function) of what must be found, "ret+5 jmp+7 ". */
static void leaves_by(struct binary *b, const char *function, const char *exits)
{
	struct sites sites;
	char found[256] = "";

	assert_true(find(b, TARGET_SYMBOL, AT_RETURN, function, &sites) > 0);
	for (size_t i = 0; i < sites.count; i++) {
		const struct site *s = &sites.items[i];
		size_t len = strlen(found);

		if (s->refused)
			fail_msg("%s: %s", function, s->refused);
		snprintf(found + len, sizeof(found) - len, "%s%+" PRId64 " ", s->insn,
			 (int64_t)(s->offset - s->function));
	}
	assert_string_equal(found, exits);
	sites_free(&sites);
}

static void test_returns_and_tail_calls(void **state)
{
	static const char code[] = FUNCTION("one", "push %rbp; pop %rbp; ret") FUNCTION(
		"two", "test %edi, %edi; je 1f; ret; 1: rep; ret") FUNCTION("pops_arguments",
									    "ret $8")
		FUNCTION("tail", "test %edi, %edi; je 1f; ret; 1: jmp one") FUNCTION(
			"tail_self", "test %edi, %edi; je 1f; ret; 1: dec %edi; jmp tail_self")
			FUNCTION("tail_far", "jmp elsewhere@plt")
				FUNCTION("tail_pointer", "jmp *elsewhere@GOTPCREL(%rip)") FUNCTION(
					"tail_virtual", "push %rbx; pop %rbx; jmp *%rax")
					FUNCTION("branch_out", "test %edi, %edi; je one; ret")
						FUNCTION("into_the_middle", "jmp one+1")
							FUNCTION("cut_off", "ret; .byte 0x48")
								FUNCTION("spins", "1: jmp 1b");
	struct binary *b = assemble(*state, "returns.so", code);
	struct sites none;

	leaves_by(b, "one", "ret+2 ");
	leaves_by(b, "two", "ret+4 ret+5 ");
	leaves_by(b, "pops_arguments", "ret+0 ");
	leaves_by(b, "tail", "ret+4 jmp+5 ");
	leaves_by(b, "tail_self", "ret+4 "); /* the jump to its own start does not leave it */
	leaves_by(b, "tail_far", "jmp+0 ");
	leaves_by(b, "tail_pointer", "jmp+0 ");
	leaves_by(b, "tail_virtual", "jmp+2 ");
	refused_as(b, TARGET_SYMBOL, AT_RETURN, "branch_out",
		   REFUSED "a conditional jump leaves it");
	refused_as(b, TARGET_SYMBOL, AT_RETURN, "into_the_middle",
		   REFUSED "it jumps into the middle of another function");
	refused_as(b, TARGET_SYMBOL, AT_RETURN, "cut_off",
		   REFUSED "its code cannot be decoded to its end");
	assert_int_equal(find(b, TARGET_SYMBOL, AT_RETURN, "spins", &none), 0);
	binary_close(b);
}

static void test_jump_tables(void **state)
{
	static const char code[] = FUNCTION(
		"pic_switch",
		"lea table(%rip), %rdx; movslq (%rdx,%rdi,4), %rax; add %rdx, %rax; "
		"jmp *%rax; 1: ret; 2: ret") FUNCTION("wide_switch",
						      "mov (%rdx,%rdi,8), %rax; jmp *%rax; ret")
		FUNCTION("memory_switch", "jmp *(%rdx,%rdi,8); ret") FUNCTION(
			"cet_switch", "endbr64; movslq (%rdx,%rdi,4), %rax; notrack jmp *%rax; ret")
			FUNCTION("cet_virtual", "endbr64; mov (%rdi), %rax; jmp *%rax")
				FUNCTION("unclear", "mov (%rdi), %rax; jmp *%rax") FUNCTION(
					"unclear_memory",
					"jmp *16(%rdi)") ".section .rodata\ntable: .long 0\n";
	struct binary *b = assemble(*state, "tables.so", code);
	static const char unclear[] = REFUSED "an indirect jump is a tail call or a jump table";

	leaves_by(b, "pic_switch", "ret+16 ret+17 ");
	leaves_by(b, "wide_switch", "ret+6 ");
	leaves_by(b, "memory_switch", "ret+3 ");
	leaves_by(b, "cet_switch", "ret+11 ");
	leaves_by(b, "cet_virtual", "jmp+7 ");
	refused_as(b, TARGET_SYMBOL, AT_RETURN, "unclear", unclear);
	refused_as(b, TARGET_SYMBOL, AT_RETURN, "unclear_memory", unclear);
	binary_close(b);
}

/* gcc moves what is unlikely into split.cold: its returns are the function's, with its symbols and, by .eh_frame, without. */
static void test_cold_part(void **state)
{
	static const char code[] =
		".globl split\n.type split,@function\nsplit: .cfi_startproc\n"
		"push %rbx\n.cfi_def_cfa_offset 16\ntest %edi, %edi\nje split.cold\npop %rbx\n"
		".cfi_def_cfa_offset 8\nret\n.cfi_endproc\n.size split, .-split\n"
		".type split.cold,@function\nsplit.cold: .cfi_startproc\n.cfi_def_cfa_offset 16\n"
		"xor %eax, %eax\npop %rbx\n.cfi_def_cfa_offset 8\nret\n.cfi_endproc\n"
		".size split.cold, .-split.cold\n";
	const struct workshop *w = *state;
	struct binary *b = assemble(w, "cold.so", code);
	struct sites none;

	leaves_by(b, "split", "ret+6 ret+10 ");
	assert_int_equal(find(b, TARGET_SYMBOL, AT_ENTRY, "split.cold", &none), 0);
	assert_int_equal(find(b, TARGET_SYMBOL, AT_ENTRY, "split*", &none), 1);
	sites_free(&none);
	binary_close(b);
	run(w, "strip -o cold_stripped.so cold.so");
	b = open_built(w, "cold_stripped.so");
	leaves_by(b, "split", "ret+6 ret+10 ");
	binary_close(b);
}

/* Compiled code: what is found is what the disassembler shows. */
static void test_compiled_functions(void **state)
{
	const struct workshop *w = *state;
	char line[64], want[256] = "", start[32] = "", *exits = path_of(w, "exits");
	struct binary *b;
	FILE *f;

	build(w, "compiled.so", "-O2 -fcf-protection",
	      "int g(int); __attribute__((noinline)) int small(int a) { return a * 3; }\n"
	      "int many(int a, int *p) { switch (a) { case 0: return p[0]; case 1: return g(a);"
	      "case 2: return p[7] - 1; case 3: return small(a); case 4: p[0]++; return 9;"
	      "case 5: return p[1] * p[2]; } return -1; }");
	run(w,
	    "for f in many many.cold; do objdump -d --no-show-raw-insn compiled.so | "
	    "awk -v f=\"<$f>:\" '/>:$/{in_it = $2 == f; if (f == \"<many>:\" && in_it) print $1} "
	    "in_it && /\\t(ret|jmp.*<(g@plt|small.*)>$)/{sub(\":\", \"\"); print $1, $2}'; done > exits");
	f = fopen(exits, "r");
	free(exits);
	assert_non_null(f);
	assert_non_null(fgets(start, sizeof(start), f));
	while (fgets(line, sizeof(line), f)) {
		size_t len = strlen(want);
		char insn[16];
		uint64_t at;

		assert_int_equal(sscanf(line, "%" SCNx64 " %15s", &at, insn), 2);
		snprintf(want + len, sizeof(want) - len, "%s%+" PRId64 " ", insn,
			 (int64_t)(at - strtoull(start, NULL, 16)));
	}
	fclose(f);
	assert_true(strstr(want, "ret+") && strstr(want, "jmp+"));
	b = open_built(w, "compiled.so");
	leaves_by(b, "many", want);
	leaves_by(b, "small", "ret+7 ");
	binary_close(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_returns_and_tail_calls),
		cmocka_unit_test(test_jump_tables),
		cmocka_unit_test(test_cold_part),
		cmocka_unit_test(test_compiled_functions),
	};

	return cmocka_run_group_tests(tests, workshop_open, workshop_close);
}
