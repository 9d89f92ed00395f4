// SPDX-License-Identifier: Apache-2.0
#include "probe/pattern.h"

#include <ctype.h>
#include <fnmatch.h>
#include <libiberty/demangle.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

/* Longer names are left mangled: what they expand to can be larger by orders of magnitude. */
#define MANGLED_MAX 4096

/* Identifiers that mangled names abbreviate or spell otherwise (Itanium C++ ABI 5.1; Rust v0 mangling). */
static const char *const respelled[] = {
	"operator", "std",    "string",	 "basic_string", "allocator", "istream",   "ostream",
	"iostream", "lambda", "closure", "shim",	 "anonymous", "namespace", "as",
};

static bool is_respelled(const char *word, size_t len)
{
	for (size_t i = 0; i < sizeof(respelled) / sizeof(respelled[0]); i++)
		if (strlen(respelled[i]) == len && !memcmp(respelled[i], word, len))
			return true;
	return false;
}

static bool in_identifier(char c)
{
	return isalnum((unsigned char)c) || c == '_';
}

/* The last identifier of the function's name: in front of its parameters, outside of template arguments. */
static void find_word(struct pattern *p)
{
	int depth = 0;

	for (size_t i = 0; i < p->len;) {
		size_t len = 0;

		if (p->text[i] == '(' && !depth && strncmp(p->text + i, "(anonymous", 10) != 0)
			return;
		depth += p->text[i] == '<' ? 1 : p->text[i] == '>' ? -1 : 0;
		while (in_identifier(p->text[i + len]))
			len++;
		if (len && !depth && len < sizeof(p->word) && !is_respelled(p->text + i, len)) {
			memcpy(p->word, p->text + i, len);
			p->word[len] = '\0';
		}
		i += len ? len : 1;
	}
}

void pattern_init(struct pattern *p, const char *text, bool demangled)
{
	*p = (struct pattern){
		.text = text,
		.len = strlen(text),
		.prefix_len = strcspn(text, "*?["),
		.demangled = demangled,
		.whole = strchr(text, '('),
	};
	p->glob = p->prefix_len < p->len;
	if (demangled)
		find_word(p);
}

char *demangle(const char *name)
{
	if (name[0] != '_' || (name[1] != 'Z' && name[1] != 'R') || strlen(name) > MANGLED_MAX)
		return NULL;
	return cplus_demangle(name, DMGL_PARAMS | DMGL_ANSI | DMGL_RET_DROP | DMGL_AUTO);
}

static bool matches_text(const struct pattern *p, const char *name, char end)
{
	if (strncmp(name, p->text, p->prefix_len) != 0)
		return false;
	if (p->glob)
		return !fnmatch(p->text, name, 0);
	return !name[p->len] || name[p->len] == end;
}

bool pattern_matches(const struct pattern *p, const char *name)
{
	_cleanup_free_ char *plain = NULL;

	if (!p->demangled)
		return matches_text(p, name, '@');
	if (!strstr(name, p->word))
		return false;
	plain = demangle(name);
	if (!plain)
		return matches_text(p, name, '@');
	if (!p->glob && strstr(plain, " [clone ")) /* a part or a copy of the function */
		return false;
	return matches_text(p, plain, p->whole ? '\0' : '(');
}
