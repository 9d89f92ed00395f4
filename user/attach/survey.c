// SPDX-License-Identifier: Apache-2.0
#include "attach/survey.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Some 60 probes, each in a few files of one engine's processes. */
#define CACHED_TARGETS 1024

/* ------------------------------------------------------------------ files */

bool file_ids_have(const struct file_ids *ids, struct file_id id)
{
	for (size_t i = 0; i < ids->count; i++)
		if (ids->items[i].inode == id.inode && ids->items[i].device == id.device)
			return true;
	return false;
}

int file_ids_add(struct file_ids *ids, struct file_id id)
{
	struct file_id *items = reallocarray(ids->items, ids->count + 1, sizeof(*items));

	if (!items)
		return -ENOMEM;
	ids->items = items;
	ids->items[ids->count++] = id;
	return 0;
}

void file_ids_free(struct file_ids *ids)
{
	free(ids->items);
	*ids = (struct file_ids){ 0 };
}

static int file_ids_copy(struct file_ids *to, const struct file_ids *from)
{
	*to = (struct file_ids){ 0 };
	for (size_t i = 0; i < from->count; i++)
		if (file_ids_add(to, from->items[i]))
			return -ENOMEM;
	return 0;
}

/* ------------------------------------------------------------------ one survey */

void survey_free(struct survey *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->count; i++) {
		free(s->found[i].path);
		sites_free(&s->found[i].sites);
	}
	free(s->found);
	file_ids_free(&s->files);
	free(s);
}

struct surveyor {
	const struct packs *packs;
	bool full, many;
	struct site_cache *cache; /* the thread's own */
	pthread_t thread;
	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t wake;
	bool stop;
	struct job *jobs, **jobs_end;
	struct survey *done, **done_end;
};

/* A file of the process, opened when the first probe wants it. */
struct candidate {
	struct surveyor *surveyor;
	const struct mapped_file *file;
	uint32_t pid;
	struct binary *binary;
	bool failed;
};

static struct binary *candidate_open(struct candidate *c)
{
	char root[32];

	if (c->binary || c->failed)
		return c->binary;
	snprintf(root, sizeof(root), "/proc/%u/root", c->pid);
	c->binary = binary_open(c->file->path, root);
	c->failed = !c->binary;
	return c->binary;
}

/* The patterns are names of one function in different versions: the first that is there counts, unless all are meant. */
static void find_sites(const struct pack_probe *p, struct candidate *c, struct sites *sites)
{
	for (size_t i = 0; i < p->pattern_count; i++) {
		struct target t = { .kind = p->kind,
				    .at = p->at,
				    .pattern = p->patterns[i],
				    .pid = c->pid,
				    .load_bias = c->file->load_bias };

		if (site_cache_resolve(c->surveyor->cache, c->binary, &t, sites) > 0 && !p->all)
			return;
	}
}

static int keep(struct survey *s, struct found *f, const struct mapped_file *file)
{
	struct found *all = reallocarray(s->found, s->count + 1, sizeof(*all));

	if (all)
		s->found = all;
	f->path = strdup(file->path);
	if (!all || !f->path) {
		free(f->path);
		sites_free(&f->sites);
		return -ENOMEM;
	}
	s->found[s->count++] = *f;
	return 0;
}

static int look(struct survey *s, const struct pack *pack, const struct pack_probe *p,
		struct candidate *c)
{
	struct found f = { .pack = pack, .probe = p, .file = { c->file->device, c->file->inode } };

	if (!pack_wants_file(p, c->file->name) || !candidate_open(c) ||
	    !pack_when_holds(&p->when, c->binary))
		return 0;
	find_sites(p, c, &f.sites);
	return f.sites.count ? keep(s, &f, c->file) : 0;
}

static bool pack_applies(const struct surveyor *s, const struct pack *pack, const char *engine)
{
	return (s->many || !pack->many) && (!pack->engine || !strcmp(pack->engine, engine));
}

static int look_at_file(struct surveyor *surveyor, struct survey *s, const char *engine,
			const struct mapped_file *file)
{
	const struct packs *packs = surveyor->packs;
	struct candidate c = { .surveyor = surveyor, .file = file, .pid = s->pid };
	int err = file_ids_add(&s->files, (struct file_id){ file->device, file->inode });

	for (size_t i = 0; !err && i < packs->count; i++) {
		const struct pack *pack = &packs->items[i];

		if (!pack_applies(surveyor, pack, engine))
			continue;
		for (size_t k = 0; !err && k < pack->probe_count; k++)
			if (surveyor->full || !pack->probes[k].full)
				err = look(s, pack, &pack->probes[k], &c);
	}
	binary_close(c.binary);
	return err;
}

static struct survey *survey_process(struct surveyor *surveyor, uint32_t pid, const char *engine,
				     const struct file_ids *known)
{
	struct survey *s = calloc(1, sizeof(*s));
	struct mapped_files files = { 0 };

	if (!s)
		return NULL;
	s->pid = pid;
	s->err = mapped_files_read(&files, "/proc", pid);
	for (size_t i = 0; !s->err && i < files.count; i++) {
		const struct mapped_file *f = &files.items[i];

		if (!file_ids_have(known, (struct file_id){ f->device, f->inode }))
			s->err = look_at_file(surveyor, s, engine, f);
	}
	mapped_files_free(&files);
	return s;
}

/* ------------------------------------------------------------------ the thread */

struct job {
	uint32_t pid;
	char *engine;
	struct file_ids known;
	struct job *next;
};

static void job_free(struct job *j)
{
	if (!j)
		return;
	free(j->engine);
	file_ids_free(&j->known);
	free(j);
}

/* Waits for one; NULL: it is time to end. */
static struct job *next_job(struct surveyor *s)
{
	struct job *j = NULL;

	pthread_mutex_lock(&s->lock);
	while (!s->stop && !s->jobs)
		pthread_cond_wait(&s->wake, &s->lock);
	if (!s->stop) {
		j = s->jobs;
		s->jobs = j->next;
		if (!s->jobs)
			s->jobs_end = &s->jobs;
	}
	pthread_mutex_unlock(&s->lock);
	return j;
}

static void hand_over(struct surveyor *s, struct survey *survey)
{
	if (!survey)
		return; /* no memory: the process is asked for again */
	pthread_mutex_lock(&s->lock);
	*s->done_end = survey;
	s->done_end = &survey->next;
	pthread_mutex_unlock(&s->lock);
}

static void *work(void *arg)
{
	struct surveyor *s = arg;
	struct job *j;

	while ((j = next_job(s))) {
		hand_over(s, survey_process(s, j->pid, j->engine, &j->known));
		job_free(j);
	}
	return NULL;
}

static void release(struct surveyor *s)
{
	site_cache_free(s->cache);
	free(s);
}

struct surveyor *surveyor_new(const struct packs *packs, bool full, bool many)
{
	struct surveyor *s = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return NULL;
	s->cache = site_cache_new(CACHED_TARGETS);
	if (!s->cache) {
		release(s);
		errno = ENOMEM;
		return NULL;
	}
	s->packs = packs;
	s->full = full;
	s->many = many;
	s->jobs_end = &s->jobs;
	s->done_end = &s->done;
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->wake, NULL);
	err = pthread_create(&s->thread, NULL, work, s);
	if (!err)
		return s;
	release(s);
	errno = err;
	return NULL;
}

void surveyor_free(struct surveyor *s)
{
	struct survey *done;

	if (!s)
		return;
	pthread_mutex_lock(&s->lock);
	s->stop = true;
	pthread_cond_signal(&s->wake);
	pthread_mutex_unlock(&s->lock);
	pthread_join(s->thread, NULL);
	while (s->jobs) {
		struct job *j = s->jobs;

		s->jobs = j->next;
		job_free(j);
	}
	while ((done = surveyor_take(s)))
		survey_free(done);
	pthread_cond_destroy(&s->wake);
	pthread_mutex_destroy(&s->lock);
	release(s);
}

int surveyor_ask(struct surveyor *s, uint32_t pid, const char *engine, const struct file_ids *known)
{
	struct job *j = calloc(1, sizeof(*j));

	if (!j)
		return -ENOMEM;
	j->pid = pid;
	j->engine = strdup(engine);
	if (!j->engine || file_ids_copy(&j->known, known)) {
		job_free(j);
		return -ENOMEM;
	}
	pthread_mutex_lock(&s->lock);
	*s->jobs_end = j;
	s->jobs_end = &j->next;
	pthread_cond_signal(&s->wake);
	pthread_mutex_unlock(&s->lock);
	return 0;
}

struct survey *surveyor_take(struct surveyor *s)
{
	struct survey *done;

	pthread_mutex_lock(&s->lock);
	done = s->done;
	if (done) {
		s->done = done->next;
		done->next = NULL;
		if (!s->done)
			s->done_end = &s->done;
	}
	pthread_mutex_unlock(&s->lock);
	return done;
}
