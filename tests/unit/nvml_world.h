/* SPDX-License-Identifier: Apache-2.0 */
/* A folder with a fake NVML's answers (tests/nvml/fake_nvml.c) and a /proc, for tests of user/gpu/nvml*. */
#ifndef TESTS_NVML_WORLD_H
#define TESTS_NVML_WORLD_H

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "folder.h"

struct nvml_world {
	char folder[64];
	char library[PATH_MAX]; /* the fake's folder */
};

/* Makes the folders on the way to it, too. */
static void write_file(const struct nvml_world *w, const char *name, const char *text)
{
	char path[PATH_MAX];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", w->folder, name);
	for (char *at = strchr(path + 1, '/'); at; at = strchr(at + 1, '/')) {
		*at = '\0';
		mkdir(path, 0700);
		*at = '/';
	}
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

/* Under another name first: the fake reads it at any time. */
static void answer(const struct nvml_world *w, const char *text)
{
	char from[PATH_MAX], to[PATH_MAX];

	write_file(w, "next", text);
	snprintf(from, sizeof(from), "%s/next", w->folder);
	snprintf(to, sizeof(to), "%s/answers", w->folder);
	assert_int_equal(rename(from, to), 0);
}

/* The Makefile builds the fake beside the folder of this program. */
static void find_library(struct nvml_world *w)
{
	ssize_t n = readlink("/proc/self/exe", w->library, sizeof(w->library) - 1);

	assert_true(n > 0);
	for (int i = 0; i < 2; i++)
		*strrchr(w->library, '/') = '\0';
	strncat(w->library, "/nvml", sizeof(w->library) - strlen(w->library) - 1);
}

static int open_world(void **state)
{
	static struct nvml_world w;
	char answers[PATH_MAX];

	memset(&w, 0, sizeof(w));
	find_library(&w);
	snprintf(w.folder, sizeof(w.folder), "/tmp/tokscope-nvml-XXXXXX");
	if (!mkdtemp(w.folder))
		return -1;
	snprintf(answers, sizeof(answers), "%s/answers", w.folder);
	setenv("FAKE_NVML", answers, 1);
	*state = &w;
	return 0;
}

static int close_world(void **state)
{
	const struct nvml_world *w = *state;

	return folder_remove(w->folder);
}

#define WITH_WORLD(test) cmocka_unit_test_setup_teardown(test, open_world, close_world)

#endif
