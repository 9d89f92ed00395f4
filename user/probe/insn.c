// SPDX-License-Identifier: Apache-2.0
#include "probe/insn.h"

#include <stdio.h>
#include <string.h>

#if defined(__x86_64__)
#include <Zydis/Zydis.h>

/*
 * Opcodes that arch/x86/kernel/uprobes.c (good_insns_64, good_2byte_insns) refuses with ENOTSUPP. Newer kernels let more of
 * the two-byte ones through; none of them starts a function.
 */
static const uint8_t refused_opcodes[] = {
	0x06, 0x07, 0x0e, 0x16, 0x17, 0x1e, 0x1f, 0x27, 0x2f, 0x37, 0x3f, 0x60, 0x61, 0x62,
	0x6c, 0x6d, 0x6e, 0x6f, 0x82, 0x9a, 0xcc, 0xcd, 0xce, 0xcf, 0xd4, 0xd5, 0xd6, 0xe4,
	0xe5, 0xe6, 0xe7, 0xea, 0xec, 0xed, 0xee, 0xef, 0xf1, 0xf4, 0xfa, 0xfb,
};
static const uint8_t refused_0f_opcodes[] = {
	0x00, 0x01, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0b, 0x30, 0x34, 0x35, 0x37, 0x78, 0x79, 0xae,
};

static bool has_prefix(const ZydisDecodedInstruction *d, uint8_t value)
{
	for (size_t i = 0; i < d->raw.prefix_count; i++)
		if (d->raw.prefixes[i].value == value)
			return true;
	return false;
}

static bool kernel_refuses(const ZydisDecodedInstruction *d)
{
	static const uint8_t prefixes[] = { 0x26, 0x2e, 0x36, 0x3e, 0xf0 }; /* is_prefix_bad() */

	for (size_t i = 0; i < sizeof(prefixes); i++)
		if (has_prefix(d, prefixes[i]))
			return true;
	if (d->encoding == ZYDIS_INSTRUCTION_ENCODING_EVEX || d->mnemonic == ZYDIS_MNEMONIC_INT3)
		return true;
	/* mov to ss masks exceptions (insn_masking_exception()). */
	if (d->opcode_map == ZYDIS_OPCODE_MAP_DEFAULT && d->opcode == 0x8e && d->raw.modrm.reg == 2)
		return true;
	/* Behind a VEX prefix the kernel looks the opcode up in the table of one-byte opcodes. */
	if (d->opcode_map == ZYDIS_OPCODE_MAP_DEFAULT ||
	    d->encoding == ZYDIS_INSTRUCTION_ENCODING_VEX)
		return memchr(refused_opcodes, d->opcode, sizeof(refused_opcodes));
	return d->opcode_map == ZYDIS_OPCODE_MAP_0F &&
	       memchr(refused_0f_opcodes, d->opcode, sizeof(refused_0f_opcodes));
}

/* branch_setup_xol_ops(), push_setup_xol_ops(). Nops of several bytes (0f 1f) are emulated by the newest kernels only. */
static enum site_cost cost_of(const ZydisDecodedInstruction *d, const uint8_t *code)
{
	bool one_byte = d->opcode_map == ZYDIS_OPCODE_MAP_DEFAULT;

	if (one_byte && d->opcode == 0x90)
		return COST_NOP;
	if (one_byte && d->opcode >= 0x50 && d->opcode <= 0x57)
		return d->length == 1 || (d->length == 2 && code[0] == 0x41) ? COST_EMULATED
									     : COST_STEPPED;
	if (has_prefix(d, 0x66))
		return COST_STEPPED;
	if (one_byte)
		return (d->opcode >= 0x70 && d->opcode <= 0x7f) || d->opcode == 0xe8 ||
				       d->opcode == 0xe9 || d->opcode == 0xeb
			       ? COST_EMULATED
			       : COST_STEPPED;
	return d->opcode_map == ZYDIS_OPCODE_MAP_0F && d->opcode >= 0x80 && d->opcode <= 0x8f
		       ? COST_EMULATED
		       : COST_STEPPED;
}

static bool is_nop(const ZydisDecodedInstruction *d)
{
	return d->mnemonic == ZYDIS_MNEMONIC_NOP;
}

static const char *refusal(const ZydisDecodedInstruction *d)
{
	/* The kernel optimises probes there into a call, and in some versions panics (design.md 4). */
	if (is_nop(d) && d->length == 5)
		return "a 5-byte nop";
	/* The emulation goes by the opcode 0x90 alone and would skip the exchange. */
	if (d->opcode_map == ZYDIS_OPCODE_MAP_DEFAULT && d->opcode == 0x90 && !is_nop(d) &&
	    d->mnemonic != ZYDIS_MNEMONIC_PAUSE)
		return "an exchange of registers that the kernel takes for a nop";
	if (kernel_refuses(d))
		return "an instruction that the kernel puts no uprobe on";
	return NULL;
}

static bool memory_indexed(const ZydisDecodedOperand *op)
{
	return op->type == ZYDIS_OPERAND_TYPE_MEMORY && op->mem.index != ZYDIS_REGISTER_NONE;
}

static uint16_t whole_register(ZydisRegister reg)
{
	ZydisRegister whole = ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, reg);

	return (uint16_t)(whole == ZYDIS_REGISTER_NONE ? reg : whole);
}

static void describe_jump(struct insn *insn, const ZydisDecodedInstruction *d,
			  const ZydisDecodedOperand *op)
{
	if (op->type == ZYDIS_OPERAND_TYPE_IMMEDIATE) {
		insn->flow = d->meta.category == ZYDIS_CATEGORY_COND_BR ? FLOW_BRANCH : FLOW_JUMP;
		insn->target = d->length + op->imm.value.s;
		return;
	}
	insn->flow = FLOW_INDIRECT;
	insn->notrack = has_prefix(d, 0x3e);
	insn->indexed = memory_indexed(op);
	insn->fixed = op->type == ZYDIS_OPERAND_TYPE_MEMORY && !insn->indexed &&
		      (op->mem.base == ZYDIS_REGISTER_RIP || op->mem.base == ZYDIS_REGISTER_NONE);
	if (op->type == ZYDIS_OPERAND_TYPE_REGISTER)
		insn->jump_reg = whole_register(op->reg.value);
}

static void describe_effects(struct insn *insn, const ZydisDecodedInstruction *d,
			     const ZydisDecodedOperand *ops)
{
	bool writes = d->operand_count && ops[0].type == ZYDIS_OPERAND_TYPE_REGISTER &&
		      ops[0].actions & ZYDIS_OPERAND_ACTION_MASK_WRITE;

	insn->harmless = is_nop(d) || d->mnemonic == ZYDIS_MNEMONIC_ENDBR64 ||
			 d->mnemonic == ZYDIS_MNEMONIC_CMP || d->mnemonic == ZYDIS_MNEMONIC_TEST;
	if (writes)
		insn->writes = whole_register(ops[0].reg.value);
	insn->adds = writes && d->mnemonic == ZYDIS_MNEMONIC_ADD;
	insn->from_table = writes && d->operand_count > 1 && memory_indexed(&ops[1]) &&
			   d->mnemonic != ZYDIS_MNEMONIC_LEA;
	insn->restores_stack = d->mnemonic == ZYDIS_MNEMONIC_POP ||
			       d->mnemonic == ZYDIS_MNEMONIC_LEAVE ||
			       (insn->adds && insn->writes == ZYDIS_REGISTER_RSP);
}

bool insn_decode(const uint8_t *code, size_t len, struct insn *insn)
{
	ZydisDecodedOperand ops[ZYDIS_MAX_OPERAND_COUNT];
	ZydisDecodedInstruction d;
	ZydisDecoder decoder;

	ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	if (!ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder, code, len, &d, ops)))
		return false;
	*insn = (struct insn){
		.length = d.length,
		.cost = cost_of(&d, code),
		.refused = refusal(&d),
	};
	snprintf(insn->name, sizeof(insn->name), "%s", ZydisMnemonicGetString(d.mnemonic));
	if (d.meta.category == ZYDIS_CATEGORY_RET)
		insn->flow = FLOW_RETURN;
	else if (d.meta.category == ZYDIS_CATEGORY_COND_BR ||
		 d.meta.category == ZYDIS_CATEGORY_UNCOND_BR)
		describe_jump(insn, &d, &ops[0]);
	if (insn->flow == FLOW_BRANCH) /* one class, many conditions */
		snprintf(insn->name, sizeof(insn->name), "jcc");
	describe_effects(insn, &d, ops);
	return true;
}

bool insn_is_endbr(const uint8_t *code, size_t len)
{
	return len >= 4 && !memcmp(code, "\xf3\x0f\x1e\xfa", 4);
}

#else /* Fixed-length instructions: boundaries are known without decoding, the ways out of a function are not looked for. */

bool insn_decode(const uint8_t *code, size_t len, struct insn *insn)
{
	(void)code;
	if (len < 4)
		return false;
	*insn = (struct insn){ .length = 4, .cost = COST_STEPPED, .name = "insn" };
	return true;
}

bool insn_is_endbr(const uint8_t *code, size_t len)
{
	(void)code;
	(void)len;
	return false;
}

#endif
