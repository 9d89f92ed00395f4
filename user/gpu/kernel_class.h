/* SPDX-License-Identifier: Apache-2.0 */
/* What a kernel does, as far as its name tells (kernel_class.def). */
#ifndef GPU_KERNEL_CLASS_H
#define GPU_KERNEL_CLASS_H

enum kernel_class {
#define KERNEL_CLASS(id, label) KERNEL_##id,
#include "gpu/kernel_class.def"
#undef KERNEL_CLASS
	KERNEL_CLASSES,
};

/* "attention": the label `class`. */
const char *kernel_class_label(enum kernel_class c);
/* By its mangled or demangled name. */
enum kernel_class kernel_class_of(const char *name);

#endif
