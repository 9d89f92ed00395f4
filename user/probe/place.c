// SPDX-License-Identifier: Apache-2.0
/*
 * Where in a function a probe on its entry is cheapest and safe: on every path, before anything that a probe reads has
 * changed, and where no jump of the function itself arrives again (design.md 4).
 */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "probe/insn.h"
#include "probe/internal.h"

/* Far enough for endbr64, a patchable entry and a guard in front of the first push or jump. */
#define ENTRY_BYTES 64
/* Of larger functions, jumps are looked for in this much only: a loop back into the prologue is near it. */
#define SCAN_MAX (1u << 20)

const char *site_cost_name(enum site_cost c)
{
	static const char *const names[] = {
		[COST_NOP] = "nop",
		[COST_EMULATED] = "emulated",
		[COST_STEPPED] = "stepped",
	};

	return names[c];
}

/* Does a direct jump of the function arrive at code + at? Code that cannot be decoded to its end may hide one. */
static bool jumped_to(const uint8_t *code, size_t len, size_t at)
{
	struct insn insn;

	for (size_t pos = 0; pos < len; pos += insn.length) {
		if (!insn_decode(code + pos, len - pos, &insn))
			return true;
		if ((insn.flow == FLOW_JUMP || insn.flow == FLOW_BRANCH) &&
		    (int64_t)pos + insn.target == (int64_t)at)
			return true;
	}
	return false;
}

static void take_place(struct site *s, const struct insn *insn, uint64_t offset)
{
	s->offset = offset;
	s->cost = insn->cost;
	memcpy(s->insn, insn->name, sizeof(s->insn));
}

/*
 * The first emulated instruction behind harmless ones; where there is none, the first that a probe may be put on. Returns
 * its position; *first is the entry instruction where none will do.
 */
static bool choose(const uint8_t *code, size_t len, bool whole, struct insn *chosen, size_t *at)
{
	struct insn insn;
	bool found = false;

	for (size_t pos = 0; pos < len && pos < ENTRY_BYTES; pos += insn.length) {
		bool cheap, usable;

		if (!insn_decode(code + pos, len - pos, &insn))
			break;
		cheap = !insn.refused && insn.cost != COST_STEPPED;
		usable = !insn.refused && (!pos || !whole || !jumped_to(code, len, pos));
		if (!pos)
			*chosen = insn;
		if (usable && (!found || cheap)) {
			*chosen = insn;
			*at = pos;
			found = true;
			if (cheap)
				break;
		}
		if (!insn.harmless)
			break;
	}
	return found;
}

int place_entry(struct binary *b, uint64_t address, uint64_t size, struct site *s)
{
	_cleanup_free_ uint8_t *code = NULL;
	bool whole = size && size <= SCAN_MAX;
	uint64_t len = whole ? size : ENTRY_BYTES, offset;
	struct insn insn = { 0 };
	size_t at = 0;

	s->size = size <= UINT32_MAX ? (uint32_t)size : 0;
	if (!elf_file_is_code(&b->file, address) || !elf_file_offset(&b->file, address, &offset))
		return site_refuse(s, "its address 0x%lx is not in the file's code",
				   (unsigned long)address);
	s->function = s->offset = offset;
	if (len > b->file.size - offset)
		len = b->file.size - offset;
	code = binary_code(b, address, len);
	if (!code)
		return site_refuse(s, "its code cannot be read");
	if (choose(code, len, whole, &insn, &at)) {
		take_place(s, &insn, offset + at);
		return 0;
	}
	if (!insn.length)
		return site_refuse(s, "its first bytes are no instruction");
	take_place(s, &insn, offset);
	return site_refuse(s, "it starts with %s",
			   insn.refused ? insn.refused : "an instruction that jumps back to it");
}

int place_exact(struct binary *b, const struct extent *function, uint64_t address, struct site *s)
{
	_cleanup_free_ uint8_t *code = binary_code(b, function->start, function->size);
	size_t at = address - function->start, pos = 0;
	struct insn insn;

	s->size = function->size <= UINT32_MAX ? (uint32_t)function->size : 0;
	if (!elf_file_offset(&b->file, function->start, &s->function) ||
	    !elf_file_offset(&b->file, address, &s->offset) || !code)
		return site_refuse(s, "its code cannot be read");
	for (;; pos += insn.length) {
		if (pos > at || !insn_decode(code + pos, function->size - pos, &insn))
			return site_refuse(s, "it is not the start of an instruction");
		if (pos == at)
			break;
	}
	take_place(s, &insn, s->offset);
	return insn.refused ? site_refuse(s, "%s", insn.refused) : 0;
}
