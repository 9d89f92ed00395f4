// SPDX-License-Identifier: Apache-2.0
#include "cli/config_reload.h"

#include <errno.h>

#include "cli/config_value.h"

/* Of the values as they are, secrets included: nothing of it is shown. */
static bool differs(const struct config *a, const struct config *b, const struct option_spec *o)
{
	json_t *was = config_value(a, o, false), *is = config_value(b, o, false);
	bool same = was && is && json_equal(was, is);

	json_decref(was);
	json_decref(is);
	return !same;
}

/* Returns 1 for a change that is to be taken over, 0, or -ENOMEM. */
static int take_over(const struct config *running, struct config *fresh,
		     const struct option_spec *o)
{
	if (!differs(running, fresh, o))
		return 0;
	if (o->flags & RELOAD) {
		log_info("%s has changed", o->key);
		return 1;
	}
	log_warn("%s has changed: restart the agent for it", o->key);
	return config_copy(fresh, running, o);
}

int config_reload(const struct config *running, struct config *fresh)
{
	int changed = 0, err;

	err = config_load(running->command, running->argc, running->argv, fresh);
	if (!err && config_check(fresh))
		err = -EBADMSG;
	for (size_t i = 0; i < OPTIONS_MAX && !err; i++) {
		int one = options[i].key ? take_over(running, fresh, &options[i]) : 0;

		if (one < 0)
			err = one;
		else
			changed += one;
	}
	return err ?: changed;
}
