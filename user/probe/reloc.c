// SPDX-License-Identifier: Apache-2.0
#include "probe/reloc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

/* A module of methods is tens of megabytes; larger segments hold GPU code. */
#define SEGMENT_MAX (1ull << 30)

#ifdef __aarch64__
#define R_RELATIVE R_AARCH64_RELATIVE
#define R_WORD	   R_AARCH64_ABS64
#else
#define R_RELATIVE R_X86_64_RELATIVE
#define R_WORD	   R_X86_64_64
#endif

static const uint8_t *bytes_at(const struct reloc_data *d, uint64_t address, uint64_t *left)
{
	for (size_t i = 0; i < d->segment_count; i++) {
		const struct data_segment *s = &d->segments[i];

		if (address - s->address < s->len) {
			*left = s->len - (address - s->address);
			return s->bytes + (address - s->address);
		}
	}
	return NULL;
}

static bool word_at(const struct reloc_data *d, uint64_t address, uint64_t *value)
{
	uint64_t left;
	const uint8_t *p = bytes_at(d, address, &left);

	if (!p || left < sizeof(*value))
		return false;
	memcpy(value, p, sizeof(*value));
	return true;
}

static int load_segments(struct reloc_data *d, const struct elf_file *f)
{
	d->segments = calloc(f->segment_count + 1, sizeof(*d->segments));
	if (!d->segments)
		return -ENOMEM;
	for (size_t i = 0; i < f->segment_count; i++) {
		const Elf64_Phdr *p = &f->segments[i];
		struct data_segment *s = &d->segments[d->segment_count];

		if (p->p_type != PT_LOAD || !p->p_filesz)
			continue;
		if (p->p_filesz > SEGMENT_MAX)
			return -EFBIG;
		s->bytes = elf_file_load(f, p->p_offset, p->p_filesz);
		if (!s->bytes)
			continue;
		s->address = p->p_vaddr;
		s->len = p->p_filesz;
		d->segment_count++;
	}
	return 0;
}

static bool add_pointer(struct reloc_data *d, uint64_t slot, uint64_t target)
{
	struct pointer *pointers;

	if (!(d->count & (d->count - 1))) { /* full at each power of two */
		pointers = realloc(d->pointers, (d->count ? 2 * d->count : 1) * sizeof(*pointers));
		if (!pointers)
			return false;
		d->pointers = pointers;
	}
	d->pointers[d->count++] = (struct pointer){ slot, target };
	return true;
}

static bool add_rela(struct reloc_data *d, const Elf64_Rela *r, const Elf64_Sym *symbols,
		     size_t symbol_count)
{
	uint64_t target = (uint64_t)r->r_addend;

	if (ELF64_R_TYPE(r->r_info) == R_WORD) {
		size_t i = ELF64_R_SYM(r->r_info);

		if (i >= symbol_count || symbols[i].st_shndx == SHN_UNDEF)
			return true;
		target += symbols[i].st_value;
	} else if (ELF64_R_TYPE(r->r_info) != R_RELATIVE) {
		return true;
	}
	return add_pointer(d, r->r_offset, target);
}

static int read_rela(struct reloc_data *d, const struct elf_file *f)
{
	_cleanup_free_ Elf64_Sym *symbols = NULL;
	const Elf64_Shdr *s;
	size_t index = 0, symbol_len = 0;

	s = elf_file_next_section(f, SHT_DYNSYM, &index);
	if (s)
		symbols = elf_file_section_load(f, s, &symbol_len);
	if (!symbols)
		symbol_len = 0;
	index = 0;
	while ((s = elf_file_next_section(f, SHT_RELA, &index))) {
		size_t len;
		_cleanup_free_ Elf64_Rela *rela = elf_file_section_load(f, s, &len);

		for (size_t i = 0; rela && i < len / sizeof(*rela); i++)
			if (!add_rela(d, &rela[i], symbols, symbol_len / sizeof(*symbols)))
				return -ENOMEM;
	}
	return 0;
}

static bool add_relative(struct reloc_data *d, uint64_t slot)
{
	uint64_t target;

	return !word_at(d, slot, &target) || add_pointer(d, slot, target);
}

/* Packed relative relocations: an even word is an address, an odd one a map of the 63 words behind it (gABI, SHT_RELR). */
static int read_relr(struct reloc_data *d, const struct elf_file *f)
{
	const Elf64_Shdr *s;
	size_t index = 0;

	while ((s = elf_file_next_section(f, SHT_RELR, &index))) {
		size_t len;
		_cleanup_free_ uint64_t *words = elf_file_section_load(f, s, &len);
		uint64_t next = 0;

		for (size_t i = 0; words && i < len / sizeof(*words); i++) {
			uint64_t map = words[i] >> 1;

			if (!(words[i] & 1)) {
				if (!add_relative(d, words[i]))
					return -ENOMEM;
				next = words[i] + 8;
				continue;
			}
			for (uint64_t k = 0; map; k++, map >>= 1)
				if (map & 1 && !add_relative(d, next + 8 * k))
					return -ENOMEM;
			next += 8 * 63;
		}
	}
	return 0;
}

static int read_words(struct reloc_data *d, const struct elf_file *f)
{
	for (size_t i = 0; i < f->segment_count; i++) {
		const Elf64_Phdr *p = &f->segments[i];
		uint64_t target, left;

		if (p->p_type != PT_LOAD || p->p_flags & PF_X)
			continue;
		for (uint64_t at = (p->p_vaddr + 7) & ~7ull; at - p->p_vaddr + 8 <= p->p_filesz;
		     at += 8) {
			if (!word_at(d, at, &target))
				break;
			if (bytes_at(d, target, &left) && !add_pointer(d, at, target))
				return -ENOMEM;
		}
	}
	return 0;
}

static int by_slot(const void *a, const void *b)
{
	const struct pointer *x = a, *y = b;

	return (x->slot > y->slot) - (x->slot < y->slot);
}

/* Sorted, and one pointer a slot: a damaged file, or one that relocates twice, may name a slot again. */
static void order(struct reloc_data *d)
{
	size_t kept = 0;

	for (size_t i = 1; i < d->count; i++)
		if (d->pointers[i].slot < d->pointers[i - 1].slot) {
			qsort(d->pointers, d->count, sizeof(*d->pointers), by_slot);
			break;
		}
	for (size_t i = 0; i < d->count; i++)
		if (!kept || d->pointers[i].slot != d->pointers[kept - 1].slot)
			d->pointers[kept++] = d->pointers[i];
	d->count = kept;
}

int reloc_data_read(struct reloc_data *d, const struct elf_file *f)
{
	int err;

	*d = (struct reloc_data){ 0 };
	err = load_segments(d, f);
	if (!err)
		err = read_rela(d, f);
	if (!err)
		err = read_relr(d, f);
	if (!err && f->type == ET_EXEC)
		err = read_words(d, f);
	if (err)
		reloc_data_free(d);
	else
		order(d);
	return err;
}

void reloc_data_free(struct reloc_data *d)
{
	for (size_t i = 0; i < d->segment_count; i++)
		free(d->segments[i].bytes);
	free(d->segments);
	free(d->pointers);
	*d = (struct reloc_data){ 0 };
}

bool reloc_target(const struct reloc_data *d, uint64_t slot, uint64_t *target)
{
	const struct pointer key = { .slot = slot }, *p;

	p = d->count ? bsearch(&key, d->pointers, d->count, sizeof(key), by_slot) : NULL;
	if (p)
		*target = p->target;
	return p;
}

bool reloc_plain_word(const struct reloc_data *d, uint64_t address, uint64_t *value)
{
	uint64_t target;

	return !reloc_target(d, address, &target) && word_at(d, address, value);
}

const char *reloc_string(const struct reloc_data *d, uint64_t address, size_t max)
{
	uint64_t left;
	const char *s = (const char *)bytes_at(d, address, &left);

	return s && memchr(s, '\0', left < max + 1 ? left : max + 1) ? s : NULL;
}
