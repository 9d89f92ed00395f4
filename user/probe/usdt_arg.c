// SPDX-License-Identifier: Apache-2.0
/*
 * One argument of a USDT note: SIZE@OPERAND, in the operand syntax of the machine's assembler (SystemTap, "UserSpaceProbe
 * Implementation"). SIZE is negative for signed values; 4f and 8f are floating point.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "probe/internal.h"

struct operand {
	const char *text;
	size_t len;
	unsigned int size;
	bool is_signed;
};

static struct tks_probe_step step(enum tks_probe_op op, const struct operand *o, int64_t imm)
{
	return (struct tks_probe_step){
		.op = (uint8_t)op,
		.size = (uint8_t)o->size,
		.is_signed = o->is_signed,
		.imm = (int32_t)imm,
	};
}

static bool parse_number(const char *text, size_t len, int64_t *value)
{
	char buf[32], *end;

	if (!len || len >= sizeof(buf))
		return false;
	memcpy(buf, text, len);
	buf[len] = '\0';
	errno = 0;
	*value = strtoll(buf, &end, 0);
	return !errno && !*end && *value >= INT32_MIN && *value <= INT32_MAX;
}

static void constant(const struct operand *o, int64_t value, struct usdt_arg *arg)
{
	arg->steps[0] = step(TKS_PROBE_CONST, o, value);
}

/* The whole register: its upper bytes are not the argument's where the operand names a part of it. */
static void register_value(const struct operand *o, struct usdt_arg *arg)
{
	const struct operand whole = { .size = 8 };
	unsigned int bytes;
	int offset = regs_by_name(o->text, o->len, &bytes);

	if (offset < 0 || bytes < o->size)
		return;
	arg->steps[0] = step(TKS_PROBE_REG, &whole, offset);
	if (o->size < 8)
		arg->steps[1] = step(TKS_PROBE_CAST, o, 0);
}

static void memory_value(const struct operand *o, const char *base, size_t base_len, int64_t disp,
			 struct usdt_arg *arg)
{
	const struct operand whole = { .size = 8 };
	unsigned int bytes;
	int offset = regs_by_name(base, base_len, &bytes), n = 0;

	if (offset < 0 || bytes != 8)
		return;
	arg->steps[n++] = step(TKS_PROBE_REG, &whole, offset);
	if (disp)
		arg->steps[n++] = step(TKS_PROBE_ADD, &whole, disp);
	arg->steps[n] = step(TKS_PROBE_LOAD, o, 0);
}

#if defined(__aarch64__)

/* x0, w1, 5, [sp], [x1, 8] */
static void parse_operand(const struct operand *o, struct usdt_arg *arg)
{
	const char *comma = memchr(o->text, ',', o->len), *end = o->text + o->len - 1;
	int64_t value = 0;

	if (parse_number(o->text, o->len, &value)) {
		constant(o, value, arg);
		return;
	}
	if (*o->text != '[') {
		register_value(o, arg);
		return;
	}
	if (*end != ']')
		return;
	if (comma) {
		const char *number = comma + 1;

		while (*number == ' ')
			number++;
		if (!parse_number(number, (size_t)(end - number), &value))
			return;
	}
	memory_value(o, o->text + 1, (size_t)((comma ? comma : end) - o->text - 1), value, arg);
}

static size_t operand_length(const char *text)
{
	const char *end = *text == '[' ? strchr(text, ']') : NULL;

	return end ? (size_t)(end + 1 - text) : strcspn(text, " ");
}

#else

/* $5, %edi, 16(%rbp), (%rax). Neither names of symbols nor indexed memory: the steps have no address, no second register. */
static void parse_operand(const struct operand *o, struct usdt_arg *arg)
{
	const char *open = memchr(o->text, '(', o->len);
	struct operand inner = *o;
	int64_t value = 0;

	if (*o->text == '$') {
		if (parse_number(o->text + 1, o->len - 1, &value))
			constant(o, value, arg);
		return;
	}
	if (*o->text == '%') {
		inner.text++;
		inner.len--;
		register_value(&inner, arg);
		return;
	}
	if (!open || open[1] != '%' || o->text[o->len - 1] != ')')
		return;
	if (open > o->text && !parse_number(o->text, (size_t)(open - o->text), &value))
		return;
	memory_value(o, open + 2, (size_t)(o->text + o->len - 1 - (open + 2)), value, arg);
}

static size_t operand_length(const char *text)
{
	return strcspn(text, " ");
}

#endif

bool usdt_arg_parse(const char **text, struct usdt_arg *arg)
{
	struct operand o = { 0 };
	const char *p = *text;
	bool number;

	*arg = (struct usdt_arg){ 0 };
	while (*p == ' ')
		p++;
	if (!*p)
		return false;
	o.is_signed = *p == '-';
	p += o.is_signed;
	o.size = isdigit((unsigned char)*p) ? (unsigned int)(*p++ - '0') : 0;
	number = *p == '@';
	p += strcspn(p, "@ ");
	p += *p == '@';
	o.text = p;
	o.len = operand_length(p);
	*text = p + o.len;
	if (number && o.len && (o.size == 1 || o.size == 2 || o.size == 4 || o.size == 8))
		parse_operand(&o, arg);
	return true;
}
