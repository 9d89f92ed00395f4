// SPDX-License-Identifier: Apache-2.0
#include "export/web_auth.h"

#include <crypt.h>
#include <ctype.h>
#include <errno.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <stdlib.h>
#include <string.h>

#define BCRYPT_LEN 60 /* "$2y$10$", 22 characters of salt, 31 of hash */
#define COST_MIN   4  /* below it bcrypt is not defined */
#define DIGEST_LEN 32 /* of SHA-256 */
/* Scrapers, persons, and their typing errors. Kept apart, so that guesses do not push out what is right. */
#define KEPT 64

struct kept {
	unsigned char digests[KEPT][DIGEST_LEN];
	unsigned int count; /* ever kept; the oldest is replaced */
};

struct web_auth {
	unsigned char key[DIGEST_LEN]; /* random, of this process */
	struct kept right, wrong;
	unsigned long computed;
	struct crypt_data crypt;
};

struct web_auth *web_auth_new(void)
{
	struct web_auth *a = calloc(1, sizeof(*a));

	if (a && !gnutls_rnd(GNUTLS_RND_KEY, a->key, sizeof(a->key)))
		return a;
	free(a);
	return NULL;
}

void web_auth_free(struct web_auth *a)
{
	if (!a)
		return;
	explicit_bzero(a, sizeof(*a));
	free(a);
}

static bool is_kept(const struct kept *k, const unsigned char *digest)
{
	unsigned int n = k->count < KEPT ? k->count : KEPT;
	bool found = false;

	for (unsigned int i = 0; i < n; i++)
		found |= !gnutls_memcmp(k->digests[i], digest, DIGEST_LEN);
	return found;
}

static void keep(struct kept *k, const unsigned char *digest)
{
	memcpy(k->digests[k->count++ % KEPT], digest, DIGEST_LEN);
}

/* The texts with their ends: no two triples have one digest. */
static bool make_digest(const struct web_auth *a, const char *name, const char *hash,
			const char *password, unsigned char *digest)
{
	gnutls_hmac_hd_t hmac;
	bool ok;

	if (gnutls_hmac_init(&hmac, GNUTLS_MAC_SHA256, a->key, sizeof(a->key)))
		return false;
	ok = !gnutls_hmac(hmac, name, strlen(name) + 1) &&
	     !gnutls_hmac(hmac, hash, strlen(hash) + 1) &&
	     !gnutls_hmac(hmac, password, strlen(password) + 1);
	gnutls_hmac_deinit(hmac, digest);
	return ok;
}

static bool matches(struct web_auth *a, const char *password, const char *hash)
{
	const char *got = crypt_r(password, hash, &a->crypt);
	bool same = got && strlen(got) == strlen(hash) && !gnutls_memcmp(got, hash, strlen(hash));

	explicit_bzero(&a->crypt, sizeof(a->crypt));
	a->computed++;
	return same;
}

int web_auth_cost(const char *hash)
{
	int cost;

	if (strlen(hash) != BCRYPT_LEN || hash[0] != '$' || hash[1] != '2' ||
	    !strchr("aby", hash[2]) || hash[3] != '$' || !isdigit((unsigned char)hash[4]) ||
	    !isdigit((unsigned char)hash[5]) || hash[6] != '$')
		return -EINVAL;
	for (const char *c = hash + 7; *c; c++)
		if (!isalnum((unsigned char)*c) && *c != '.' && *c != '/')
			return -EINVAL;
	cost = (hash[4] - '0') * 10 + hash[5] - '0';
	return cost >= COST_MIN ? cost : -EINVAL;
}

/* NULL: there is no such user. */
static const char *hash_of(const struct web_pairs *users, const char *name)
{
	for (size_t i = 0; i < users->count; i++)
		if (!strcmp(name, users->items[i].name))
			return users->items[i].value;
	return NULL;
}

bool web_auth_check(struct web_auth *a, const struct web_pairs *users, const char *name,
		    const char *password)
{
	const char *hash = hash_of(users, name);
	unsigned char digest[DIGEST_LEN];
	bool right;

	if (!users->count || !make_digest(a, name, hash ?: "", password, digest))
		return false;
	if (is_kept(&a->right, digest))
		return true;
	if (is_kept(&a->wrong, digest))
		return false;
	right = matches(a, password, hash ?: users->items[0].value) && hash;
	keep(right ? &a->right : &a->wrong, digest);
	return right;
}

unsigned long web_auth_computed(const struct web_auth *a)
{
	return a->computed;
}
