// SPDX-License-Identifier: Apache-2.0
#include "cli/request_print.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/clock.h"
#include "cli/output.h"
#include "export/record_json.h"

#define LINE "%-8s %-10.10s %-21.21s %-24.24s %-4s %-8s %9s %9s %9s %9s %6s %6s  %s\n"

void request_print_header(const struct config *c)
{
	if (c->json || c->pretty)
		return;
	printf(LINE, "TIME", "ENGINE", "ADDRESS", "ROUTE", "CODE", "OUTCOME", "TTFT", "ITL P50",
	       "ITL P99", "DURATION", "IN", "OUT", "MODEL");
	fflush(stdout);
}

static void print_json(const struct config *c, const struct request_record *r)
{
	struct buf b = BUF_INIT;

	record_json_write(&b, r);
	if (c->pretty && !b.err)
		output_json(c, json_loads(b.data, 0, NULL));
	else if (!b.err)
		fputs(b.data, stdout);
	buf_free(&b);
}

static char *count(char *out, size_t len, int64_t n)
{
	if (n < 0)
		snprintf(out, len, "-");
	else
		snprintf(out, len, "%" PRId64, n);
	return out;
}

static void print_line(const struct request_record *r)
{
	char when[16] = "-", address[128] = "-", code[24], in[24], out[24];
	char ttft[16], p50[16], p99[16], duration[16];
	const char *model = *r->response_model ? r->response_model : r->request_model;

	if (r->time_ns) {
		time_t t = r->time_ns / NSEC_PER_SEC;
		struct tm tm;

		strftime(when, sizeof(when), "%H:%M:%S", localtime_r(&t, &tm));
	}
	if (r->server)
		output_address(address, sizeof(address), r->server->address, r->server->port);
	printf(LINE, when, r->server ? r->server->engine : "-", address,
	       r->route ? r->route->pattern : "-",
	       count(code, sizeof(code), r->status ? r->status : -1), outcome_name(r->outcome),
	       output_duration(ttft, r->ttft_s), output_duration(p50, r->itl_p50_s),
	       output_duration(p99, r->itl_p99_s), output_duration(duration, r->duration_s),
	       count(in, sizeof(in), r->input_tokens), count(out, sizeof(out), r->output_tokens),
	       *model ? model : "-");
}

void request_print(const struct config *c, const struct request_record *r)
{
	if (c->json || c->pretty)
		print_json(c, r);
	else
		print_line(r);
	fflush(stdout);
}
