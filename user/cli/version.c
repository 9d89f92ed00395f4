// SPDX-License-Identifier: Apache-2.0
#include <bpf/libbpf.h>
#include <stdio.h>

#include "cli/command.h"

int cmd_version(const struct config *c)
{
	if (c->json)
		printf("{\"version\":\"%s\",\"libbpf\":\"%s\"}\n", TOKSCOPE_VERSION,
		       libbpf_version_string());
	else
		printf("tokscope %s (libbpf %s)\n", TOKSCOPE_VERSION, libbpf_version_string());
	return 0;
}

int cmd_help(const struct config *c)
{
	const struct command *cmd;
	int used;

	if (c->man) {
		help_man(stdout);
		return 0;
	}
	if (!c->operand_count) {
		help_all(stdout);
		return 0;
	}
	cmd = command_find(c->operand_count, c->operands, &used);
	if (!cmd)
		return EXIT_USAGE;
	help_command(stdout, cmd);
	return 0;
}
