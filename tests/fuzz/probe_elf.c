// SPDX-License-Identifier: Apache-2.0
/* A damaged ELF file in front of the whole resolver: any result is fine, but every offset lies in the file. */
#include "fuzz.h"

#include <sys/mman.h>
#include <unistd.h>

#include "probe/resolve.h"

static const struct {
	enum target_kind kind;
	enum target_at at;
	const char *pattern;
} targets[] = {
	{ TARGET_SYMBOL, AT_ENTRY, "f*" },
	{ TARGET_SYMBOL, AT_RETURN, "*" },
	{ TARGET_DEMANGLED, AT_ENTRY, "*::f(*" },
	{ TARGET_PYMETHOD, AT_ENTRY, "run" },
	{ TARGET_PYMETHOD, AT_RETURN, "Engine.run" },
	{ TARGET_USDT, AT_ENTRY, "*" },
	{ TARGET_OFFSET, AT_ENTRY, "0x1004" },
	{ TARGET_OFFSET, AT_RETURN, "0x1000" },
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct sites sites = { 0 };
	struct binary *b;
	char path[64];
	int fd = memfd_create("probe_elf", MFD_CLOEXEC);

	fuzz_check(fd >= 0 && write(fd, data, len) == (ssize_t)len);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	b = binary_open(path, "/nonexistent");
	for (size_t i = 0; b && i < sizeof(targets) / sizeof(targets[0]); i++) {
		const struct target t = { .kind = targets[i].kind,
					  .at = targets[i].at,
					  .pattern = targets[i].pattern };

		resolve(b, &t, &sites);
	}
	for (size_t i = 0; i < sites.count; i++)
		if (!sites.items[i].refused)
			fuzz_check(sites.items[i].offset < len && sites.items[i].insn[0]);
	sites_free(&sites);
	binary_close(b);
	close(fd);
	return 0;
}
