/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The data of an ELF file as the loader would leave it: its bytes by address, and which words hold pointers to what. Of a
 * file without relocations (not position-independent) every aligned word that is an address of the file counts.
 */
#ifndef PROBE_RELOC_H
#define PROBE_RELOC_H

#include "probe/elf_file.h"

struct data_segment {
	uint64_t address, len;
	uint8_t *bytes; /* with a NUL behind them */
};

struct pointer {
	uint64_t slot, target; /* addresses in the file */
};

struct reloc_data {
	struct data_segment *segments;
	size_t segment_count;
	struct pointer *pointers; /* by slot */
	size_t count;
};

/* 0, -ENOMEM, -EFBIG. */
int reloc_data_read(struct reloc_data *d, const struct elf_file *f);
void reloc_data_free(struct reloc_data *d);

/* What the pointer in a slot points at; false where it holds none. */
bool reloc_target(const struct reloc_data *d, uint64_t slot, uint64_t *target);
/* The 8 bytes at an address that is no pointer's; false where it is one's, or outside of the file. */
bool reloc_plain_word(const struct reloc_data *d, uint64_t address, uint64_t *value);
/* The string at an address; NULL where there is none of at most max characters. */
const char *reloc_string(const struct reloc_data *d, uint64_t address, size_t max);

#endif
