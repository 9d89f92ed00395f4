// SPDX-License-Identifier: Apache-2.0
#include "cli/hist_draw.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "cli/output.h"

#define ROWS_MAX  24
#define BAR_WIDTH 32

/* ------------------------------------------------------------------ film */

static uint64_t slot_count(const struct hist *h, int32_t slot)
{
	int64_t i = (int64_t)slot - h->exp_first;

	return i >= 0 && i < h->exp_len ? h->exp[i] : 0;
}

/* now - before, as far as drawing needs it: slots, count. */
static int difference(struct hist *out, const struct hist *now, const struct hist *before)
{
	if (hist_copy(out, now))
		return -ENOMEM;
	if (!before->count)
		return 0;
	out->count -= before->count;
	out->sum -= before->sum;
	out->zero -= before->zero;
	for (uint32_t i = 0; i < out->exp_len; i++)
		out->exp[i] -= slot_count(before, out->exp_first + (int32_t)i);
	return 0;
}

int hist_film_add(struct hist_film *f, const struct hist *now)
{
	struct hist *frame = &f->frame[f->frames % HEAT_COLUMNS];

	if (f->frames >= HEAT_COLUMNS)
		hist_free(frame);
	if (difference(frame, now, &f->last)) {
		memset(frame, 0, sizeof(*frame));
		return -ENOMEM;
	}
	f->frames++;
	hist_free(&f->last);
	if (!hist_copy(&f->last, now))
		return 0;
	memset(&f->last, 0, sizeof(f->last));
	return -ENOMEM;
}

static size_t frames_kept(const struct hist_film *f)
{
	return f->frames < HEAT_COLUMNS ? f->frames : HEAT_COLUMNS;
}

void hist_film_free(struct hist_film *f)
{
	for (size_t i = 0; i < frames_kept(f); i++)
		hist_free(&f->frame[i]);
	hist_free(&f->last);
	memset(f, 0, sizeof(*f));
}

/* ------------------------------------------------------------------ picture */

/* Slots first .. first + rows * step - 1, `step` of them a row. */
struct scale {
	int32_t first;
	int32_t step;
	int rows;
};

static bool scale_of(const struct hist *h, struct scale *s)
{
	int64_t low = -1, high = -1;

	for (uint32_t i = 0; i < h->exp_len; i++) {
		if (!h->exp[i])
			continue;
		low = low < 0 ? i : low;
		high = i;
	}
	if (low < 0)
		return false;
	s->step = 1;
	while ((high - low) / s->step + 2 > ROWS_MAX)
		s->step *= 2;
	/* Rows begin at multiples of the step, so that they stay where they are while the histogram grows. */
	s->first = (int32_t)floor((double)(h->exp_first + low) / s->step) * s->step;
	s->rows = (int)((h->exp_first + high - s->first) / s->step) + 1;
	return true;
}

static uint64_t row_count(const struct hist *h, const struct scale *s, int row)
{
	uint64_t n = 0;

	for (int32_t i = 0; i < s->step; i++)
		n += slot_count(h, s->first + row * s->step + i);
	return n;
}

static uint64_t fullest_row(const struct hist *h, const struct scale *s)
{
	uint64_t most = 1;

	for (int row = 0; row < s->rows; row++)
		if (row_count(h, s, row) > most)
			most = row_count(h, s, row);
	return most;
}

static char *value_text(char buf[16], double v, const char *unit)
{
	if (!strcmp(unit, "s"))
		return output_duration(buf, v);
	snprintf(buf, 16, "%.4g", v);
	return buf;
}

static void draw_bar(FILE *out, uint64_t n, uint64_t most)
{
	int width = n ? 1 + (int)((BAR_WIDTH - 1) * n / most) : 0;

	for (int i = 0; i < BAR_WIDTH; i++)
		fputc(i < width ? '#' : ' ', out);
}

/* Darkness of a cell: its part of the fullest cell of its interval. */
static void draw_heat(FILE *out, const struct hist_film *f, const struct scale *s, int row)
{
	static const char shades[] = " .:-=+*%@";
	size_t kept = frames_kept(f), first = f->frames - kept;

	for (size_t i = 0; i < kept; i++) {
		const struct hist *h = &f->frame[(first + i) % HEAT_COLUMNS];
		uint64_t n = row_count(h, s, row);
		size_t shade = n * (sizeof(shades) - 2) / fullest_row(h, s);

		fputc(n && !shade ? shades[1] : shades[shade], out);
	}
}

void hist_draw_summary(FILE *out, const struct hist *h, const char *unit)
{
	static const double quantiles[] = { 0.5, 0.9, 0.99 };
	char text[16];

	fprintf(out, "  count %llu", (unsigned long long)h->count);
	fprintf(out, "  mean %s", value_text(text, h->count ? h->sum / h->count : NAN, unit));
	for (size_t i = 0; i < 3; i++)
		fprintf(out, "  p%g %s", quantiles[i] * 100,
			value_text(text, hist_quantile(h, quantiles[i]), unit));
	fprintf(out, "  max %s\n", value_text(text, h->max, unit));
}

void hist_draw(FILE *out, const struct hist_film *f, const char *unit)
{
	const struct hist *h = &f->last;
	struct scale s;
	uint64_t most;

	hist_draw_summary(out, h, unit);
	if (h->zero)
		fprintf(out, "  %21s %llu\n", "0 |", (unsigned long long)h->zero);
	if (!scale_of(h, &s))
		return;
	most = fullest_row(h, &s);
	for (int row = 0; row < s.rows; row++) {
		char low[16], high[16];
		int32_t first = s.first + row * s.step;
		uint64_t n = row_count(h, &s, row);

		fprintf(out, "  %8s..%-9s |", value_text(low, hist_upper(first - 1), unit),
			value_text(high, hist_upper(first + s.step - 1), unit));
		draw_bar(out, n, most);
		fprintf(out, "| %-9llu |", (unsigned long long)n);
		draw_heat(out, f, &s, row);
		fputs("|\n", out);
	}
}
