// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "wire/answer_state.h"

/* No count is that large: sums of some stay far from overflow, here and in the counters that take them. */
#define COUNT_MAX (1ll << 40)

/* Whether a value holds anything: not null, false, "", [] or {}. */
static bool is_something(const struct json_value *v)
{
	switch (v->type) {
	case JSON_NULL:
	case JSON_FALSE:
	case JSON_CLOSE:
		return false;
	case JSON_STRING:
		return v->len > 0;
	default:
		return true;
	}
}

static bool is_model_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c && strchr("._:/@+-", c));
}

static bool is_reason_char(char c)
{
	return (c >= 'a' && c <= 'z') || c == '_';
}

/* A name is taken whole or not at all: a cut or cleaned one would be another name. */
static bool take_name(char *dst, size_t max, const struct json_value *v, bool (*allowed)(char c))
{
	size_t len = v->text ? strlen(v->text) : 0;

	if (v->type != JSON_STRING || !len || len > max)
		return false;
	for (size_t i = 0; i < len; i++)
		if (!allowed(v->text[i]))
			return false;
	memcpy(dst, v->text, len + 1);
	return true;
}

static bool text_is(const struct json_value *v, const char *text)
{
	return v->type == JSON_STRING && v->text && !strcmp(v->text, text);
}

static bool text_ends(const struct json_value *v, const char *end)
{
	size_t len = v->type == JSON_STRING && v->text ? strlen(v->text) : 0;

	return len >= strlen(end) && !strcmp(v->text + len - strlen(end), end);
}

static void take_finish(struct answer *a, const struct json_value *v)
{
	take_name(a->facts.finish_reason, ANSWER_REASON_MAX, v, is_reason_char);
}

/* "response.*" events carry a status from the start; only the last ones are a reason to end. */
static void take_status(struct answer *a, const struct json_value *v)
{
	if (!a->status_why && !text_is(v, "in_progress") && !text_is(v, "queued"))
		take_finish(a, v);
}

static void take_type(struct answer *a, const struct json_value *v)
{
	a->now.delta_type = text_ends(v, ".delta");
	if (text_is(v, "error") || text_is(v, "response.failed"))
		a->now.error = true;
	if (text_is(v, "message_stop") || text_is(v, "response.completed") ||
	    text_is(v, "response.incomplete") || text_is(v, "response.failed"))
		a->now.done = true;
}

/* The index may come after the content in the same choice, so this is known at its end only. */
static void choice_end(struct answer *a)
{
	if (a->now.choice_content)
		a->now.choices |= 1u << answer_slot(a->number[ROLE_CHOICE_INDEX]);
	a->now.choice_content = false;
	a->number[ROLE_CHOICE_INDEX] = -1;
}

static void take_number(struct answer *a, enum role role, const struct json_value *v)
{
	if (v->type != JSON_NUMBER || v->number < 0 || v->number > COUNT_MAX)
		return;
	a->number[role] = v->number;
	if (role == ROLE_OUTPUT)
		a->now.output = v->number;
	if (role == ROLE_INDEX && v->number > 0)
		a->many = true;
}

static void take_text(struct answer *a, enum role role, const struct json_value *v)
{
	switch (role) {
	case ROLE_MODEL:
		take_name(a->facts.model, ANSWER_MODEL_MAX, v, is_model_char);
		break;
	case ROLE_FINISH:
		take_finish(a, v);
		break;
	case ROLE_STATUS:
		take_status(a, v);
		break;
	case ROLE_STATUS_WHY:
		a->status_why |=
			take_name(a->facts.finish_reason, ANSWER_REASON_MAX, v, is_reason_char);
		break;
	case ROLE_TYPE:
		take_type(a, v);
		break;
	case ROLE_OBJECT:
		a->now.error |= text_is(v, "error");
		break;
	default:
		break;
	}
}

static void take_presence(struct answer *a, enum role role, const struct json_value *v)
{
	bool something = is_something(v);

	switch (role) {
	case ROLE_CONTENT:
		a->now.content |= something;
		break;
	case ROLE_CHOICE_CONTENT:
		a->now.choice_content |= something;
		break;
	case ROLE_CHOICE:
		if (v->type == JSON_CLOSE)
			choice_end(a);
		break;
	case ROLE_DELTA:
		a->now.delta |= v->type == JSON_STRING && something;
		break;
	case ROLE_GROWING:
		a->now.text_len = v->len;
		break;
	case ROLE_ERROR:
		a->now.error |= something;
		break;
	case ROLE_DONE: /* a flag, or TGI's whole text, which may be empty */
		a->now.done |= v->type == JSON_TRUE || v->type == JSON_STRING;
		break;
	case ROLE_STREAM:
		if (v->type == JSON_TRUE || v->type == JSON_FALSE)
			a->facts.stream = v->type == JSON_TRUE;
		break;
	default:
		break;
	}
}

void answer_value(void *ctx, const struct json_field *field, const struct json_value *v)
{
	enum role role = field->role;

	if (role < ROLE_NUMBERS)
		take_number(ctx, role, v);
	else if (role < ROLE_TEXTS)
		take_text(ctx, role, v);
	else
		take_presence(ctx, role, v);
}
