// SPDX-License-Identifier: Apache-2.0
/* USDT: probes that a program declares itself, by notes in .note.stapsdt. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "probe/insn.h"
#include "probe/internal.h"
#include "probe/pattern.h"

#define NT_STAPSDT 3

struct probe_note {
	uint64_t address, semaphore;
	const char *provider, *name, *args;
};

/* Three addresses, then three strings. base: where .stapsdt.base lies now; the note says where it lay when it was written. */
static bool read_note(const struct elf_note *n, uint64_t base, struct probe_note *p)
{
	uint64_t words[3], moved;
	const char *text = (const char *)n->desc + sizeof(words);
	size_t len = n->desc_len - sizeof(words);
	const char *strings[3];

	if (n->type != NT_STAPSDT || strcmp(n->name, "stapsdt") != 0 ||
	    n->desc_len <= sizeof(words))
		return false;
	memcpy(words, n->desc, sizeof(words));
	for (int i = 0; i < 3; i++) {
		const char *end = memchr(text, '\0', len);

		if (!end)
			return false;
		strings[i] = text;
		len -= (size_t)(end + 1 - text);
		text = end + 1;
	}
	moved = base && words[1] ? base - words[1] : 0;
	*p = (struct probe_note){
		.address = words[0] + moved,
		.semaphore = words[2] ? words[2] + moved : 0,
		.provider = strings[0],
		.name = strings[1],
		.args = strings[2],
	};
	return true;
}

static int read_args(const char *text, struct site *s)
{
	struct usdt_arg arg;

	s->args = calloc(USDT_ARGS_MAX, sizeof(*s->args));
	if (!s->args)
		return -ENOMEM;
	while (s->arg_count < USDT_ARGS_MAX && usdt_arg_parse(&text, &arg))
		s->args[s->arg_count++] = arg;
	return 0;
}

static int place_note(struct binary *b, const struct probe_note *p, struct site *s)
{
	_cleanup_free_ uint8_t *code = NULL;
	uint64_t len = INSN_MAX;
	struct insn insn;

	if (!elf_file_is_code(&b->file, p->address) ||
	    !elf_file_offset(&b->file, p->address, &s->offset))
		return site_refuse(s, "its address 0x%lx is not in the file's code",
				   (unsigned long)p->address);
	s->function = s->offset;
	if (p->semaphore && !elf_file_offset(&b->file, p->semaphore, &s->semaphore))
		return site_refuse(s, "its semaphore is not in the file");
	if (len > b->file.size - s->offset)
		len = b->file.size - s->offset;
	code = binary_code(b, p->address, len);
	if (!code || !insn_decode(code, len, &insn))
		return site_refuse(s, "there is no instruction");
	s->cost = insn.cost;
	memcpy(s->insn, insn.name, sizeof(s->insn));
	return insn.refused ? site_refuse(s, "it is on %s", insn.refused) : 0;
}

static int add_note(struct binary *b, const struct probe_note *p, const char *name,
		    struct sites *out)
{
	struct site s = { 0 };
	int err;

	s.name = strdup(name);
	err = s.name ? read_args(p->args, &s) : -ENOMEM;
	if (!err)
		err = place_note(b, p, &s);
	if (err) {
		site_free(&s);
		return err;
	}
	return sites_take(out, &s);
}

int usdt_resolve(struct binary *b, const struct target *t, struct sites *out)
{
	const Elf64_Shdr *notes = elf_file_section(&b->file, ".note.stapsdt");
	const Elf64_Shdr *base = elf_file_section(&b->file, ".stapsdt.base");
	_cleanup_free_ uint8_t *data = NULL;
	struct elf_note n;
	struct probe_note p;
	struct pattern pattern;
	size_t len, pos = 0;
	int added = 0;

	if (!notes)
		return 0;
	data = elf_file_section_load(&b->file, notes, &len);
	pattern_init(&pattern, t->pattern, false);
	while (data && elf_note_next(data, len, 4, &pos, &n)) {
		char name[256];
		int err;

		if (!read_note(&n, base ? base->sh_addr : 0, &p))
			continue;
		snprintf(name, sizeof(name), "%s:%s", p.provider, p.name);
		if (!pattern_matches(&pattern, name))
			continue;
		err = add_note(b, &p, name, out);
		if (err < 0)
			return err;
		added += err;
	}
	return added;
}
