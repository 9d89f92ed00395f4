// SPDX-License-Identifier: Apache-2.0
#include "export/json_value.h"

#include <math.h>
#include <stdio.h>
#include <time.h>

#include "base/clock.h"

json_t *json_number(double v)
{
	return isfinite(v) ? json_real(v) : json_null();
}

json_t *json_wall_time(uint64_t ns)
{
	time_t t = ns / NSEC_PER_SEC;
	char date[32], whole[48];
	struct tm tm;

	if (!ns || !gmtime_r(&t, &tm) || !strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm))
		return json_null();
	snprintf(whole, sizeof(whole), "%s.%09uZ", date, (unsigned int)(ns % NSEC_PER_SEC));
	return json_string(whole);
}
