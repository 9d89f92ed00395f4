/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Methods of Python extensions by their static tables, which stripped modules have too. A run is one table: the methods of
 * one class, or the functions of a module.
 *
 * Layouts, in bytes from the slot that points to the method's name (seen in the binaries that tests/unit/probe_pymethod.c
 * and the facts below name; PyO3: struct PyMethodDef in src/impl_/pymethods.rs, C: struct PyMethodDef in methodobject.h):
 *
 *                           function   name's length   doc   flags
 *   C, Cython                     +8              -    +24     +16
 *   PyO3 0.22 and newer           -8             +8    +16     +32
 *   PyO3 0.21 and older          +24             +8    +32     +48
 */
#ifndef PROBE_PYMETHOD_H
#define PROBE_PYMETHOD_H

#include "probe/elf_file.h"
#include "probe/reloc.h"

#define PYMETHOD_NAME_MAX 127
#define PYCLASS_MAX	  64

struct pymethod {
	const char *name;
	uint64_t slot;	   /* address of the pointer to the name */
	uint64_t function; /* address; 0: the slot is filled when the module is loaded */
	uint64_t function_slot;
	uint32_t flags; /* METH_* */
	uint32_t run;
	bool is_c; /* a C table */
};

struct pyrun {
	size_t first, count;
	char class
		[PYCLASS_MAX]; /* of the class or the module, without what is in front of its last dot; "" unknown */
};

struct pymethods {
	struct reloc_data data;
	struct pymethod *items; /* by slot */
	size_t count;
	struct pyrun *runs;
	size_t run_count;
};

/* NULL with errno set. */
struct pymethods *pymethods_read(const struct elf_file *f);
void pymethods_free(struct pymethods *m);
/* pyclass.c: fills in the names of the classes. */
void pymethods_name_classes(struct pymethods *m);

#endif
