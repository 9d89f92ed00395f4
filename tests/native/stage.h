/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A stage for the kernel side: a child process plays a scene with known bytes on real sockets, the parent (which is
 * the agent here) selects it and reads its records. A stream is then told as text, which a test compares as a whole:
 *
 *   1000           a piece of 1000 bytes, each of them right
 *   65024+500      a piece, then 500 bytes that were not captured
 *   L500           500 bytes by length only
 *   ~500           a jump of the position that no record explains
 *   end, peek0     a receive of 0 bytes; the same by MSG_PEEK
 *   err32          errno 32
 */
#ifndef TESTS_NATIVE_STAGE_H
#define TESTS_NATIVE_STAGE_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>

#include <cmocka.h>

#include "load/loader.h"

/* What a scene tells its test, in memory that both share. */
struct notes {
	int family;   /* of the sockets, set by the test */
	pid_t worker; /* another process of the scene */
	uint16_t port;
	uint64_t count;
	struct tks_tcp tcp;
};

struct stage {
	struct loader *loader;
	const struct tks_header **records;
	size_t n, cap;
	uint64_t lost_before[32];
	uint64_t lost[32];
	struct notes *notes;
	int to_parent[2], to_child[2];
	pid_t child;
	bool zeroes;			/* all bytes of the scene are 0, else pattern() */
	bool deaf;			/* read no records while the scene plays */
	void (*on_cue)(struct stage *); /* from the second cue on */
};

/* The byte at offset `at` of every stream. */
static inline uint8_t pattern(size_t at)
{
	return (uint32_t)at * 0x9e3779b1u >> 24;
}

/* ------------------------------------------------------------------ for main */

/* Puts a test into the table for the backend; its initial state is the stage. */
struct test {
	const char *name;
	void (*run)(void **state);
};
/* Loads the backend and runs each test on it. One skipped test stands for a backend that cannot be loaded; its name says why. */
int stage_run_tests(enum socket_backend backend, const struct test *tests, size_t n);
/* The same on every backend. Returns the number of failed tests. */
int stage_run_on_all(const struct test *tests, size_t n);

/* ------------------------------------------------------------------ for tests */

/* Plays the scene in a child that is selected at its first cue; returns when it has ended and all is read. */
void stage_play(struct stage *s, void (*scene)(struct stage *));
/* Reads what is in the ring. */
void stage_read(struct stage *s);
/* Number of sockets with data records in this direction, in order of appearance; and the stream of number k. */
size_t stage_sockets(const struct stage *s, enum tks_dir dir);
const char *stage_stream(const struct stage *s, enum tks_dir dir, size_t k);
/* The stream of the one socket there is; "" when there is none. */
const char *stage_only(const struct stage *s, enum tks_dir dir);
/* First data record of that direction; fails without one. */
const struct tks_data *stage_first(const struct stage *s, enum tks_dir dir);
/* The first record of this event of tgid, or NULL. */
const struct tks_proc *stage_proc(const struct stage *s, enum tks_proc_event event, uint32_t tgid);
/* The record of the first change into that state, or NULL. */
const struct tks_sock_state *stage_state(const struct stage *s, uint8_t new_state);
/* What the failure counter of that stage grew by during the play. */
uint64_t stage_lost(const struct stage *s, const char *label);
bool stage_is(const struct stage *s, enum socket_backend backend);
/* fentry or kprobe: hooks in the functions that move the bytes, whoever calls them. */
bool stage_in_functions(const struct stage *s);

/* ------------------------------------------------------------------ for scenes */

/* The scene is ready: at the first cue it gets selected, at later ones s->on_cue runs. */
void cue(struct stage *s);

#endif
