// SPDX-License-Identifier: Apache-2.0
#include "cli/privilege.h"

#include <cap-ng.h>
#include <errno.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/prctl.h>

#include "base/log.h"

void privilege_protect(void)
{
#ifndef TOKSCOPE_DUMPABLE
	if (prctl(PR_SET_DUMPABLE, 0))
		log_warn("cannot forbid core dumps: %s", strerror(errno));
#endif
}

void privilege_drop(void)
{
	/*
	 * BPF, PERFMON: look-ups in our own maps and late attaching. SYS_PTRACE, DAC_READ_SEARCH: /proc/PID of other
	 * users. SYS_RESOURCE and SYS_ADMIN are not needed once loaded.
	 */
	static const unsigned int kept[] = { CAP_BPF, CAP_PERFMON, CAP_SYS_PTRACE,
					     CAP_DAC_READ_SEARCH, CAP_CHECKPOINT_RESTORE };

	capng_get_caps_process();
	capng_clear(CAPNG_SELECT_BOTH);
	for (unsigned int i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
		capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED | CAPNG_BOUNDING_SET,
			     kept[i]);
	if (capng_apply(CAPNG_SELECT_BOTH))
		log_warn("cannot drop capabilities: %s", strerror(errno));
}
