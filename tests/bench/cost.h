/* SPDX-License-Identifier: Apache-2.0 */
/* What the programs that probe themselves share. */
#ifndef TESTS_BENCH_COST_H
#define TESTS_BENCH_COST_H

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static inline void die(const char *what)
{
	fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, what, strerror(errno));
	exit(1);
}

/* Of an address in this program, in its file. */
static inline uint64_t offset_of(uintptr_t at)
{
	FILE *f = fopen("/proc/self/maps", "re");
	uintptr_t from, to, offset;
	char line[512];

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %*s %" SCNxPTR, &from, &to, &offset) ==
			    3 &&
		    from <= at && at < to) {
			fclose(f);
			return at - from + offset;
		}
	die("not mapped");
	return 0;
}

#endif
