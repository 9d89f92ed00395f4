/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which sites of the packs are in the files of a process: found out in a thread of its own, because a large library takes
 * longer to read than the ring buffer waits.
 */
#ifndef ATTACH_SURVEY_H
#define ATTACH_SURVEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "probe/cache.h"
#include "probe/pack.h"

struct file_id {
	dev_t device;
	ino_t inode;
};

struct file_ids {
	struct file_id *items;
	size_t count;
};
bool file_ids_have(const struct file_ids *ids, struct file_id id);
/* 0 or -ENOMEM. */
int file_ids_add(struct file_ids *ids, struct file_id id);
void file_ids_free(struct file_ids *ids);

/* The sites of one probe in one file. */
struct found {
	const struct pack *pack;
	const struct pack_probe *probe;
	char *path; /* to open the file here */
	struct file_id file;
	struct sites sites;
};

struct survey {
	uint32_t pid;
	int err; /* negative errno: the process's maps could not be read; -ESRCH, -ENOENT: it is gone */
	struct file_ids files; /* those that were looked at now */
	struct found *found;
	size_t count;
	struct survey *next; /* the surveyor's */
};
void survey_free(struct survey *s);

struct surveyor;

/*
 * packs must outlive it. full: probes that are not attached by default, too. many: packs of many places, too. NULL with errno
 * set.
 */
struct surveyor *surveyor_new(const struct packs *packs, bool full, bool many);
/* Waits for the survey under way. */
void surveyor_free(struct surveyor *s);

/*
 * Asks for the process's files except those of `known`. engine: label tokscope_server of its server. Returns 0 or -ENOMEM.
 */
int surveyor_ask(struct surveyor *s, uint32_t pid, const char *engine,
		 const struct file_ids *known);
/* A finished survey, to be freed; NULL: none. */
struct survey *surveyor_take(struct surveyor *s);

#endif
