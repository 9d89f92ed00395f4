// SPDX-License-Identifier: Apache-2.0
/*
 * `tokscope run -- COMMAND...`: starts a program so that the CUDA driver loads libtokscope_cupti.so into it. Nothing else of the
 * program is changed: it takes this process's place, with its arguments, environment, signals and exit status.
 */
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "attach/cupti.h"
#include "cli/command.h"

#define INJECTION "CUDA_INJECTION64_PATH" /* what the driver loads in cuInit() */
#define MODE	  "TOKSCOPE_CUPTI_MODE"

/* As env(1) and the shell have them. */
#define EXIT_CANNOT_RUN 126
#define EXIT_NOT_FOUND	127

/* Where the library lies, seen from the folder of this program: in a build folder, and installed. */
static const char *const places[] = { CUPTI_LIBRARY, "../lib/tokscope/" CUPTI_LIBRARY };

static bool find_library(char path[PATH_MAX])
{
	char self[PATH_MAX], candidate[2 * PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);
	const char *folder;

	self[len < 0 ? 0 : len] = '\0';
	folder = dirname(self);
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		snprintf(candidate, sizeof(candidate), "%s/%s", folder, places[i]);
		if (realpath(candidate, path))
			return true;
	}
	log_error(CUPTI_LIBRARY " is neither beside %s nor in %s/../lib/tokscope: install it there "
				"(make install)",
		  folder, folder);
	return false;
}

static bool mode_is_good(const char *mode)
{
	if (!mode || !strcmp(mode, "graph") || !strcmp(mode, "node"))
		return true;
	log_error(
		"--mode %s: expected graph (CUDA graphs as a whole) or node (each of their kernels, "
		"which costs far more)",
		mode);
	return false;
}

/* As where a container or unit was given it already, or within another `tokscope run`. */
static bool is_ours(const char *injected, const char *library)
{
	const char *name = strrchr(injected, '/');
	char path[PATH_MAX];

	return !strcmp(name ? name + 1 : injected, CUPTI_LIBRARY) ||
	       (realpath(injected, path) && !strcmp(path, library));
}

static bool injection_is_free(const char *library)
{
	const char *other = getenv(INJECTION);

	if (!other || !*other || is_ours(other, library))
		return true;
	log_error(INJECTION
		  " is set already, to %s: the driver loads one library only; unset it, or run "
		  "the program without tokscope run",
		  other);
	return false;
}

int cmd_run(const struct config *c)
{
	char library[PATH_MAX];
	int err;

	if (!c->operand_count) {
		log_error("which program? tokscope run -- COMMAND...");
		return EXIT_USAGE;
	}
	if (!mode_is_good(c->cupti_mode))
		return EXIT_USAGE;
	if (!find_library(library) || !injection_is_free(library))
		return EXIT_CANNOT_RUN;
	if (setenv(INJECTION, library, 1) || (c->cupti_mode && setenv(MODE, c->cupti_mode, 1))) {
		log_error("out of memory");
		return EXIT_CANNOT_RUN;
	}
	execvp(c->operands[0], c->operands);
	err = errno;
	log_error("%s: %s", c->operands[0], strerror(err));
	return err == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_RUN;
}
