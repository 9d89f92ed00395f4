// SPDX-License-Identifier: Apache-2.0
/* First bytes of a connection as the input has them; then the same as the path of a request. */
#include "fuzz.h"
#include "wire/classify.h"
#include "wire/route.h"

static enum protocol classify(const uint8_t *data, size_t len)
{
	uint8_t *copy = malloc(len ? len : 1); /* a sanitizer sees reads beyond it */
	enum protocol p;

	if (!copy)
		abort();
	memcpy(copy, data, len);
	p = classify_bytes(copy, len);
	free(copy);
	return p;
}

/* More bytes never change an answer, and CLASSIFY_MAX are enough for one. */
static void check_classify(const uint8_t *data, size_t len)
{
	enum protocol last = PROTOCOL_MORE;

	for (size_t n = 0; n <= len && n <= 2 * CLASSIFY_MAX; n++) {
		enum protocol p = classify(data, n);

		fuzz_check(last == PROTOCOL_MORE || p == last);
		fuzz_check(n < CLASSIFY_MAX || p != PROTOCOL_MORE);
		fuzz_check(protocol_name(p));
		last = p;
	}
}

/* The model is a segment of the path; in a smaller buffer it is cut. */
static void check_model(enum http1_method method, const char *path, const struct route *route)
{
	char model[256], cut[8];

	fuzz_check(route_match(method, path, model, sizeof(model)) == route);
	fuzz_check(!strchr(model, '/') && strstr(path, model));
	fuzz_check(!model[0] || (route && strstr(route->pattern, "{model}")));
	memset(cut, 'x', sizeof(cut));
	fuzz_check(route_match(method, path, cut, sizeof(cut)) == route);
	fuzz_check(strlen(cut) == (strlen(model) < sizeof(cut) ? strlen(model) : sizeof(cut) - 1));
	fuzz_check(!strncmp(cut, model, strlen(cut)));
}

static void check_route(const uint8_t *data, size_t len)
{
	char path[257];
	size_t n = len < sizeof(path) - 1 ? len : sizeof(path) - 1;

	memcpy(path, data, n);
	path[n] = '\0';
	for (enum http1_method m = HTTP1_METHOD_OTHER; m <= HTTP1_CONNECT; m++) {
		const struct route *route = route_match(m, path, NULL, 0);

		fuzz_check(!route || m == HTTP1_POST || m == HTTP1_PUT);
		fuzz_check(!route || route->dialect < DIALECT_MAX);
		fuzz_check(!route || path[0] == '/');
		check_model(m, path, route);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	check_classify(data, len);
	check_route(data, len);
	return 0;
}
