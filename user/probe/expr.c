// SPDX-License-Identifier: Apache-2.0
#include "probe/expr.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probe/resolve.h"

#define DEPTH_MAX      32 /* parentheses and dereferences: more than the steps can hold */
#define STACK_ARGS     16
#define RETURN_ADDRESS 8 /* bytes at the stack pointer, at a function's entry */
#define STACK_SLOT     8
#define REGISTER_ARGS  6
#define SCALED	       "scaled"
#define FACTORS	       16 /* of 2 bits each in one word */
#define ONE_SAVED      "a difference or scaled() inside another: only one value can be kept"

static const struct type {
	const char *name;
	uint8_t size;
	bool is_signed;
} types[] = {
	{ "u8", 1, false },  { "u16", 2, false }, { "u32", 4, false },
	{ "u64", 8, false }, { "i8", 1, true },	  { "i16", 2, true },
	{ "i32", 4, true },  { "i64", 8, true },  { "ptr", 8, false },
};

struct parser {
	const char *text, *at;
	enum expr_place place;
	struct expr *out;
	size_t count; /* steps */
	int depth;
	bool saved; /* the saved value is waiting for its subtrahend */
	bool failed;
	char *error;
	size_t size;
};

static int parse_sum(struct parser *p);

/* ------------------------------------------------------------------ words */

__attribute__((format(printf, 3, 4))) static int fail(struct parser *p, const char *where,
						      const char *fmt, ...)
{
	va_list args;
	int n;

	if (p->failed)
		return -EINVAL;
	p->failed = true;
	n = snprintf(p->error, p->size, "column %d: ", (int)(where - p->text) + 1);
	va_start(args, fmt);
	if ((size_t)n < p->size)
		vsnprintf(p->error + n, p->size - n, fmt, args);
	va_end(args);
	return -EINVAL;
}

/* What stands at this place, fit for a message. */
static char shown(const char *at)
{
	return isprint((unsigned char)*at) ? *at : '?';
}

static const char *skip(struct parser *p)
{
	p->at += strspn(p->at, " ");
	return p->at;
}

static bool take(struct parser *p, char c)
{
	if (*skip(p) != c)
		return false;
	p->at++;
	return true;
}

static int expect(struct parser *p, char c)
{
	return take(p, c) ? 0 : fail(p, p->at, "'%c' is expected", c);
}

static size_t word_length(const char *at)
{
	size_t n = 0;

	while (isalnum((unsigned char)at[n]) || at[n] == '_')
		n++;
	return n;
}

/* The type that the next word names, NULL where it is none. */
static const struct type *peek_type(const char *at)
{
	size_t n;

	at += strspn(at, " ");
	n = word_length(at);
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (strlen(types[i].name) == n && !strncmp(types[i].name, at, n))
			return &types[i];
	return NULL;
}

static int take_type(struct parser *p, const struct type **type)
{
	*type = peek_type(skip(p));
	if (!*type)
		return fail(p, p->at,
			    "a type is expected: u8, u16, u32, u64, i8, i16, i32, i64 or ptr");
	p->at += strlen((*type)->name);
	return 0;
}

static bool at_number(struct parser *p)
{
	return isdigit((unsigned char)*skip(p));
}

static int take_number(struct parser *p, int32_t *value)
{
	const char *start = skip(p);
	unsigned long long v;
	char *end;

	if (!at_number(p))
		return fail(p, start, "a number is expected");
	errno = 0;
	v = strtoull(start, &end, start[0] == '0' && (start[1] | 0x20) == 'x' ? 16 : 10);
	if (errno || v > INT32_MAX)
		return fail(p, start, "a number is 2147483647 at most");
	if (word_length(end))
		return fail(p, start, "this is no number (digits, or 0x and hexadecimal digits)");
	p->at = end;
	*value = v;
	return 0;
}

/* ------------------------------------------------------------------ steps */

static int emit(struct parser *p, const char *where, struct tks_probe_step step)
{
	if (p->count == TKS_PROBE_STEPS)
		return fail(p, where, "this takes more than %d steps; read less, or in two values",
			    TKS_PROBE_STEPS);
	p->out->steps[p->count++] = step;
	return 0;
}

static int emit_imm(struct parser *p, const char *where, enum tks_probe_op op, int32_t imm)
{
	return emit(p, where, (struct tks_probe_step){ .op = op, .imm = imm });
}

static int emit_sized(struct parser *p, const char *where, enum tks_probe_op op,
		      const struct type *t)
{
	return emit(
		p, where,
		(struct tks_probe_step){ .op = op, .size = t->size, .is_signed = t->is_signed });
}

/* ------------------------------------------------------------------ names */

static int emit_argument(struct parser *p, const char *where, unsigned int n)
{
	int reg = regs_argument(n);

	if (p->place == EXPR_USDT)
		return fail(p, where, "a USDT probe has uarg0, uarg1, ... instead of arguments");
	if (p->place == EXPR_RETURN)
		return fail(p, where, "arguments are gone at the return: read them at the entry");
	if (reg < 0)
		return fail(p, where, "arguments in registers are arg0 to arg%d",
			    REGISTER_ARGS - 1);
	return emit_imm(p, where, TKS_PROBE_REG, reg);
}

static int emit_stack_argument(struct parser *p, const char *where, unsigned int n)
{
	static const struct type slot = { .size = STACK_SLOT };

	if (p->place != EXPR_ENTRY)
		return fail(p, where, "arguments on the stack can only be read at the entry");
	if (emit_imm(p, where, TKS_PROBE_REG, regs_stack()) ||
	    emit_imm(p, where, TKS_PROBE_ADD, RETURN_ADDRESS + STACK_SLOT * n))
		return -EINVAL;
	return emit_sized(p, where, TKS_PROBE_LOAD, &slot);
}

static int emit_return_value(struct parser *p, const char *where, unsigned int n)
{
	(void)n;
	if (p->place != EXPR_RETURN)
		return fail(p, where, "retval is only known with at: return or return_probe");
	return emit_imm(p, where, TKS_PROBE_REG, regs_return_value());
}

/* Its steps are known when the probe is attached, and come before all others. */
static int emit_usdt_argument(struct parser *p, const char *where, unsigned int n)
{
	if (p->place != EXPR_USDT)
		return fail(p, where, "uarg%u is an argument of a usdt: probe", n);
	if (p->count || p->out->usdt)
		return fail(p, where, "an expression can have one uarg, and must begin with it");
	p->out->usdt = 1 + n;
	return 0;
}

static const struct name {
	const char *text;
	bool numbered;
	unsigned int count;
	int (*emit)(struct parser *p, const char *where, unsigned int n);
} names[] = {
	{ "arg", true, REGISTER_ARGS, emit_argument },
	{ "sarg", true, STACK_ARGS, emit_stack_argument },
	{ "uarg", true, USDT_ARGS_MAX, emit_usdt_argument },
	{ "retval", false, 1, emit_return_value },
};

static int parse_name(struct parser *p)
{
	const char *start = p->at;
	size_t len = word_length(start), letters = 0;

	while (letters < len && isalpha((unsigned char)start[letters]))
		letters++;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const struct name *n = &names[i];
		unsigned long number = n->numbered ? strtoul(start + letters, NULL, 10) : 0;

		if (strlen(n->text) != letters || strncmp(n->text, start, letters) ||
		    n->numbered != (letters < len) ||
		    strspn(start + letters, "0123456789") != len - letters)
			continue;
		if (number >= n->count)
			return fail(p, start, "%s0 to %s%u are known", n->text, n->text,
				    n->count - 1);
		p->at += len;
		return n->emit(p, start, number);
	}
	if (len == 3 && !strncmp(start, "tid", len))
		return fail(p, start, "the thread is no value; as a key, write key: thread");
	return fail(p, start, "'%.*s' is not known; there are arg0, sarg0, retval and uarg0",
		    len > 32 ? 32 : (int)len, start);
}

/* ------------------------------------------------------------------ grammar */

static int parse_value(struct parser *p);

/* One more factor, as its logarithm in two bits. */
static int take_factor(struct parser *p, unsigned int number, uint32_t *factors)
{
	const char *where = skip(p);
	int32_t factor;

	if (number == FACTORS)
		return fail(p, where, "there are %d factors at most", FACTORS);
	if (take_number(p, &factor))
		return -EINVAL;
	if (factor < 1 || factor > 8 || factor & (factor - 1))
		return fail(p, where, "a factor is 1, 2, 4 or 8");
	*factors |= (uint32_t)__builtin_ctz(factor) << 2 * number;
	return 0;
}

/* After "scaled": (COUNT, KIND, FACTOR FACTOR ...). */
static int parse_scaled(struct parser *p, const char *where)
{
	unsigned int number = 0;
	uint32_t factors = 0;

	if (p->saved)
		return fail(p, where, ONE_SAVED);
	if (expect(p, '(') || parse_sum(p) || expect(p, ',') ||
	    emit_imm(p, where, TKS_PROBE_SAVE, 0))
		return -EINVAL;
	p->saved = true;
	if (parse_sum(p) || expect(p, ','))
		return -EINVAL;
	p->saved = false;
	do {
		if (take_factor(p, number++, &factors))
			return -EINVAL;
	} while (!take(p, ')'));
	return emit_imm(p, where, TKS_PROBE_SCALE, (int32_t)factors);
}

/* After '*'. */
static int parse_dereference(struct parser *p, const char *where)
{
	const struct type *type;

	if (expect(p, '(') || take_type(p, &type) || expect(p, '*') || expect(p, ')') ||
	    parse_value(p))
		return -EINVAL;
	return emit_sized(p, where, TKS_PROBE_LOAD, type);
}

/* After '('. */
static int parse_bracket(struct parser *p, const char *where)
{
	const struct type *type = peek_type(p->at);

	if (!type)
		return parse_sum(p) || expect(p, ')') ? -EINVAL : 0;
	take_type(p, &type);
	if (*skip(p) == '*')
		return fail(p, where, "put * in front to read what this points at: *(%s*)",
			    type->name);
	if (expect(p, ')') || parse_value(p))
		return -EINVAL;
	return type->size == 8 ? 0 : emit_sized(p, where, TKS_PROBE_CAST, type);
}

static int parse_constant(struct parser *p, const char *where, int sign)
{
	int32_t value;

	return take_number(p, &value) ? -EINVAL : emit_imm(p, where, TKS_PROBE_CONST, sign * value);
}

static int parse_unary(struct parser *p, const char *where)
{
	if (take(p, '*'))
		return parse_dereference(p, where);
	if (take(p, '('))
		return parse_bracket(p, where);
	if (take(p, '-'))
		return parse_constant(p, where, -1);
	if (at_number(p))
		return parse_constant(p, where, 1);
	if (word_length(p->at) == strlen(SCALED) && !strncmp(p->at, SCALED, strlen(SCALED))) {
		p->at += strlen(SCALED);
		return parse_scaled(p, where);
	}
	if (word_length(p->at))
		return parse_name(p);
	return *p->at ? fail(p, where, "'%c' does not belong here", shown(p->at))
		      : fail(p, where, "the expression ends here too early");
}

static int parse_value(struct parser *p)
{
	const char *where = skip(p);
	int err;

	if (p->depth == DEPTH_MAX)
		return fail(p, where, "this is nested more than %d deep", DEPTH_MAX);
	p->depth++;
	err = parse_unary(p, where);
	p->depth--;
	return err;
}

static int parse_term(struct parser *p)
{
	const char *where;
	int32_t by;

	if (parse_value(p))
		return -EINVAL;
	while (where = skip(p), take(p, '/')) {
		if (take_number(p, &by))
			return -EINVAL;
		if (!by)
			return fail(p, where, "division by 0");
		if (emit_imm(p, where, TKS_PROBE_DIVIDE, by))
			return -EINVAL;
	}
	return 0;
}

/* "- term": what there is so far is saved meanwhile. */
static int parse_difference(struct parser *p, const char *where)
{
	if (p->saved)
		return fail(p, where, ONE_SAVED);
	if (emit_imm(p, where, TKS_PROBE_SAVE, 0))
		return -EINVAL;
	p->saved = true;
	if (parse_term(p))
		return -EINVAL;
	p->saved = false;
	return emit_imm(p, where, TKS_PROBE_SUBTRACT, 0);
}

static int parse_sum(struct parser *p)
{
	const char *where;
	int32_t n;

	if (parse_term(p))
		return -EINVAL;
	while (where = skip(p), *where == '+' || *where == '-') {
		p->at++;
		if (at_number(p)) {
			if (take_number(p, &n) ||
			    emit_imm(p, where, TKS_PROBE_ADD, *where == '+' ? n : -n))
				return -EINVAL;
			if (*skip(p) == '/')
				return fail(
					p, p->at,
					"numbers are not divided; put a bracket around the sum");
		} else if (*where == '+') {
			return fail(p, where, "only a number can be added, on the right");
		} else if (parse_difference(p, where)) {
			return -EINVAL;
		}
	}
	return 0;
}

int expr_compile(const char *text, enum expr_place place, struct expr *out, char *error,
		 size_t size)
{
	struct parser p = {
		.text = text, .at = text, .place = place, .out = out, .error = error, .size = size
	};

	memset(out, 0, sizeof(*out));
	error[0] = '\0';
	if (parse_sum(&p))
		return -EINVAL;
	if (*skip(&p))
		return fail(&p, p.at, "'%c' does not belong here", shown(p.at));
	return 0;
}
