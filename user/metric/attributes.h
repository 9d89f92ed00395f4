/* SPDX-License-Identifier: Apache-2.0 */
/* What OTLP calls the labels of metrics.def (attributes.def). */
#ifndef METRIC_ATTRIBUTES_H
#define METRIC_ATTRIBUTES_H

enum attribute_place {
	ATTRIBUTE_POINT,    /* of the data point */
	ATTRIBUTE_RESOURCE, /* of the Resource of the series' owner */
};

enum attribute_kind {
	ATTRIBUTE_TEXT,
	ATTRIBUTE_NUMBER, /* an integer, which a label holds as text */
};

struct label_attribute {
	const char *key; /* "service.name" */
	enum attribute_place place;
	enum attribute_kind kind;
};

/* A label without an entry in the table is a text of the data point, under its own name. */
struct label_attribute label_attribute(const char *label);

#endif
