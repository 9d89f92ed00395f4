// SPDX-License-Identifier: Apache-2.0
/* The packs inside the binary: the YAML as it is, put in by the assembler. Built from the root of the tree. */
#include "probe/pack.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"

#define BUILTIN(symbol, file)                             \
	__asm__(".pushsection .rodata\n"                  \
		".global tks_pack_" #symbol "\n"          \
		"tks_pack_" #symbol ":\n"                 \
		".incbin \"user/probe/packs/" file "\"\n" \
		".byte 0\n"                               \
		".popsection\n");                         \
	extern const char tks_pack_##symbol[];
#include "probe/packs.def"
#undef BUILTIN

static const char *const texts[] = {
#define BUILTIN(symbol, file) tks_pack_##symbol,
#include "probe/packs.def"
#undef BUILTIN
};

int packs_builtin(struct packs *p)
{
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		char *error;
		int err = packs_load_text(p, "built in", texts[i], strlen(texts[i]), &error);

		if (!err)
			continue;
		log_error("%s", error ? error : strerror(-err));
		free(error);
		return err;
	}
	return 0;
}
