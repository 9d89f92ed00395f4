// SPDX-License-Identifier: Apache-2.0
/* The command line of loadgen: one table makes the parser and the help. */
#include "loadgen.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

enum kind {
	FLAG,
	COUNT,
	REAL,
	TEXT,
};

struct spec {
	const char *name;
	enum kind kind;
	size_t offset; /* in struct options */
	const char *metavar;
	const char *help;
};

#define SPEC(name, kind, field, metavar, help)                             \
	{                                                                  \
		name, kind, offsetof(struct options, field), metavar, help \
	}

static const struct spec specs[] = {
	SPEC("host", TEXT, host, "ADDR", "server address, IPv4 or IPv6 (default: 127.0.0.1)"),
	SPEC("port", COUNT, port, "PORT", "server port"),
	SPEC("unix", TEXT, unix_path, "PATH", "unix socket in place of host and port"),
	SPEC("path", TEXT, path, "PATH", "what to request (default: /v1/chat/completions)"),
	SPEC("model", TEXT, model, "NAME", "model name in the request (default: none)"),
	SPEC("clients", COUNT, clients, "N", "concurrent clients (default: 1)"),
	SPEC("requests", COUNT, requests, "N", "stop after N requests (default: 1 per client)"),
	SPEC("duration", REAL, duration_s, "S", "start no request after S seconds"),
	SPEC("rate", REAL, rate, "R", "start R requests a second, where a client is free"),
	SPEC("ramp-up", REAL, ramp_up_s, "S",
	     "without --rate, spread the first requests over S seconds"),
	SPEC("max-tokens", COUNT, max_tokens, "N", "tokens to ask for (default: 32)"),
	SPEC("prompt-bytes", COUNT, prompt_bytes, "N", "length of the prompt (default: 64)"),
	SPEC("no-stream", FLAG, no_stream, NULL, "ask for plain answers"),
	SPEC("include-usage", FLAG, include_usage, NULL,
	     "ask for token counts at the end of a stream"),
	SPEC("keep-alive", FLAG, keep_alive, NULL, "use connections again (default)"),
	SPEC("close", FLAG, close, NULL, "one connection a request"),
	SPEC("abort-after", COUNT, abort_after, "N", "leave after N content events"),
	SPEC("abort-every", COUNT, abort_every, "K",
	     "leave only in each K-th request (default: 1)"),
	SPEC("timeout", REAL, timeout_s, "S", "give a request up after S seconds (default: 60)"),
	SPEC("json", TEXT, json, "FILE",
	     "one JSON line a request; - is stdout, and then no summary"),
	SPEC("progress", FLAG, progress, NULL, "progress on stderr even when it is no terminal"),
	SPEC("help", FLAG, help, NULL, "show this help"),
};
#define SPECS (sizeof(specs) / sizeof(*specs))

static void help(FILE *f)
{
	fputs("usage: loadgen --port PORT [option...]\n\n"
	      "Drives an OpenAI-shaped inference server and reports what a client on this host sees.\n\n",
	      f);
	for (size_t i = 0; i < SPECS; i++) {
		char left[40];

		snprintf(left, sizeof(left), "--%s %s", specs[i].name, specs[i].metavar ?: "");
		fprintf(f, "  %-20s %s\n", left, specs[i].help);
	}
	fputs("\nTimes count from the moment the send of the request's last byte returned.\n"
	      "Exit status: 0 all answered as asked, 1 a request failed, 2 usage.\n",
	      f);
}

static _Noreturn void usage_error(const char *what, const char *value)
{
	fprintf(stderr, "loadgen: %s %s; see loadgen --help\n", what, value);
	exit(2);
}

static void set(struct options *o, const struct spec *s, const char *value)
{
	char *field = (char *)o + s->offset, *end = NULL;

	switch (s->kind) {
	case FLAG:
		*(bool *)field = true;
		return;
	case TEXT:
		*(const char **)field = value;
		return;
	case COUNT:
		*(uint64_t *)field = strtoull(value, &end, 10);
		break;
	case REAL:
		*(double *)field = strtod(value, &end);
		break;
	}
	if (!*value || *value == '-' || *end)
		usage_error("not a number:", value);
}

static void check(struct options *o)
{
	if (!o->port && !o->unix_path)
		usage_error("give", "--port or --unix");
	if (o->close && o->keep_alive)
		usage_error("choose one of", "--close and --keep-alive");
	if (!o->clients || !o->abort_every)
		usage_error("must be 1 or more:", "--clients and --abort-every");
	if (!o->requests && o->duration_s <= 0)
		o->requests = o->clients;
}

void options_parse(struct options *o, int argc, char **argv)
{
	struct option longs[SPECS + 1] = { 0 };
	int index, c;

	*o = (struct options){
		.host = "127.0.0.1",
		.path = "/v1/chat/completions",
		.clients = 1,
		.max_tokens = 32,
		.prompt_bytes = 64,
		.abort_every = 1,
		.timeout_s = 60,
	};
	for (size_t i = 0; i < SPECS; i++)
		longs[i] = (struct option){ specs[i].name,
					    specs[i].kind == FLAG ? no_argument : required_argument,
					    NULL, 0 };
	while ((c = getopt_long(argc, argv, "", longs, &index)) != -1) {
		if (c != 0)
			exit(2);
		set(o, &specs[index], optarg);
	}
	if (o->help) {
		help(stdout);
		exit(0);
	}
	if (optind < argc)
		usage_error("unexpected argument", argv[optind]);
	check(o);
}
