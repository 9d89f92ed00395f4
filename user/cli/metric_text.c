// SPDX-License-Identifier: Apache-2.0
#include "cli/metric_text.h"

#include "base/buf.h"
#include "base/log.h"

char *metric_labels_text(const struct metric_family *f, const struct snapshot_series *s)
{
	struct buf b = BUF_INIT;

	for (size_t i = f->label_count; i-- > 0;)
		if (s->values[i] && *s->values[i])
			buf_printf(&b, "%s%s=%s", b.len ? "  " : "", f->labels[i], s->values[i]);
	if (s->overflow)
		buf_puts(&b, "otel_metric_overflow=true");
	if (!b.len)
		buf_puts(&b, "(no labels)");
	if (b.err)
		buf_free(&b);
	return b.data;
}

enum metric_id metric_choose(const char *name)
{
	enum metric_id id = metric_named(name);
	const char *near;

	if (id != M_MAX)
		return id;
	near = metric_near(name);
	log_error("no metric is named '%s'%s%s%s; see tokscope metric list", name,
		  near ? "; did you mean '" : "", near ?: "", near ? "'?" : "");
	return M_MAX;
}
