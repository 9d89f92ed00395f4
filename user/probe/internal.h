/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the resolver share. */
#ifndef PROBE_INTERNAL_H
#define PROBE_INTERNAL_H

#include "probe/binary.h"
#include "probe/elf_file.h"
#include "probe/resolve.h"

struct pymethods;

/* .symtab, .dynsym, or the .symtab of the separate debug file. */
struct symbol_table {
	Elf64_Sym *items;
	size_t count;
	char *names;
	size_t names_len;
	uint64_t
		shift; /* to be added to its addresses: the file was prelinked after the debug file was split off */
};
#define SYMBOL_TABLES 3

struct binary {
	struct elf_file file;
	char *path;
	char *root; /* "" for "/" */
	char build_id[ELF_BUILD_ID_LEN];
	bool symbols_read;
	struct symbol_table tables[SYMBOL_TABLES];
	size_t table_count;
	bool unwind_read;
	uint8_t *unwind; /* .eh_frame_hdr */
	size_t unwind_len;
	uint64_t unwind_address;
	struct pymethods *pymethods; /* read when the first method is asked for */
};

/* debug_file.c: the separate debug file that belongs to b. 0 or -ENOENT. */
int debug_file_open(const struct binary *b, struct elf_file *debug);

/* symbols.c: functions only, each table in turn; an address may come several times. */
struct symbol {
	uint64_t address;
	uint64_t size; /* 0: unknown */
	const char *name;
	bool indirect; /* STT_GNU_IFUNC: the address is that of the function that chooses one */
};
struct symbol_cursor {
	size_t table, index;
};
bool symbols_next(struct binary *b, struct symbol_cursor *c, struct symbol *s);
void symbols_free(struct binary *b);
/* The part of a function that the compiler has moved away from it: never a function of its own. */
bool symbol_is_cold(const char *name);

/* extent.c: the function that an address lies in. */
struct extent {
	uint64_t start, size;
	const char *name; /* NULL: known by its unwind information only */
	bool cold;
};
bool binary_extent(struct binary *b, uint64_t address, struct extent *e);
/* Its bytes, to be freed; NULL where the file does not hold them. */
uint8_t *binary_code(const struct binary *b, uint64_t address, uint64_t size);

/* place.c: fills in offset, insn, cost, refused of a site whose function starts at `address`. -ENOMEM or 0. */
int place_entry(struct binary *b, uint64_t address, uint64_t size, struct site *s);
/* Likewise for exactly this place, which must be the start of an instruction of the function. */
int place_exact(struct binary *b, const struct extent *function, uint64_t address, struct site *s);

/* returns.c: adds one site for each way out of the function, or one that says why they are not known. */
int returns_add(struct binary *b, const struct extent *function, const char *name,
		struct sites *out);

/* sites.c */
/* Takes over s; one that is there already is dropped. Returns how many were added, or -ENOMEM: s is freed. */
int sites_take(struct sites *out, struct site *s);
int sites_copy(struct sites *out, const struct site *s);
void site_free(struct site *s);
int site_refuse(struct site *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Sites of one function as `at` asks for them. function->name may be NULL. Returns how many were added. */
int sites_of_function(struct binary *b, const struct extent *function, enum target_at at,
		      const char *name, struct sites *out);

/* usdt.c, pymethod_find.c: as resolve(). */
int usdt_resolve(struct binary *b, const struct target *t, struct sites *out);
int pymethod_resolve(struct binary *b, const struct target *t, struct sites *out);
void pymethods_free(struct pymethods *m);

/* usdt_arg.c: the next argument of a note ("-4@%edi"), moves *text behind it. False at the end. One that the steps cannot
 * say has none: its first is TKS_PROBE_END. */
bool usdt_arg_parse(const char **text, struct usdt_arg *arg);
/* regs.c: offset in struct pt_regs of a register as an assembler writes it, and how many bytes of it are meant;
 * -ENOENT for others. */
int regs_by_name(const char *name, size_t len, unsigned int *bytes);

#endif
