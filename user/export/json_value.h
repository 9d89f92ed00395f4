/* SPDX-License-Identifier: Apache-2.0 */
/* Values that all JSON of tokscope writes alike; what is not known is null. */
#ifndef EXPORT_JSON_VALUE_H
#define EXPORT_JSON_VALUE_H

#include <jansson.h>
#include <stdint.h>

/* NAN and infinities, which JSON does not have: null. */
json_t *json_number(double v);
/* RFC 3339, UTC, nanoseconds: "2026-11-23T11:52:46.123456789Z". ns since the epoch; 0: null. */
json_t *json_wall_time(uint64_t ns);

#endif
