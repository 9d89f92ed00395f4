// SPDX-License-Identifier: Apache-2.0
// Throws through a frame that is probed at its entry and at its ret instruction. Prints "ENTRY RET" (offsets in its file, in
// hexadecimal), waits for a line, then calls 1000 times, of which 500 throw. Exit status 0: each was caught.
#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <stdexcept>

extern "C" {
void middle(long n);
extern const char middle_ret[];
void thrower(long n);
}

// A frame with unwind tables whose only return has a name.
__asm__(".text\n"
	".globl middle, middle_ret\n"
	".type middle, @function\n"
	"middle:\n"
	"	.cfi_startproc\n"
	"	push %rbp\n"
	"	.cfi_adjust_cfa_offset 8\n"
	"	call thrower\n"
	"	pop %rbp\n"
	"	.cfi_adjust_cfa_offset -8\n"
	"middle_ret:\n"
	"	ret\n"
	"	.cfi_endproc\n"
	".size middle, . - middle\n");

void thrower(long n)
{
	if (n % 2)
		throw std::runtime_error("odd");
}

static uintptr_t offset_of(const void *code)
{
	uintptr_t at = reinterpret_cast<uintptr_t>(code), from, to, offset;
	FILE *f = std::fopen("/proc/self/maps", "r");
	char line[512];

	while (f && std::fgets(line, sizeof(line), f))
		if (std::sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %*s %" SCNxPTR, &from, &to, &offset) == 3 &&
		    from <= at && at < to)
			return at - from + offset;
	return 0;
}

int main()
{
	long caught = 0;

	std::printf("%" PRIxPTR " %" PRIxPTR "\n", offset_of(reinterpret_cast<const void *>(middle)),
		    offset_of(middle_ret));
	std::fflush(stdout);
	if (std::getchar() == EOF)
		return 2;
	for (long n = 0; n < 1000; n++) {
		try {
			middle(n);
		} catch (const std::runtime_error &) {
			caught++;
		}
	}
	return caught == 500 ? 0 : 1;
}
