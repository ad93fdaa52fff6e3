// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Commands that came from user space.
 */
#include <linux/bits.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/overflow.h>

#include <drm/drm.h>
#include <drm/mockgpu_drm.h>

#include "args.h"
#include "command.h"
#include "hw/hw.h"

#define MOCKGPU_COMMAND_MAX_COUNT	BIT(24)

/* Which fields an operation uses beside @addr; PAIR is a second range. */
#define MOCKGPU_USES_SIZE	BIT(0)
#define MOCKGPU_USES_PAIR	BIT(1)
#define MOCKGPU_USES_WORD	BIT(2)
#define MOCKGPU_USES_MAYBE_WORD	BIT(3)
#define MOCKGPU_USES_VALUE	BIT(4)
#define MOCKGPU_USES_COMPARE	BIT(5)
#define MOCKGPU_USES_COUNT	BIT(6)
#define MOCKGPU_USES_TIMEOUT	BIT(7)

#define MOCKGPU_USES_OTHER \
	(MOCKGPU_USES_PAIR | MOCKGPU_USES_WORD | MOCKGPU_USES_MAYBE_WORD)

struct mockgpu_command_rule {
	enum mockgpu_hw_command_op op;
	unsigned int uses;
};

static const struct mockgpu_command_rule mockgpu_command_rules[] = {
	[MOCKGPU_CMD_FILL] = {
		MOCKGPU_HW_CMD_FILL, MOCKGPU_USES_SIZE | MOCKGPU_USES_VALUE,
	},
	[MOCKGPU_CMD_COPY] = {
		MOCKGPU_HW_CMD_COPY, MOCKGPU_USES_SIZE | MOCKGPU_USES_PAIR,
	},
	[MOCKGPU_CMD_COMPARE] = {
		MOCKGPU_HW_CMD_COMPARE, MOCKGPU_USES_SIZE | MOCKGPU_USES_PAIR,
	},
	[MOCKGPU_CMD_CHECKSUM] = {
		MOCKGPU_HW_CMD_CHECKSUM, MOCKGPU_USES_SIZE | MOCKGPU_USES_WORD,
	},
	[MOCKGPU_CMD_ADD] = {
		MOCKGPU_HW_CMD_ADD,
		MOCKGPU_USES_VALUE | MOCKGPU_USES_MAYBE_WORD,
	},
	[MOCKGPU_CMD_EXCHANGE] = {
		MOCKGPU_HW_CMD_EXCHANGE,
		MOCKGPU_USES_VALUE | MOCKGPU_USES_MAYBE_WORD,
	},
	[MOCKGPU_CMD_COMPARE_EXCHANGE] = {
		MOCKGPU_HW_CMD_COMPARE_EXCHANGE,
		MOCKGPU_USES_VALUE | MOCKGPU_USES_MAYBE_WORD |
		MOCKGPU_USES_COMPARE,
	},
	[MOCKGPU_CMD_ADD_STRIDED] = {
		MOCKGPU_HW_CMD_ADD_STRIDED,
		MOCKGPU_USES_SIZE | MOCKGPU_USES_VALUE | MOCKGPU_USES_COUNT,
	},
	[MOCKGPU_CMD_ADD_RANDOM] = {
		MOCKGPU_HW_CMD_ADD_RANDOM,
		MOCKGPU_USES_SIZE | MOCKGPU_USES_VALUE | MOCKGPU_USES_COUNT,
	},
	[MOCKGPU_CMD_WAIT_EQUAL] = {
		MOCKGPU_HW_CMD_WAIT_EQUAL,
		MOCKGPU_USES_VALUE | MOCKGPU_USES_TIMEOUT,
	},
	[MOCKGPU_CMD_WAIT_AT_LEAST] = {
		MOCKGPU_HW_CMD_WAIT_AT_LEAST,
		MOCKGPU_USES_VALUE | MOCKGPU_USES_TIMEOUT,
	},
};

/* What is not used is 0, what is used as a number of times or of ms is not. */
static bool mockgpu_command_fields_are_valid(const struct drm_mockgpu_command *c,
					     unsigned int uses)
{
	if ((c->size && !(uses & MOCKGPU_USES_SIZE)) ||
	    (c->other && !(uses & MOCKGPU_USES_OTHER)) ||
	    (c->value && !(uses & MOCKGPU_USES_VALUE)) ||
	    (c->compare && !(uses & MOCKGPU_USES_COMPARE)) ||
	    (c->step && !(uses & MOCKGPU_USES_COUNT)))
		return false;

	return !c->count == !(uses & MOCKGPU_USES_COUNT) &&
	       !c->timeout_ms == !(uses & MOCKGPU_USES_TIMEOUT) &&
	       c->count <= MOCKGPU_COMMAND_MAX_COUNT;
}

static bool mockgpu_command_pair_is_valid(const struct drm_mockgpu_command *c)
{
	if (!mockgpu_args_range_is_valid(c->addr, c->size, 1) ||
	    !mockgpu_args_range_is_valid(c->other, c->size, 1))
		return false;

	return c->op != MOCKGPU_CMD_COPY || c->addr + c->size <= c->other ||
	       c->other + c->size <= c->addr;
}

static bool mockgpu_command_addresses_are_valid(const struct drm_mockgpu_command *c,
						unsigned int uses)
{
	u64 size = uses & MOCKGPU_USES_SIZE ? c->size : sizeof(u64);

	if (uses & MOCKGPU_USES_PAIR)
		return mockgpu_command_pair_is_valid(c);
	if (!mockgpu_args_range_is_valid(c->addr, size, sizeof(u64)))
		return false;
	if (uses & MOCKGPU_USES_WORD || c->other)
		return mockgpu_args_range_is_valid(c->other, sizeof(u64),
						   sizeof(u64));
	return true;
}

static bool mockgpu_command_step_is_valid(const struct drm_mockgpu_command *c)
{
	u64 last;

	return c->op != MOCKGPU_CMD_ADD_STRIDED ||
	       (IS_ALIGNED(c->step, sizeof(u64)) &&
		!check_mul_overflow(c->count, c->step, &last));
}

/**
 * mockgpu_command_load() - make a command of the user's one of the device
 * @to: filled
 * @from: what user space gave
 *
 * Context: Process context of the caller the addresses are from.
 * Return: 0 or -EINVAL.
 */
int mockgpu_command_load(struct mockgpu_hw_command *to,
			 const struct drm_mockgpu_command *from)
{
	const struct mockgpu_command_rule *rule;

	if (from->op >= ARRAY_SIZE(mockgpu_command_rules))
		return -EINVAL;

	rule = &mockgpu_command_rules[from->op];
	if (!mockgpu_command_fields_are_valid(from, rule->uses) ||
	    !mockgpu_command_addresses_are_valid(from, rule->uses) ||
	    !mockgpu_command_step_is_valid(from))
		return -EINVAL;

	*to = (struct mockgpu_hw_command){
		.op = rule->op,
		.timeout_ms = from->timeout_ms,
		.addr = from->addr,
		.other = from->other,
		.size = from->size,
		.value = from->value,
		.compare = from->compare,
		.count = from->count,
		.step = from->step,
	};
	return 0;
}
