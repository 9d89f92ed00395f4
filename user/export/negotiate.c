// SPDX-License-Identifier: Apache-2.0
/* Which exposition format answers an Accept header. */
#include "export/prometheus.h"

#include "export/accept.h"

/* How well a media range names a format: 0 not at all; an exact type beats type wildcard, which beats a bare wildcard. */
enum match {
	MATCH_NONE,
	MATCH_ANY,
	MATCH_TYPE,
	MATCH_EXACT,
};

/* A parameter that tells variants of a media type apart: a range that names it must name one of these. */
struct parameter {
	const char *name;
	const char *values[3];
};

static const struct format {
	const char *media_type, *type_wildcard;
	struct parameter parameters[2];
	const char *content_type;
} formats[] = {
	[EXPOSITION_TEXT] = {
		.media_type = "text/plain",
		.type_wildcard = "text/*",
		.parameters = { { "version", { "0.0.4" } } },
		.content_type = "text/plain; version=0.0.4; charset=utf-8",
	},
	[EXPOSITION_OPENMETRICS] = {
		.media_type = "application/openmetrics-text",
		.type_wildcard = "application/*",
		.parameters = { { "version", { "1.0.0", "0.0.1" } } },
		.content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=underscores",
	},
	[EXPOSITION_PROTOBUF] = {
		.media_type = "application/vnd.google.protobuf",
		.type_wildcard = "application/*",
		.parameters = { { "proto", { "io.prometheus.client.MetricFamily" } },
				{ "encoding", { "delimited" } } },
		.content_type = "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited",
	},
};
#define FORMATS	   (sizeof(formats) / sizeof(formats[0]))
#define PARAMETERS (sizeof(formats[0].parameters) / sizeof(formats[0].parameters[0]))

static enum match match_format(const struct format *f, const struct accept_item *item)
{
	if (accept_is(item, "*/*"))
		return MATCH_ANY;
	if (accept_is(item, f->type_wildcard))
		return MATCH_TYPE;
	if (!accept_is(item, f->media_type))
		return MATCH_NONE;
	for (size_t i = 0; i < PARAMETERS && f->parameters[i].name; i++)
		if (!accept_parameter_in(item, f->parameters[i].name, f->parameters[i].values))
			return MATCH_NONE;
	return MATCH_EXACT;
}

/* What one header says about one format: the most specific range decides (RFC 9110, 12.5.1). */
struct verdict {
	enum match match;
	int q;
};

static struct verdict judge(const struct format *f, const char *accept)
{
	struct verdict best = { MATCH_NONE, 0 };
	struct accept_item item;

	while (accept_next(&accept, &item)) {
		enum match match = match_format(f, &item);

		if (match == MATCH_NONE || match < best.match)
			continue;
		if (match > best.match || item.q > best.q)
			best = (struct verdict){ match, item.q };
	}
	return best;
}

enum exposition exposition_negotiate(const char *accept)
{
	struct verdict best = { MATCH_NONE, 0 };
	enum exposition chosen = EXPOSITION_TEXT;

	for (size_t i = 0; accept && i < FORMATS; i++) {
		struct verdict v = judge(&formats[i], accept);

		if (!v.q || v.q < best.q || (v.q == best.q && v.match <= best.match))
			continue;
		best = v;
		chosen = i;
	}
	return chosen;
}

const char *exposition_content_type(enum exposition e)
{
	return formats[e].content_type;
}
