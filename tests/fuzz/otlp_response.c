// SPDX-License-Identifier: Apache-2.0
/* What a collector answers, read as a response and as a status: bounded, printable, or refused. */
#include "fuzz.h"

#include <errno.h>
#include <math.h>

#include "export/otlp_encode.h"

static void check_message(const char *message, size_t size)
{
	size_t len = strnlen(message, size);

	fuzz_check(len < size);
	for (size_t i = 0; i < len; i++)
		fuzz_check(message[i] >= ' ' && message[i] <= '~');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct otlp_partial p;
	struct otlp_status s;
	int err;

	err = otlp_decode_response(data, len, &p);
	fuzz_check(!err || err == -EBADMSG);
	fuzz_check(!err || (!p.rejected && !*p.message));
	check_message(p.message, sizeof(p.message));

	err = otlp_decode_status(data, len, &s);
	fuzz_check(!err || err == -EBADMSG);
	fuzz_check(!err || (!s.code && !*s.message && isnan(s.retry_s)));
	fuzz_check(isnan(s.retry_s) || s.retry_s >= 0);
	check_message(s.message, sizeof(s.message));
	return 0;
}
