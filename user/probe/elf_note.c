// SPDX-License-Identifier: Apache-2.0
/* Notes: build-id, and what USDT probes are described by. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "probe/elf_file.h"

static uint64_t aligned(uint64_t value, size_t align)
{
	return (value + align - 1) & ~(uint64_t)(align - 1);
}

bool elf_note_next(const uint8_t *data, size_t len, size_t align, size_t *pos, struct elf_note *n)
{
	Elf64_Nhdr h;
	uint64_t name, desc, end;

	if (*pos > len || len - *pos < sizeof(h))
		return false;
	memcpy(&h, data + *pos, sizeof(h));
	name = *pos + sizeof(h);
	desc = aligned(name + h.n_namesz, align);
	end = desc + h.n_descsz;
	if (desc > len || end > len || !h.n_namesz || data[name + h.n_namesz - 1])
		return false;
	*n = (struct elf_note){
		.type = h.n_type,
		.name = (const char *)data + name,
		.desc = data + desc,
		.desc_len = h.n_descsz,
	};
	*pos = aligned(end, align);
	return true;
}

static bool find_build_id(const uint8_t *data, size_t len, size_t align, char *id)
{
	struct elf_note n;
	size_t pos = 0;

	while (data && elf_note_next(data, len, align, &pos, &n)) {
		if (n.type != NT_GNU_BUILD_ID || strcmp(n.name, "GNU") != 0 || !n.desc_len)
			continue;
		for (size_t i = 0; i < n.desc_len && 2 * i + 2 < ELF_BUILD_ID_LEN; i++)
			snprintf(id + 2 * i, 3, "%02x", n.desc[i]);
		return true;
	}
	return false;
}

void elf_file_build_id(const struct elf_file *f, char id[ELF_BUILD_ID_LEN])
{
	const Elf64_Shdr *s;
	size_t index = 0;

	id[0] = '\0';
	while ((s = elf_file_next_section(f, SHT_NOTE, &index))) {
		_cleanup_free_ uint8_t *data = NULL;
		size_t len;

		data = elf_file_section_load(f, s, &len);
		if (find_build_id(data, len, s->sh_addralign == 8 ? 8 : 4, id))
			return;
	}
	for (size_t i = 0; i < f->segment_count; i++) {
		const Elf64_Phdr *p = &f->segments[i];
		_cleanup_free_ uint8_t *data = NULL;

		if (p->p_type != PT_NOTE)
			continue;
		data = elf_file_load(f, p->p_offset, p->p_filesz);
		if (find_build_id(data, p->p_filesz, p->p_align == 8 ? 8 : 4, id))
			return;
	}
}
