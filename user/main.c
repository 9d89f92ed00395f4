// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/command.h"

int main(int argc, char **argv)
{
	const struct command *cmd;
	struct config config;
	int used, err, status;

	if (argc < 2) {
		help_all(stderr);
		return EXIT_USAGE;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")) {
		help_all(stdout);
		return 0;
	}
	if (!strcmp(argv[1], "--version"))
		argv[1] = "version";
	cmd = command_find(argc - 1, argv + 1, &used);
	if (!cmd)
		return EXIT_USAGE;

	err = config_load(cmd, argc - used, argv + used, &config);
	if (err) {
		status = err == -EINVAL ? EXIT_USAGE : 1;
	} else if (config.help) {
		help_command(stdout, cmd);
		status = 0;
	} else {
		log_set_level(config.log_level);
		status = cmd->run(&config);
	}
	config_free(&config);
	return status;
}
