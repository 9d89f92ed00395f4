// SPDX-License-Identifier: Apache-2.0
#include <stdlib.h>
#include <string.h>

#include "probe/internal.h"

static bool load_table(const struct elf_file *f, uint32_t type, uint64_t shift,
		       struct symbol_table *t)
{
	size_t index = 0, len;
	const Elf64_Shdr *s = elf_file_next_section(f, type, &index);

	if (!s || s->sh_entsize != sizeof(Elf64_Sym) || s->sh_link >= f->section_count)
		return false;
	t->items = elf_file_section_load(f, s, &len);
	t->count = len / sizeof(Elf64_Sym);
	t->names = elf_file_section_load(f, &f->sections[s->sh_link], &t->names_len);
	t->shift = shift;
	if (t->items && t->names && t->names_len)
		return true;
	free(t->items);
	free(t->names);
	*t = (struct symbol_table){ 0 };
	return false;
}

static void load_debug_table(struct binary *b)
{
	struct elf_file debug;

	if (debug_file_open(b, &debug) < 0)
		return;
	if (load_table(&debug, SHT_SYMTAB, elf_file_base(&b->file) - elf_file_base(&debug),
		       &b->tables[b->table_count]))
		b->table_count++;
	elf_file_close(&debug);
}

static void load_tables(struct binary *b)
{
	bool own;

	b->symbols_read = true;
	own = load_table(&b->file, SHT_SYMTAB, 0, &b->tables[0]);
	b->table_count = own;
	if (load_table(&b->file, SHT_DYNSYM, 0, &b->tables[b->table_count]))
		b->table_count++;
	if (!own)
		load_debug_table(b);
}

static bool function_symbol(const struct symbol_table *t, const Elf64_Sym *sym, struct symbol *s)
{
	unsigned int type = ELF64_ST_TYPE(sym->st_info);

	if ((type != STT_FUNC && type != STT_GNU_IFUNC) || sym->st_shndx == SHN_UNDEF ||
	    sym->st_name >= t->names_len)
		return false;
	*s = (struct symbol){
		.address = sym->st_value + t->shift,
		.size = sym->st_size,
		.name = t->names + sym->st_name,
		.indirect = type == STT_GNU_IFUNC,
	};
	return *s->name != '\0';
}

bool symbols_next(struct binary *b, struct symbol_cursor *c, struct symbol *s)
{
	if (!b->symbols_read)
		load_tables(b);
	for (; c->table < b->table_count; c->table++, c->index = 0) {
		const struct symbol_table *t = &b->tables[c->table];

		while (c->index < t->count)
			if (function_symbol(t, &t->items[c->index++], s))
				return true;
	}
	return false;
}

void symbols_free(struct binary *b)
{
	for (size_t i = 0; i < b->table_count; i++) {
		free(b->tables[i].items);
		free(b->tables[i].names);
	}
}

bool symbol_is_cold(const char *name)
{
	const char *p = strstr(name, ".cold");

	return p && (!p[5] || p[5] == '.');
}
