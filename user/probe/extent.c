// SPDX-License-Identifier: Apache-2.0
/*
 * Where functions start and end: by symbol; in stripped files by the unwind information (.eh_frame), which every function
 * that an exception may cross has.
 */
#include <stdlib.h>
#include <string.h>

#include "probe/internal.h"

/* Encodings of the table that every linker writes (LSB Core, "The .eh_frame_hdr section"). */
#define PE_UDATA4	  0x03
#define PE_DATAREL_SDATA4 0x3b
#define HDR_BYTES	  12
/* DWARF 5, 7.24 */
#define DW_CFA_DEF_CFA		0x0c
#define DW_CFA_DEF_CFA_REGISTER 0x0d
#define DW_CFA_DEF_CFA_OFFSET	0x0e

struct unwind_row {
	int32_t start, fde; /* relative to the header */
};

static void load_unwind(struct binary *b)
{
	b->unwind_read = true;
	for (size_t i = 0; i < b->file.segment_count; i++) {
		const Elf64_Phdr *p = &b->file.segments[i];

		if (p->p_type != PT_GNU_EH_FRAME || p->p_filesz < HDR_BYTES)
			continue;
		b->unwind = elf_file_load(&b->file, p->p_offset, p->p_filesz);
		b->unwind_len = p->p_filesz;
		b->unwind_address = p->p_vaddr;
		return;
	}
}

static struct unwind_row unwind_row(const struct binary *b, size_t i)
{
	struct unwind_row row;

	memcpy(&row, b->unwind + HDR_BYTES + i * sizeof(row), sizeof(row));
	return row;
}

/*
 * Does the frame stand already where the code starts? Then it is entered by jumps of the function it was moved away from.
 * rules: length of the augmentation, its bytes, then instructions; one for the first address precedes any DW_CFA_advance_loc.
 */
static bool starts_within_frame(const uint8_t *rules, size_t len)
{
	size_t at = rules[0] < 0x80 ? 1 + (size_t)rules[0] : len;

	return at < len && (rules[at] == DW_CFA_DEF_CFA || rules[at] == DW_CFA_DEF_CFA_REGISTER ||
			    rules[at] == DW_CFA_DEF_CFA_OFFSET);
}

/* The FDE: length, CIE pointer, then start and length of the function, 4 or 8 bytes each, the start relative to itself. */
static bool read_fde(const struct binary *b, uint64_t fde, uint64_t start, struct extent *e)
{
	uint8_t raw[48] = { 0 };
	uint64_t offset;
	int64_t wide[2];
	int32_t narrow[2];

	if (!elf_file_offset(&b->file, fde, &offset) ||
	    !elf_file_read(&b->file, offset, raw, sizeof(raw)))
		return false;
	memcpy(narrow, raw + 8, sizeof(narrow));
	memcpy(wide, raw + 8, sizeof(wide));
	if (fde + 8 + (uint64_t)(int64_t)narrow[0] == start) {
		e->size = (uint32_t)narrow[1];
		e->cold = starts_within_frame(raw + 16, sizeof(raw) - 16);
	} else if (fde + 8 + (uint64_t)wide[0] == start) {
		e->size = (uint64_t)wide[1];
		e->cold = starts_within_frame(raw + 24, sizeof(raw) - 24);
	} else {
		return false;
	}
	return e->size > 0 && e->size <= b->file.size;
}

static bool unwind_extent(struct binary *b, uint64_t address, struct extent *e)
{
	size_t low = 0, high;
	uint32_t count;
	struct unwind_row row;
	struct extent found = { 0 };

	if (!b->unwind_read)
		load_unwind(b);
	if (!b->unwind || b->unwind[0] != 1 || b->unwind[2] != PE_UDATA4 ||
	    b->unwind[3] != PE_DATAREL_SDATA4)
		return false;
	memcpy(&count, b->unwind + 8, sizeof(count));
	high = (b->unwind_len - HDR_BYTES) / sizeof(row);
	if (count < high)
		high = count;
	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (b->unwind_address + (uint64_t)(int64_t)unwind_row(b, mid).start <= address)
			low = mid + 1;
		else
			high = mid;
	}
	if (!low)
		return false;
	row = unwind_row(b, low - 1);
	found.start = b->unwind_address + (uint64_t)(int64_t)row.start;
	if (!read_fde(b, b->unwind_address + (uint64_t)(int64_t)row.fde, found.start, &found) ||
	    address - found.start >= found.size)
		return false;
	found.name = e->name;
	found.cold |= e->cold;
	*e = found;
	return true;
}

struct neighbours {
	struct symbol at; /* the function that holds the address, or starts there without a size */
	uint64_t next;	  /* start of the next function */
};

static bool better(const struct symbol *s, const struct symbol *than)
{
	return !than->name || (s->size && !than->size) || (s->size && s->address > than->address);
}

static void find_neighbours(struct binary *b, uint64_t address, struct neighbours *n)
{
	struct symbol_cursor c = { 0 };
	struct symbol s;

	*n = (struct neighbours){ .next = UINT64_MAX };
	while (symbols_next(b, &c, &s)) {
		if (s.address > address && s.address < n->next)
			n->next = s.address;
		if (s.address > address ||
		    (s.size ? address - s.address >= s.size : address != s.address))
			continue;
		if (better(&s, &n->at))
			n->at = s;
	}
}

bool binary_extent(struct binary *b, uint64_t address, struct extent *e)
{
	struct neighbours n;

	find_neighbours(b, address, &n);
	*e = (struct extent){ .start = n.at.address, .size = n.at.size, .name = n.at.name };
	e->cold = n.at.name && symbol_is_cold(n.at.name);
	if (n.at.name && n.at.size)
		return n.at.size <= b->file.size;
	if (unwind_extent(b, address, e))
		return true;
	if (!n.at.name || n.next == UINT64_MAX || n.next - address > b->file.size)
		return false;
	e->size = n.next - address;
	return true;
}
