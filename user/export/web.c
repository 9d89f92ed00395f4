// SPDX-License-Identifier: Apache-2.0
#include "export/web.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/cleanup.h"
#include "base/log.h"

#define OPTION	"--web.config.file"
#define FILES	4 /* the configuration, certificate, key, the clients' CA */
#define RECHECK NSEC_PER_SEC

struct stamp {
	dev_t dev;
	ino_t ino;
	off_t size;
	struct timespec mtime, ctime;
};

struct web {
	char *path;
	struct web_settings *current;
	struct stamp stamps[FILES];
	struct web_auth *auth;
	uint64_t next_check_ns;
	char *error; /* the last one that was logged; NULL: the file was good */
};

/* ------------------------------------------------------------------ files */

/* Zero where there is no such file. */
static struct stamp stamp_of(const char *path)
{
	struct stat st;

	if (!path || stat(path, &st))
		return (struct stamp){ 0 };
	return (struct stamp){ st.st_dev, st.st_ino, st.st_size, st.st_mtim, st.st_ctim };
}

static bool same_time(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static bool same(const struct stamp *a, const struct stamp *b)
{
	return a->dev == b->dev && a->ino == b->ino && a->size == b->size &&
	       same_time(a->mtime, b->mtime) && same_time(a->ctime, b->ctime);
}

static void stamp_certificates(const struct web_tls_config *c, struct stamp stamps[FILES])
{
	stamps[1] = stamp_of(c->cert_file);
	stamps[2] = stamp_of(c->key_file);
	stamps[3] = stamp_of(c->client_ca_file);
}

static bool changed(const struct web *w)
{
	struct stamp now[FILES] = { stamp_of(w->path) };

	stamp_certificates(&w->current->config.tls, now);
	for (int i = 0; i < FILES; i++)
		if (!same(&now[i], &w->stamps[i]))
			return true;
	return false;
}

/* ------------------------------------------------------------------ settings */

void web_settings_put(struct web_settings *s)
{
	if (!s || --s->refs)
		return;
	web_tls_free(s->tls);
	web_config_free(&s->config);
	free(s);
}

struct web_settings *web_settings_get(struct web *w)
{
	w->current->refs++;
	return w->current;
}

const struct web_settings *web_settings(const struct web *w)
{
	return w->current;
}

struct web_auth *web_auth(struct web *w)
{
	return w->auth;
}

/* A file is stamped before it is read, so that a change in between is found the next time. */
static int fill(struct web_settings *s, const char *path, struct stamp stamps[FILES], char **error)
{
	int err;

	stamps[0] = stamp_of(path);
	err = web_config_read(&s->config, path, error);
	if (err || !s->config.has_tls)
		return err;
	stamp_certificates(&s->config.tls, stamps);
	s->tls = web_tls_new(&s->config.tls, error);
	return s->tls ? 0 : *error ? -EINVAL : -ENOMEM;
}

static struct web_settings *load(const char *path, struct stamp stamps[FILES], char **error)
{
	struct web_settings *s = calloc(1, sizeof(*s));
	int err;

	*error = NULL;
	memset(stamps, 0, FILES * sizeof(*stamps));
	if (!s)
		return NULL;
	s->refs = 1;
	err = fill(s, path, stamps, error);
	if (!err)
		return s;
	web_settings_put(s);
	errno = -err;
	return NULL;
}

/* ------------------------------------------------------------------ life */

static void complain(struct web *w, char *error)
{
	const char *text = error ?: "out of memory";

	if (!w->error || strcmp(w->error, text))
		log_error("%s; the web configuration read before stays in force", text);
	free(w->error);
	w->error = error ?: strdup(text);
}

static void replace(struct web *w, struct web_settings *s, const struct stamp stamps[FILES])
{
	web_settings_put(w->current);
	w->current = s;
	memcpy(w->stamps, stamps, sizeof(w->stamps));
	free(w->error);
	w->error = NULL;
	log_info("read the web configuration %s again", w->path);
}

void web_refresh(struct web *w, uint64_t monotonic_ns)
{
	struct stamp stamps[FILES];
	struct web_settings *s;
	char *error;

	if (monotonic_ns < w->next_check_ns)
		return;
	w->next_check_ns = monotonic_ns + RECHECK;
	if (!w->error && !changed(w))
		return;
	s = load(w->path, stamps, &error);
	if (s && !s->tls != !w->current->tls) {
		web_settings_put(s);
		s = NULL;
		if (asprintf(&error, "%s: tls_server_config was %s: that needs a restart", w->path,
			     w->current->tls ? "taken out" : "added") < 0)
			error = NULL;
	}
	if (s)
		replace(w, s, stamps);
	else
		complain(w, error);
}

struct web *web_open(const char *path)
{
	struct web *w = calloc(1, sizeof(*w));
	_cleanup_free_ char *error = NULL;
	int err = ENOMEM;

	if (!w)
		return NULL;
	w->path = strdup(path);
	w->auth = web_auth_new();
	if (w->path && w->auth) {
		w->current = load(path, w->stamps, &error);
		err = w->current ? 0 : errno;
	}
	if (!err)
		return w;
	log_error("%s; correct it or choose another file with " OPTION, error ?: strerror(err));
	web_free(w);
	errno = err;
	return NULL;
}

void web_free(struct web *w)
{
	if (!w)
		return;
	web_settings_put(w->current);
	web_auth_free(w->auth);
	free(w->path);
	free(w->error);
	free(w);
}
