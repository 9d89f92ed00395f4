/* SPDX-License-Identifier: Apache-2.0 */
/* What the fields of dialects.def mean. Private to answer.c and its parts. */
#ifndef WIRE_DIALECT_H
#define WIRE_DIALECT_H

#include "wire/json_scan.h"
#include "wire/route.h"

enum role {
	/* Whole numbers: indexes of answer.number[]. The last one stands. */
	ROLE_INPUT, /* usage */
	ROLE_OUTPUT,
	ROLE_CACHED,
	ROLE_CACHE_READ, /* Anthropic: these two are not part of its input_tokens */
	ROLE_CACHE_CREATION,
	ROLE_TIMING_INPUT, /* llama.cpp's timings: evaluated, not from the cache */
	ROLE_TIMING_CACHED,
	ROLE_TIMING_OUTPUT,
	ROLE_OUTPUT_SO_FAR,
	ROLE_INDEX,	   /* of the choice an event is about, at the root */
	ROLE_CHOICE_INDEX, /* the same inside an element of choices[] */
	ROLE_CHOICES,	   /* request: n */
	ROLE_NUMBERS,
	/* Text that is read */
	ROLE_MODEL = ROLE_NUMBERS,
	ROLE_FINISH,
	ROLE_STATUS,	 /* Responses: a finish reason once it is final */
	ROLE_STATUS_WHY, /* Responses: says more than the status does */
	ROLE_TYPE,
	ROLE_OBJECT,
	ROLE_TEXTS,
	/* Only whether something is there */
	ROLE_CONTENT = ROLE_TEXTS,
	ROLE_CHOICE_CONTENT,
	ROLE_CHOICE,  /* an element of choices[] */
	ROLE_DELTA,   /* content if the event's type ends in ".delta" */
	ROLE_GROWING, /* content if longer than in the event before */
	ROLE_ERROR,
	ROLE_DONE,
	ROLE_STREAM,
};

/* Fills fields[JSON_FIELDS_MAX] for an answer, or for any request body; returns how many. */
size_t dialect_fields(enum dialect dialect, bool response, const struct json_field **fields);

#endif
