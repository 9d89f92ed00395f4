/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A 64-bit ELF file of this machine, read with pread: a file that shrinks or changes under the reader gives short reads,
 * where a mapping would give SIGBUS. Every offset is checked against the file's size.
 */
#ifndef PROBE_ELF_FILE_H
#define PROBE_ELF_FILE_H

#include <elf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#ifdef __aarch64__
#define ELF_NATIVE_MACHINE EM_AARCH64
#else
#define ELF_NATIVE_MACHINE EM_X86_64
#endif

struct elf_file {
	int fd;
	struct stat st;
	uint64_t size;
	uint16_t type; /* ET_EXEC, ET_DYN */
	Elf64_Phdr *segments;
	size_t segment_count;
	Elf64_Shdr *sections;
	size_t section_count;
	char *section_names;
	size_t section_names_len;
};

/* 0 or negative errno: -ENOEXEC where it is no ELF file of this machine. */
int elf_file_open(struct elf_file *f, const char *path);
/* Also after a failed open. */
void elf_file_close(struct elf_file *f);

/* All of len bytes, or false. */
bool elf_file_read(const struct elf_file *f, uint64_t offset, void *buf, size_t len);
/* A copy with a NUL behind it, to be freed; NULL where the file does not hold all of it. */
void *elf_file_load(const struct elf_file *f, uint64_t offset, uint64_t len);

/* NULL: none of that name. */
const Elf64_Shdr *elf_file_section(const struct elf_file *f, const char *name);
/* The next section of a type (SHT_...) behind *index, which starts at 0. */
const Elf64_Shdr *elf_file_next_section(const struct elf_file *f, uint32_t type, size_t *index);
/* Its bytes as elf_file_load gives them; NULL for one that holds none, or holds them compressed. */
void *elf_file_section_load(const struct elf_file *f, const Elf64_Shdr *section, size_t *len);

/* Between addresses in the file and offsets, through the program headers. */
bool elf_file_offset(const struct elf_file *f, uint64_t address, uint64_t *offset);
bool elf_file_address(const struct elf_file *f, uint64_t offset, uint64_t *address);
/* Lowest address that is loaded: what prelinking moves. */
uint64_t elf_file_base(const struct elf_file *f);
/* Is there code? By sections where the file has them: old linkers put constants into the segment of the code. */
bool elf_file_is_code(const struct elf_file *f, uint64_t address);

/* Is it a stub of the procedure linkage table, which jumps to a function of another file? */
bool elf_file_is_plt(const struct elf_file *f, uint64_t address);

struct elf_note {
	uint32_t type;
	const char *name; /* NUL-terminated */
	const uint8_t *desc;
	size_t desc_len;
};
/* The next note of a section's or segment's bytes; *pos starts at 0. align: 4 or 8. */
bool elf_note_next(const uint8_t *data, size_t len, size_t align, size_t *pos, struct elf_note *n);

/* GNU build-id as lower-case hexadecimal digits, "" where there is none. */
#define ELF_BUILD_ID_LEN 41
void elf_file_build_id(const struct elf_file *f, char id[ELF_BUILD_ID_LEN]);

#endif
