// SPDX-License-Identifier: Apache-2.0
#include "cli/privilege.h"

#include <cap-ng.h>
#include <errno.h>
#include <linux/capability.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>

#include "base/log.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

void privilege_protect(void)
{
#ifndef TOKSCOPE_DUMPABLE
	if (prctl(PR_SET_DUMPABLE, 0))
		log_warn("cannot forbid core dumps: %s", strerror(errno));
#endif
}

void privilege_drop(bool events)
{
	/*
	 * BPF, PERFMON: look-ups in our own maps and late attaching. SYS_PTRACE, DAC_READ_SEARCH: /proc/PID of other
	 * users. SYS_RESOURCE is not needed once loaded, nor is SYS_ADMIN where probes are attached by uprobe_multi: a uprobe
	 * that is a perf event takes it since "perf: Revert to requiring CAP_SYS_ADMIN for uprobes" (Linux 6.16 and the
	 * stable branches before it).
	 */
	static const unsigned int kept[] = { CAP_BPF,
					     CAP_PERFMON,
					     CAP_SYS_PTRACE,
					     CAP_DAC_READ_SEARCH,
					     CAP_CHECKPOINT_RESTORE,
					     CAP_SYS_ADMIN };
	const size_t count = events ? COUNT(kept) : COUNT(kept) - 1;
	bool have[COUNT(kept)], may_bound;

	capng_get_caps_process();
	may_bound = capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP);
	for (size_t i = 0; i < count; i++)
		have[i] = capng_have_capability(CAPNG_PERMITTED, kept[i]);
	capng_clear(CAPNG_SELECT_BOTH);
	for (size_t i = 0; i < count; i++)
		if (have[i])
			capng_update(CAPNG_ADD,
				     CAPNG_EFFECTIVE | CAPNG_PERMITTED | CAPNG_BOUNDING_SET,
				     kept[i]);
	/* A service or a container that was started with these alone has no CAP_SETPCAP, and a bounding set of its own. */
	if (capng_apply(may_bound ? CAPNG_SELECT_BOTH : CAPNG_SELECT_CAPS))
		log_warn("cannot drop capabilities: %s", strerror(errno));
}
