// SPDX-License-Identifier: Apache-2.0
/* Expressions of packs: the exact steps, and what is wrong with those that are none. */
#include "probe/expr.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#include "base/buf.h"
#include "probe/resolve.h"

static const char *op_names[] = {
	[TKS_PROBE_END] = "end",	   [TKS_PROBE_REG] = "reg",
	[TKS_PROBE_CONST] = "const",	   [TKS_PROBE_ADD] = "add",
	[TKS_PROBE_LOAD] = "load",	   [TKS_PROBE_SAVE] = "save",
	[TKS_PROBE_SUBTRACT] = "subtract", [TKS_PROBE_DIVIDE] = "divide",
	[TKS_PROBE_CAST] = "cast",	   [TKS_PROBE_SCALE] = "scale",
};

static const char *reg_name(int offset)
{
	static const char *const args[] = { "arg0", "arg1", "arg2", "arg3", "arg4", "arg5" };

	for (unsigned int i = 0; i < 6; i++)
		if (offset == regs_argument(i))
			return args[i];
	return offset == regs_stack() ? "sp" : offset == regs_return_value() ? "ret" : "?";
}

/* "reg arg1; add 4; load u32" */
static void write_steps(struct buf *b, const struct expr *e)
{
	if (e->usdt)
		buf_printf(b, "uarg%d; ", e->usdt - 1);
	for (int i = 0; i < TKS_PROBE_STEPS && e->steps[i].op != TKS_PROBE_END; i++) {
		const struct tks_probe_step *s = &e->steps[i];

		buf_printf(b, "%s", op_names[s->op]);
		if (s->op == TKS_PROBE_REG)
			buf_printf(b, " %s", reg_name(s->imm));
		else if (s->op == TKS_PROBE_LOAD || s->op == TKS_PROBE_CAST)
			buf_printf(b, " %c%d", s->is_signed ? 'i' : 'u', s->size * 8);
		else if (s->op != TKS_PROBE_SAVE && s->op != TKS_PROBE_SUBTRACT)
			buf_printf(b, " %d", s->imm);
		buf_puts(b, "; ");
	}
	if (b->len)
		b->data[b->len - 2] = '\0';
}

static void test_steps(void **state)
{
	static const struct {
		enum expr_place place;
		const char *text, *steps;
	} rows[] = {
		{ EXPR_ENTRY, "arg0", "reg arg0" },
		{ EXPR_ENTRY, " 0x10 ", "const 16" },
		{ EXPR_ENTRY, "-1", "const -1" },
		{ EXPR_ENTRY, "*(u32*)(arg1+4)", "reg arg1; add 4; load u32" },
		{ EXPR_ENTRY, "*(i32 *) ( arg1 - 0x8 )", "reg arg1; add -8; load i32" },
		{ EXPR_ENTRY, "*(i32*)*(u64*)arg1", "reg arg1; load u64; load i32" },
		{ EXPR_ENTRY, "*(u8*)*(ptr*)arg5+3", "reg arg5; load u64; load u8; add 3" },
		{ EXPR_ENTRY, "sarg0", "reg sp; add 8; load u64" },
		{ EXPR_ENTRY, "(i32)sarg2", "reg sp; add 24; load u64; cast i32" },
		{ EXPR_ENTRY, "(u64)arg2", "reg arg2" },
		{ EXPR_ENTRY, "(i16)(u8)arg2", "reg arg2; cast u8; cast i16" },
		{ EXPR_ENTRY, "arg4 - arg3", "reg arg4; save; reg arg3; subtract" },
		{ EXPR_ENTRY, "arg4-arg3-arg2-1",
		  "reg arg4; save; reg arg3; subtract; save; reg arg2; subtract; add -1" },
		{ EXPR_ENTRY, "(arg0 + 4) / 4 / 2", "reg arg0; add 4; divide 4; divide 2" },
		{ EXPR_ENTRY, "arg0 - arg1 / 8", "reg arg0; save; reg arg1; divide 8; subtract" },
		/* The factors 1 2 4 8 are 0 to 3 in two bits each, the first lowest: 0b11100100. */
		{ EXPR_ENTRY, "scaled(arg2, (u32)arg3, 1 2 4 8)",
		  "reg arg2; save; reg arg3; cast u32; scale 228" },
		{ EXPR_ENTRY, "scaled(arg1 - arg0, arg2, 8)",
		  "reg arg1; save; reg arg0; subtract; save; reg arg2; scale 3" },
		{ EXPR_ENTRY, "scaled(arg0, arg1, 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 8) + 2",
		  "reg arg0; save; reg arg1; scale -1073741824; add 2" },
		{ EXPR_RETURN, "retval", "reg ret" },
		{ EXPR_RETURN, "(i32)retval", "reg ret; cast i32" },
		{ EXPR_RETURN, "*(u64*)(*(u64*)*(u64*)(retval+24)+32)",
		  "reg ret; add 24; load u64; load u64; add 32; load u64" },
		{ EXPR_RETURN, "*(u64*)(retval+32) - *(u64*)(retval+56)",
		  "reg ret; add 32; load u64; save; reg ret; add 56; load u64; subtract" },
		{ EXPR_USDT, "uarg0", "uarg0" },
		{ EXPR_USDT, "*(u32*)(uarg11 + 8)", "uarg11; add 8; load u32" },
	};
	char error[256];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf b = BUF_INIT;
		struct expr e;

		assert_int_equal(
			expr_compile(rows[i].text, rows[i].place, &e, error, sizeof(error)), 0);
		assert_string_equal(error, "");
		write_steps(&b, &e);
		assert_string_equal(b.data, rows[i].steps);
		buf_free(&b);
	}
}

static void test_errors(void **state)
{
	static const struct {
		enum expr_place place;
		const char *text, *error;
	} rows[] = {
		{ EXPR_ENTRY, "", "column 1: the expression ends here too early" },
		{ EXPR_ENTRY, "arg1 +", "column 6: only a number can be added, on the right" },
		{ EXPR_ENTRY, "arg1 + arg2", "column 6: only a number can be added, on the right" },
		{ EXPR_ENTRY, "arg6", "column 1: arg0 to arg5 are known" },
		{ EXPR_ENTRY, "scaled arg1", "column 8: '(' is expected" },
		{ EXPR_ENTRY, "scaled(arg1, 1)", "column 15: ',' is expected" },
		{ EXPR_ENTRY, "scaled(arg1, arg2, 3)", "column 20: a factor is 1, 2, 4 or 8" },
		{ EXPR_ENTRY, "scaled(arg1, arg2, 16)", "column 20: a factor is 1, 2, 4 or 8" },
		{ EXPR_ENTRY, "scaled(arg1, arg2, )", "column 20: a number is expected" },
		{ EXPR_ENTRY, "scaled(arg1, arg2, 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1)",
		  "column 52: there are 16 factors at most" },
		{ EXPR_ENTRY, "arg0 - scaled(arg1, arg2, 1)",
		  "column 8: a difference or scaled() inside another: only one value can be kept" },
		{ EXPR_ENTRY, "scaled(arg0, arg2 - arg1, 1)",
		  "column 19: a difference or scaled() inside another: only one value can be kept" },
		{ EXPR_ENTRY, "sarg99999999999999999999", "column 1: sarg0 to sarg15 are known" },
		{ EXPR_ENTRY, "arg",
		  "column 1: 'arg' is not known; there are arg0, sarg0, retval and uarg0" },
		{ EXPR_ENTRY, "retval1",
		  "column 1: 'retval1' is not known; there are arg0, sarg0, retval and uarg0" },
		{ EXPR_ENTRY, "tid",
		  "column 1: the thread is no value; as a key, write key: thread" },
		{ EXPR_ENTRY, "retval",
		  "column 1: retval is only known with at: return or return_probe" },
		{ EXPR_RETURN, "*(u32*)arg0",
		  "column 8: arguments are gone at the return: read them at the entry" },
		{ EXPR_RETURN, "sarg0",
		  "column 1: arguments on the stack can only be read at the entry" },
		{ EXPR_ENTRY, "uarg0", "column 1: uarg0 is an argument of a usdt: probe" },
		{ EXPR_USDT, "arg0",
		  "column 1: a USDT probe has uarg0, uarg1, ... instead of arguments" },
		{ EXPR_USDT, "uarg0 - uarg1",
		  "column 9: an expression can have one uarg, and must begin with it" },
		{ EXPR_ENTRY, "*arg0", "column 2: '(' is expected" },
		{ EXPR_ENTRY, "*(int*)arg0",
		  "column 3: a type is expected: u8, u16, u32, u64, i8, i16, i32, i64 or ptr" },
		{ EXPR_ENTRY, "*(u32)arg0", "column 6: '*' is expected" },
		{ EXPR_ENTRY, "(u32*)arg0",
		  "column 1: put * in front to read what this points at: *(u32*)" },
		{ EXPR_ENTRY, "(arg0", "column 6: ')' is expected" },
		{ EXPR_ENTRY, "arg0)", "column 5: ')' does not belong here" },
		{ EXPR_ENTRY, "arg0 \xc3", "column 6: '?' does not belong here" },
		{ EXPR_ENTRY, "arg0 / 0", "column 6: division by 0" },
		{ EXPR_ENTRY, "arg0 / arg1", "column 8: a number is expected" },
		{ EXPR_ENTRY, "arg0 + 8 / 2",
		  "column 10: numbers are not divided; put a bracket around the sum" },
		{ EXPR_ENTRY, "arg0 + 2147483648", "column 8: a number is 2147483647 at most" },
		{ EXPR_ENTRY, "arg0 + 12x",
		  "column 8: this is no number (digits, or 0x and hexadecimal digits)" },
		{ EXPR_ENTRY, "arg0 - (arg1 - arg2)",
		  "column 14: a difference or scaled() inside another: only one value can be kept" },
		{ EXPR_ENTRY, "*(u8*)*(u8*)*(u8*)*(u8*)*(u8*)*(u8*)*(u8*)*(u8*)arg0",
		  "column 1: this takes more than 8 steps; read less, or in two values" },
		{ EXPR_ENTRY,
		  "((((((((((((((((((((((((((((((((arg0))))))))))))))))))))))))))))))))",
		  "column 33: this is nested more than 32 deep" },
	};
	struct expr e;
	char error[256];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(
			expr_compile(rows[i].text, rows[i].place, &e, error, sizeof(error)),
			-EINVAL);
		assert_string_equal(error, rows[i].error);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_steps),
		cmocka_unit_test(test_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
