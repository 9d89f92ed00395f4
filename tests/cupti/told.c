// SPDX-License-Identifier: Apache-2.0
/* Prints the first status that the library tells in this process; TOKSCOPE_CUPTI_LIBRARY may name a real CUPTI. */
#include "world.h"

int main(void)
{
	struct tks_cupti_status status;
	struct world w = { 0 };

	world_open(&w, false);
	world_inject(&w);
	sink_attach("want_activity");
	sink_attach("status");
	eventually(w.sink->statuses);
	status = sink_status();
	printf("CUPTI %u: state %u, result %d\n", status.cupti_version, status.state,
	       status.result);
	return 0;
}
