/* SPDX-License-Identifier: Apache-2.0 */
/* Passwords against their bcrypt hashes. Not thread-safe. */
#ifndef EXPORT_WEB_AUTH_H
#define EXPORT_WEB_AUTH_H

#include <stdbool.h>

#include "export/web_config.h"

struct web_auth;

struct web_auth *web_auth_new(void); /* NULL: out of memory, or no randomness */
void web_auth_free(struct web_auth *a);
/*
 * Whether this is the password of one of the users. A name that is not there takes as long as a wrong password. What was found out is
 * kept, under a keyed hash of name, password and bcrypt hash, because bcrypt is slow by design: 50 ms at cost 10.
 */
bool web_auth_check(struct web_auth *a, const struct web_pairs *users, const char *name,
		    const char *password);
/* The cost of a bcrypt hash: it takes 2^cost rounds. -EINVAL: it is none that crypt(3) knows. */
int web_auth_cost(const char *hash);
/* How often bcrypt was computed. */
unsigned long web_auth_computed(const struct web_auth *a);

#endif
