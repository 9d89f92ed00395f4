// SPDX-License-Identifier: Apache-2.0
/* The records of a play, told as text. */
#include "stage.h"

#include <stdio.h>

static const struct tks_data *data_of(const struct tks_header *h, enum tks_dir dir)
{
	const struct tks_data *d = (const struct tks_data *)h;

	return h->kind == TKS_KIND_DATA && d->dir == dir ? d : NULL;
}

static bool same_socket(const struct tks_data *a, const struct tks_data *b)
{
	return a->sk.id == b->sk.id && a->sk.ino == b->sk.ino;
}

/* Is it the first record of its socket in that direction? */
static bool is_first(const struct stage *s, size_t i, const struct tks_data *d)
{
	for (size_t j = 0; j < i; j++) {
		const struct tks_data *e = data_of(s->records[j], d->dir);

		if (e && same_socket(d, e))
			return false;
	}
	return true;
}

static const struct tks_data *first_of(const struct stage *s, enum tks_dir dir, size_t k)
{
	for (size_t i = 0; i < s->n; i++) {
		const struct tks_data *d = data_of(s->records[i], dir);

		if (d && is_first(s, i, d) && !k--)
			return d;
	}
	return NULL;
}

size_t stage_sockets(const struct stage *s, enum tks_dir dir)
{
	size_t n = 0;

	while (first_of(s, dir, n))
		n++;
	return n;
}

const struct tks_data *stage_first(const struct stage *s, enum tks_dir dir)
{
	const struct tks_data *d = first_of(s, dir, 0);

	assert_non_null(d);
	return d;
}

/* ------------------------------------------------------------------ a stream */

struct telling {
	char text[32768];
	size_t len;
	uint64_t base; /* position of the first byte */
	uint64_t next; /* offset of the next one, as far as records tell */
};

__attribute__((format(printf, 2, 3))) static void tell(struct telling *t, const char *fmt, ...)
{
	va_list ap;

	if (t->len && t->len < sizeof(t->text))
		t->text[t->len++] = ' ';
	va_start(ap, fmt);
	t->len += vsnprintf(t->text + t->len, sizeof(t->text) - t->len, fmt, ap);
	va_end(ap);
	assert_true(t->len < sizeof(t->text));
}

static void check_bytes(const struct stage *s, const struct tks_data *d, uint64_t at)
{
	for (uint32_t i = 0; i < d->len; i++)
		if (d->data[i] != (s->zeroes ? 0 : pattern(at + i)))
			fail_msg("byte %u of the piece at offset %llu is wrong", i,
				 (unsigned long long)at);
}

static void tell_moved(const struct stage *s, struct telling *t, const struct tks_data *d)
{
	uint64_t at = d->pos - t->base;

	if (!(d->h.flags & TKS_DATA_UNIX))
		at = (uint32_t)at;
	if (at != t->next)
		tell(t, "~%lld", (long long)(at - t->next));
	if (d->h.flags & TKS_DATA_LENGTH)
		assert_int_equal(d->len, 0);
	check_bytes(s, d, at);
	if (d->h.flags & TKS_DATA_LENGTH)
		tell(t, "L%u", d->skip);
	else if (d->skip)
		tell(t, "%u+%u", d->len, d->skip);
	else
		tell(t, "%u", d->len);
	t->next = at + d->len + d->skip;
}

const char *stage_stream(const struct stage *s, enum tks_dir dir, size_t k)
{
	static struct telling tellings[4];
	static int used;
	struct telling *t = &tellings[used++ % 4];
	const struct tks_data *first = first_of(s, dir, k);

	*t = (struct telling){ 0 };
	assert_non_null(first);
	t->base = first->pos;
	for (size_t i = 0; i < s->n; i++) {
		const struct tks_data *d = data_of(s->records[i], dir);

		if (!d || !same_socket(d, first))
			continue;
		if (d->ret > 0)
			tell_moved(s, t, d);
		else if (d->ret < 0)
			tell(t, "err%d", -d->ret);
		else
			tell(t, d->h.flags & TKS_DATA_PEEK ? "peek0" : "end");
	}
	return t->text;
}

const char *stage_only(const struct stage *s, enum tks_dir dir)
{
	size_t n = stage_sockets(s, dir);

	assert_true(n <= 1);
	return n ? stage_stream(s, dir, 0) : "";
}

/* ------------------------------------------------------------------ other records */

const struct tks_proc *stage_proc(const struct stage *s, enum tks_proc_event event, uint32_t tgid)
{
	for (size_t i = 0; i < s->n; i++) {
		const struct tks_proc *p = (const struct tks_proc *)s->records[i];

		if (p->h.kind == TKS_KIND_PROC && p->event == event && p->h.tgid == tgid)
			return p;
	}
	return NULL;
}

const struct tks_sock_state *stage_state(const struct stage *s, uint8_t new_state)
{
	for (size_t i = 0; i < s->n; i++) {
		const struct tks_sock_state *r = (const struct tks_sock_state *)s->records[i];

		if (r->h.kind == TKS_KIND_SOCK_STATE && r->new_state == new_state)
			return r;
	}
	return NULL;
}
