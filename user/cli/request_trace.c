// SPDX-License-Identifier: Apache-2.0
#include "cli/command.h"
#include "cli/request_print.h"
#include "cli/session.h"

struct trace {
	const struct config *config;
	struct session session;
	uint64_t shown;
};

static void on_finished(void *ctx, const struct request_record *r)
{
	struct trace *t = ctx;

	if (r->leg == LEG_INTERNAL && !t->config->internal)
		return;
	if (t->config->count && t->shown == t->config->count)
		return;
	request_print(t->config, r);
	if (++t->shown == t->config->count)
		t->session.stop = true;
}

/* What a silent loss would hide is said at the end. */
static void report_losses(const struct session *s)
{
	struct loader_failure rows[32];
	size_t count = loader_failures(s->loader, rows, 32);

	for (size_t i = 0; i < count && i < 32; i++)
		if (rows[i].count)
			log_warn("%llu x %s", (unsigned long long)rows[i].count, rows[i].help);
}

int cmd_request_trace(const struct config *c)
{
	static const struct session_ops ops = { .finished = on_finished };
	struct trace t = { .config = c };
	int err = session_open(&t.session, c, &ops, &t);

	if (err)
		return 1;
	request_print_header(c);
	err = session_run(&t.session, c->duration_s);
	report_losses(&t.session);
	session_close(&t.session);
	return err ? 1 : 0;
}
