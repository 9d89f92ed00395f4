// SPDX-License-Identifier: Apache-2.0
#include "export/otlp_settings.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

struct word {
	const char *text;
	int value;
};

/* len bytes of text against a table that ends with a NULL. The specification asks for case-insensitive words. */
static int find_word(const struct word *words, const char *text, size_t len)
{
	for (; words->text; words++)
		if (strlen(words->text) == len && !strncasecmp(words->text, text, len))
			return words->value;
	return -EINVAL;
}

static int parse_word(const struct word *words, const char *text)
{
	return find_word(words, text, strlen(text));
}

const char *otlp_signal_name(enum otlp_signal s)
{
	static const char *const names[OTLP_SIGNALS] = { "metrics", "traces", "logs" };

	return names[s];
}

int otlp_protocol_parse(const char *word)
{
	static const struct word words[] = {
		{ "http/protobuf", OTLP_HTTP_PROTOBUF },
		{ "grpc", OTLP_GRPC },
		{ 0 },
	};

	return parse_word(words, word);
}

int otlp_compression_parse(const char *word)
{
	static const struct word words[] = {
		{ "gzip", OTLP_COMPRESSION_GZIP },
		{ "none", OTLP_COMPRESSION_NONE },
		{ 0 },
	};

	return parse_word(words, word);
}

int otlp_temporality_parse(const char *word)
{
	static const struct word words[] = {
		{ "cumulative", OTLP_CUMULATIVE },
		{ "delta", OTLP_DELTA },
		{ "lowmemory", OTLP_LOWMEMORY },
		{ 0 },
	};

	return parse_word(words, word);
}

int otlp_histogram_parse(const char *word)
{
	static const struct word words[] = {
		{ "explicit_bucket_histogram", OTLP_HISTOGRAM_EXPLICIT },
		{ "base2_exponential_bucket_histogram", OTLP_HISTOGRAM_EXPONENTIAL },
		{ 0 },
	};

	return parse_word(words, word);
}

int otlp_exporter_parse(const char *word)
{
	static const struct word words[] = {
		{ "otlp", OTLP_EXPORTER_OTLP },
		{ "none", OTLP_EXPORTER_NONE },
		{ "prometheus", OTLP_EXPORTER_NONE },
		{ "console", OTLP_EXPORTER_NONE },
		{ 0 },
	};
	static const char blanks[] = " \t";
	int result = -EINVAL;

	while (*word) {
		size_t len;
		int value;

		word += strspn(word, blanks);
		len = strcspn(word, ", \t");
		value = find_word(words, word, len);
		if (value < 0)
			return value;
		if (result != OTLP_EXPORTER_OTLP)
			result = value;
		word += len;
		word += strspn(word, blanks);
		if (*word && *word++ != ',')
			return -EINVAL;
	}
	return result;
}
