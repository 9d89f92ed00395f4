// SPDX-License-Identifier: Apache-2.0
/*
 * Every way out of a function: ret, and jumps out of it (tail calls). A part that the compiler has moved away (NAME.cold)
 * belongs to the function. Where one way out cannot be told for sure, the whole function is refused: a return that is
 * missed would leave its interval open.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "probe/insn.h"
#include "probe/internal.h"

#define PARTS_MAX 8
/* Instructions in front of an indirect jump that are searched for the load from a jump table. */
#define LOOK_BACK      8
#define PART_BYTES_MAX (4u << 20)

struct part {
	struct extent extent;
	uint8_t *code;
};

struct walk {
	struct binary *b;
	struct part parts[PARTS_MAX];
	size_t count;
	const char *name;
	bool cet; /* compiled with -fcf-protection: jump tables are marked */
	const char *refused;
	struct sites *out;
	int added, err;
};

static bool inside(const struct walk *w, uint64_t address)
{
	for (size_t i = 0; i < w->count; i++)
		if (address - w->parts[i].extent.start < w->parts[i].extent.size)
			return true;
	return false;
}

static bool add_part(struct walk *w, const struct extent *e)
{
	struct part *p = &w->parts[w->count];

	if (w->count == PARTS_MAX || e->size > PART_BYTES_MAX) {
		w->refused = "it is too large, or in too many parts";
		return false;
	}
	*p = (struct part){ .extent = *e, .code = binary_code(w->b, e->start, e->size) };
	if (!p->code) {
		w->refused = "its code cannot be read";
		return false;
	}
	w->count++;
	return true;
}

/* Does code at e jump back to behind the function's first instruction? Then it is a part of it. */
static bool jumps_back(const struct walk *w, const struct extent *e)
{
	_cleanup_free_ uint8_t *code =
		e->size <= PART_BYTES_MAX ? binary_code(w->b, e->start, e->size) : NULL;
	const struct extent *f = &w->parts[0].extent;
	struct insn insn;

	for (uint64_t pos = 0; code && pos < e->size; pos += insn.length) {
		uint64_t target;

		if (!insn_decode(code + pos, e->size - pos, &insn))
			return false;
		target = e->start + pos + (uint64_t)insn.target;
		if ((insn.flow == FLOW_JUMP || insn.flow == FLOW_BRANCH) && target != f->start &&
		    target - f->start < f->size)
			return true;
	}
	return false;
}

/* A direct jump out of the parts that are known: to one more part (true), or a tail call (false). */
static bool leads_to_part(struct walk *w, uint64_t target, bool conditional)
{
	struct extent e;

	/* One unwind record covers all stubs of the PLT; those of tail calls are entered in its middle. */
	if (elf_file_is_plt(&w->b->file, target) || !binary_extent(w->b, target, &e)) {
		if (conditional)
			w->refused = "a conditional jump leaves it";
		return false;
	}
	if (e.cold || (!e.name && e.start != target) || jumps_back(w, &e))
		return add_part(w, &e);
	if (e.start != target)
		w->refused = "it jumps into the middle of another function";
	else if (conditional)
		w->refused = "a conditional jump leaves it";
	return false;
}

/* First pass: all parts. */
static void find_parts(struct walk *w)
{
	struct insn insn;

	for (size_t i = 0; i < w->count && !w->refused; i++) {
		struct part *p = &w->parts[i];

		for (uint64_t pos = 0; pos < p->extent.size && !w->refused; pos += insn.length) {
			uint64_t target;

			if (!insn_decode(p->code + pos, p->extent.size - pos, &insn)) {
				w->refused = "its code cannot be decoded to its end";
				return;
			}
			target = p->extent.start + pos + (uint64_t)insn.target;
			if ((insn.flow == FLOW_JUMP || insn.flow == FLOW_BRANCH) &&
			    !inside(w, target))
				leads_to_part(w, target, insn.flow == FLOW_BRANCH);
		}
	}
}

enum indirect {
	JUMP_TABLE,
	TAIL_CALL,
	UNCLEAR
};

/* before: the LOOK_BACK instructions in front of it, the last first. */
static enum indirect judge_indirect(const struct walk *w, const struct insn *jump,
				    const struct insn *before)
{
	bool added = false;

	if (jump->notrack || jump->indexed)
		return JUMP_TABLE;
	if (w->cet || jump->fixed)
		return TAIL_CALL;
	/* movslq (table,index,4), r; add table, r; jmp *r. Or mov (table,index,8), r; jmp *r. */
	for (size_t i = 0; jump->jump_reg && i < LOOK_BACK; i++) {
		if (before[i].from_table && (before[i].writes == jump->jump_reg || added))
			return JUMP_TABLE;
		if (before[i].writes != jump->jump_reg)
			continue;
		if (!before[i].adds)
			break;
		added = true;
	}
	return before[0].restores_stack ? TAIL_CALL : UNCLEAR;
}

static void add_exit(struct walk *w, uint64_t address, const struct insn *insn)
{
	struct site s = { .cost = insn->cost, .size = (uint32_t)w->parts[0].extent.size };
	int n;

	s.name = strdup(w->name);
	if (!s.name || !elf_file_offset(&w->b->file, address, &s.offset) ||
	    !elf_file_offset(&w->b->file, w->parts[0].extent.start, &s.function) ||
	    (insn->refused && site_refuse(&s, "%s", insn->refused))) {
		site_free(&s);
		w->err = -ENOMEM;
		return;
	}
	memcpy(s.insn, insn->name, sizeof(s.insn));
	n = sites_take(w->out, &s);
	w->err = n < 0 ? n : w->err;
	w->added += n > 0 ? n : 0;
}

static bool leaves(struct walk *w, uint64_t address, const struct insn *insn,
		   const struct insn *before)
{
	enum indirect kind;

	if (insn->flow == FLOW_INDIRECT) {
		kind = judge_indirect(w, insn, before);
		if (kind == UNCLEAR)
			w->refused = "an indirect jump is a tail call or a jump table";
		return kind == TAIL_CALL;
	}
	return insn->flow == FLOW_RETURN ||
	       (insn->flow == FLOW_JUMP && !inside(w, address + (uint64_t)insn->target));
}

/* Second pass: the ways out. Without `add` it only finds out whether all are clear. */
static void find_exits(struct walk *w, bool add)
{
	for (size_t i = 0; i < w->count && !w->refused && !w->err; i++) {
		struct part *p = &w->parts[i];
		struct insn before[LOOK_BACK] = { 0 }, insn;

		for (uint64_t pos = 0; pos < p->extent.size && !w->refused; pos += insn.length) {
			uint64_t address = p->extent.start + pos;

			if (!insn_decode(p->code + pos, p->extent.size - pos, &insn))
				return;
			if (leaves(w, address, &insn, before) && add)
				add_exit(w, address, &insn);
			memmove(before + 1, before, sizeof(before) - sizeof(before[0]));
			before[0] = insn;
		}
	}
}

static int refuse_all(struct walk *w)
{
	struct site s = { .size = (uint32_t)w->parts[0].extent.size };
	uint64_t start = w->parts[0].extent.start;

	s.name = strdup(w->name);
	if (!s.name || site_refuse(&s, "its returns are not known: %s", w->refused)) {
		site_free(&s);
		return -ENOMEM;
	}
	elf_file_offset(&w->b->file, start, &s.function);
	s.offset = s.function;
	return sites_take(w->out, &s);
}

int returns_add(struct binary *b, const struct extent *function, const char *name,
		struct sites *out)
{
	struct walk w = { .b = b, .name = name, .out = out };

	w.parts[0].extent = *function;
	if (ELF_NATIVE_MACHINE != EM_X86_64)
		w.refused = "they are looked for on x86-64 only";
	else if (!function->size)
		w.refused = "its size is not known";
	else if (add_part(&w, function))
		w.cet = insn_is_endbr(w.parts[0].code, function->size);
	if (!w.refused)
		find_parts(&w);
	find_exits(&w, false);
	find_exits(&w, true);
	for (size_t i = 0; i < w.count; i++)
		free(w.parts[i].code);
	if (w.err)
		return w.err;
	return w.refused ? refuse_all(&w) : w.added;
}
