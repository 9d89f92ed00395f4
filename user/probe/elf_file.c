// SPDX-License-Identifier: Apache-2.0
#include "probe/elf_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* More than any linker writes; bounds what a damaged header makes us read. */
#define SEGMENTS_MAX 4096
#define SECTIONS_MAX (1 << 20)

bool elf_file_read(const struct elf_file *f, uint64_t offset, void *buf, size_t len)
{
	size_t done = 0;

	if (offset > f->size || len > f->size - offset)
		return false;
	while (done < len) {
		ssize_t n = pread(f->fd, (char *)buf + done, len - done, (off_t)(offset + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		done += (size_t)n;
	}
	return true;
}

void *elf_file_load(const struct elf_file *f, uint64_t offset, uint64_t len)
{
	char *data;

	if (offset > f->size || len > f->size - offset)
		return NULL;
	data = malloc(len + 1);
	if (!data || !elf_file_read(f, offset, data, len)) {
		free(data);
		return NULL;
	}
	data[len] = '\0';
	return data;
}

static bool native(const Elf64_Ehdr *h)
{
	return !memcmp(h->e_ident, ELFMAG, SELFMAG) && h->e_ident[EI_CLASS] == ELFCLASS64 &&
	       h->e_ident[EI_DATA] == ELFDATA2LSB && h->e_machine == ELF_NATIVE_MACHINE &&
	       (h->e_type == ET_EXEC || h->e_type == ET_DYN);
}

/* A file without section headers is still probed by offset, and through its program headers. */
static void read_sections(struct elf_file *f, const Elf64_Ehdr *h)
{
	Elf64_Shdr first;
	uint64_t count = h->e_shnum, names = h->e_shstrndx;
	const Elf64_Shdr *strings;

	if (h->e_shentsize != sizeof(first) || !h->e_shoff ||
	    !elf_file_read(f, h->e_shoff, &first, sizeof(first)))
		return;
	/* More than 0xff00 sections: the true numbers are in the first header (System V gABI, ELF header). */
	if (!count)
		count = first.sh_size;
	if (names == SHN_XINDEX)
		names = first.sh_link;
	if (count > SECTIONS_MAX)
		return;
	f->sections = elf_file_load(f, h->e_shoff, count * sizeof(first));
	if (!f->sections)
		return;
	f->section_count = count;
	if (names >= count)
		return;
	strings = &f->sections[names];
	f->section_names = elf_file_section_load(f, strings, &f->section_names_len);
}

int elf_file_open(struct elf_file *f, const char *path)
{
	Elf64_Ehdr h;

	*f = (struct elf_file){ 0 };
	/* A name in another process's folders may be anything: never wait on a FIFO, never get a terminal. */
	f->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (f->fd < 0 || fstat(f->fd, &f->st) < 0)
		return -errno;
	if (!S_ISREG(f->st.st_mode))
		return -ENOEXEC;
	f->size = (uint64_t)f->st.st_size;
	if (!elf_file_read(f, 0, &h, sizeof(h)) || !native(&h))
		return -ENOEXEC;
	f->type = h.e_type;
	if (h.e_phnum && (h.e_phentsize != sizeof(Elf64_Phdr) || h.e_phnum > SEGMENTS_MAX))
		return -ENOEXEC;
	f->segments = elf_file_load(f, h.e_phoff, h.e_phnum * sizeof(Elf64_Phdr));
	if (!f->segments)
		return -ENOEXEC;
	f->segment_count = h.e_phnum;
	read_sections(f, &h);
	return 0;
}

void elf_file_close(struct elf_file *f)
{
	if (f->fd >= 0)
		close(f->fd);
	free(f->segments);
	free(f->sections);
	free(f->section_names);
	*f = (struct elf_file){ .fd = -1 };
}

const Elf64_Shdr *elf_file_section(const struct elf_file *f, const char *name)
{
	for (size_t i = 1; i < f->section_count; i++)
		if (f->sections[i].sh_name < f->section_names_len &&
		    !strcmp(f->section_names + f->sections[i].sh_name, name))
			return &f->sections[i];
	return NULL;
}

const Elf64_Shdr *elf_file_next_section(const struct elf_file *f, uint32_t type, size_t *index)
{
	while (++*index < f->section_count)
		if (f->sections[*index].sh_type == type)
			return &f->sections[*index];
	return NULL;
}

void *elf_file_section_load(const struct elf_file *f, const Elf64_Shdr *section, size_t *len)
{
	void *data;

	*len = 0;
	if (section->sh_type == SHT_NOBITS || section->sh_flags & SHF_COMPRESSED)
		return NULL;
	data = elf_file_load(f, section->sh_offset, section->sh_size);
	if (data)
		*len = section->sh_size;
	return data;
}

bool elf_file_offset(const struct elf_file *f, uint64_t address, uint64_t *offset)
{
	for (size_t i = 0; i < f->segment_count; i++) {
		const Elf64_Phdr *p = &f->segments[i];

		if (p->p_type != PT_LOAD || address < p->p_vaddr ||
		    address - p->p_vaddr >= p->p_filesz)
			continue;
		*offset = address - p->p_vaddr + p->p_offset;
		return *offset < f->size;
	}
	return false;
}

bool elf_file_address(const struct elf_file *f, uint64_t offset, uint64_t *address)
{
	for (size_t i = 0; i < f->segment_count; i++) {
		const Elf64_Phdr *p = &f->segments[i];

		if (p->p_type != PT_LOAD || offset < p->p_offset ||
		    offset - p->p_offset >= p->p_filesz)
			continue;
		*address = offset - p->p_offset + p->p_vaddr;
		return true;
	}
	return false;
}

uint64_t elf_file_base(const struct elf_file *f)
{
	for (size_t i = 0; i < f->segment_count; i++)
		if (f->segments[i].p_type == PT_LOAD) /* in ascending order, by the gABI */
			return f->segments[i].p_vaddr;
	return 0;
}

bool elf_file_is_code(const struct elf_file *f, uint64_t address)
{
	bool in_segment = false;

	for (size_t i = 0; i < f->segment_count; i++) {
		const Elf64_Phdr *p = &f->segments[i];

		if (p->p_type == PT_LOAD && p->p_flags & PF_X && address >= p->p_vaddr &&
		    address - p->p_vaddr < p->p_filesz)
			in_segment = true;
	}
	if (!in_segment || !f->section_count)
		return in_segment;
	for (size_t i = 1; i < f->section_count; i++) {
		const Elf64_Shdr *s = &f->sections[i];

		if (s->sh_flags & SHF_EXECINSTR && address >= s->sh_addr &&
		    address - s->sh_addr < s->sh_size)
			return true;
	}
	return false;
}

bool elf_file_is_plt(const struct elf_file *f, uint64_t address)
{
	for (size_t i = 1; i < f->section_count; i++) {
		const Elf64_Shdr *s = &f->sections[i];

		if (address - s->sh_addr < s->sh_size && s->sh_flags & SHF_EXECINSTR &&
		    s->sh_name < f->section_names_len &&
		    !strncmp(f->section_names + s->sh_name, ".plt", 4))
			return true;
	}
	return false;
}
