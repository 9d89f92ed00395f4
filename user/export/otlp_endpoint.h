/* SPDX-License-Identifier: Apache-2.0 */
/* Where and how one signal is sent: the settings of all signals, those of this one, and the defaults, brought together. */
#ifndef EXPORT_OTLP_ENDPOINT_H
#define EXPORT_OTLP_ENDPOINT_H

#include <stdbool.h>
#include <stdint.h>

#include "export/otlp_headers.h"
#include "export/otlp_settings.h"

struct otlp_endpoint {
	char *url;   /* http://host:4318/v1/traces, or of the gRPC method */
	char *shown; /* the url as messages show it: without user, password and query */
	bool grpc;
	bool tls;
	bool gzip;
	uint64_t timeout_ms;		       /* of one attempt */
	char *certificate;		       /* PEM of trusted CAs; NULL: the system's */
	char *client_key, *client_certificate; /* both, or both NULL */
	struct otlp_headers headers;
	char setting
		[96]; /* what set the endpoint, for messages: "OTEL_EXPORTER_OTLP_ENDPOINT (otlp.endpoint)" */
};

/*
 * Returns 1 and fills out, which the caller frees; 0: this signal is not pushed (disabled, its exporter is another one, or
 * there is no endpoint); -EINVAL, -ENOMEM or a file's errno after logging which setting is wrong and what to do.
 */
int otlp_endpoint_resolve(const struct otlp_settings *s, enum otlp_signal signal,
			  struct otlp_endpoint *out);
void otlp_endpoint_free(struct otlp_endpoint *e);

#endif
