// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * What the commands of the engine do, a page or a word at a time.
 */
#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/string.h>

#include "internal.h"

static size_t mockgpu_hw_left_in_page(u64 addr)
{
	return PAGE_SIZE - offset_in_page(addr);
}

static int mockgpu_hw_run_read(struct mockgpu_hw_run *run, u64 addr,
			       size_t size, void *buffer)
{
	const struct mockgpu_hw_work work = {
		.op = MOCKGPU_HW_READ,
		.data = buffer,
	};

	return mockgpu_hw_run_access(run, addr, size, &work);
}

static int mockgpu_hw_run_write(struct mockgpu_hw_run *run, u64 addr,
				size_t size, void *buffer)
{
	const struct mockgpu_hw_work work = {
		.op = MOCKGPU_HW_WRITE,
		.data = buffer,
	};

	return mockgpu_hw_run_access(run, addr, size, &work);
}

static int mockgpu_hw_run_word(struct mockgpu_hw_run *run, u64 addr,
			       enum mockgpu_hw_op op, u64 value, u64 *old)
{
	const struct mockgpu_hw_work work = {
		.op = op,
		.value = value,
		.old = old,
	};

	return mockgpu_hw_run_access(run, addr, sizeof(u64), &work);
}

static int mockgpu_hw_run_fill(struct mockgpu_hw_run *run,
			       const struct mockgpu_hw_command *command)
{
	const struct mockgpu_hw_work work = {
		.op = MOCKGPU_HW_FILL,
		.value = command->value,
	};
	u64 pos = command->addr, end = command->addr + command->size;
	size_t size;
	int ret = 0;

	for (; pos < end && !ret; pos += size) {
		size = min_t(u64, end - pos, mockgpu_hw_left_in_page(pos));
		ret = mockgpu_hw_run_access(run, pos, size, &work);
	}
	return ret;
}

/* What is from @done on in one page there and in one page here. */
static size_t mockgpu_hw_pair_size(const struct mockgpu_hw_command *command,
				   u64 done)
{
	return min3((u64)mockgpu_hw_left_in_page(command->addr + done),
		    (u64)mockgpu_hw_left_in_page(command->other + done),
		    command->size - done);
}

static int mockgpu_hw_run_copy(struct mockgpu_hw_run *run,
			       const struct mockgpu_hw_command *command)
{
	void *buffer = run->ring->buffers[0];
	u64 done = 0;
	size_t size;
	int ret = 0;

	for (; done < command->size && !ret; done += size) {
		size = mockgpu_hw_pair_size(command, done);
		ret = mockgpu_hw_run_read(run, command->other + done, size,
					  buffer);
		if (!ret)
			ret = mockgpu_hw_run_write(run, command->addr + done,
						   size, buffer);
	}
	return ret;
}

/* The number of the first byte that differs, or @size. */
static size_t mockgpu_hw_same_bytes(const u8 *a, const u8 *b, size_t size)
{
	size_t i = 0;

	if (!memcmp(a, b, size))
		return size;
	while (a[i] == b[i])
		i++;
	return i;
}

static int mockgpu_hw_run_compare_piece(struct mockgpu_hw_run *run, u64 addr,
					u64 other, size_t size)
{
	void **buffers = run->ring->buffers;
	size_t same;
	int ret;

	ret = mockgpu_hw_run_read(run, other, size, buffers[1]);
	if (!ret)
		ret = mockgpu_hw_run_read(run, addr, size, buffers[0]);
	if (ret)
		return ret;

	same = mockgpu_hw_same_bytes(buffers[0], buffers[1], size);
	run->at = addr + same;
	return same < size ? -EBADMSG : 0;
}

static int mockgpu_hw_run_compare(struct mockgpu_hw_run *run,
				  const struct mockgpu_hw_command *command)
{
	u64 done = 0;
	size_t size;
	int ret = 0;

	for (; done < command->size && !ret; done += size) {
		size = mockgpu_hw_pair_size(command, done);
		ret = mockgpu_hw_run_compare_piece(run, command->addr + done,
						   command->other + done, size);
	}
	return ret;
}

static u64 mockgpu_hw_sum(const u64 *words, size_t size, u64 first)
{
	size_t i;
	u64 sum = 0;

	for (i = 0; i < size / sizeof(u64); i++)
		sum += words[i] * (first + i + 1);
	return sum;
}

static int mockgpu_hw_run_checksum(struct mockgpu_hw_run *run,
				   const struct mockgpu_hw_command *command)
{
	u64 pos = command->addr, end = command->addr + command->size, sum = 0;
	void *buffer = run->ring->buffers[0];
	size_t size;
	int ret;

	for (; pos < end; pos += size) {
		size = min_t(u64, end - pos, mockgpu_hw_left_in_page(pos));
		ret = mockgpu_hw_run_read(run, pos, size, buffer);
		if (ret)
			return ret;
		sum += mockgpu_hw_sum(buffer, size,
				      (pos - command->addr) / sizeof(u64));
	}
	return mockgpu_hw_run_word(run, command->other, MOCKGPU_HW_STORE, sum,
				   NULL);
}

static enum mockgpu_hw_op
mockgpu_hw_atomic_op(enum mockgpu_hw_command_op op)
{
	switch (op) {
	case MOCKGPU_HW_CMD_ADD:
		return MOCKGPU_HW_ADD;
	case MOCKGPU_HW_CMD_EXCHANGE:
		return MOCKGPU_HW_EXCHANGE;
	default:
		return MOCKGPU_HW_COMPARE_EXCHANGE;
	}
}

static int mockgpu_hw_run_atomic(struct mockgpu_hw_run *run,
				 const struct mockgpu_hw_command *command)
{
	u64 old;
	const struct mockgpu_hw_work work = {
		.op = mockgpu_hw_atomic_op(command->op),
		.value = command->value,
		.compare = command->compare,
		.old = &old,
	};
	int ret;

	ret = mockgpu_hw_run_access(run, command->addr, sizeof(u64), &work);
	if (ret || !command->other)
		return ret;
	return mockgpu_hw_run_word(run, command->other, MOCKGPU_HW_STORE, old,
				   NULL);
}

/* The n-th output of splitmix64, which needs no other ones for that. */
static u64 mockgpu_hw_random(u64 seed, u64 n)
{
	u64 x = seed + (n + 1) * 0x9e3779b97f4a7c15ULL;

	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
	return x ^ (x >> 31);
}

/* Which byte of the range the n-th access is to. */
static u64 mockgpu_hw_scattered(const struct mockgpu_hw_command *command, u64 n)
{
	u64 words = command->size / sizeof(u64), word;

	if (command->op == MOCKGPU_HW_CMD_ADD_STRIDED)
		word = n * (command->step / sizeof(u64));
	else
		word = mockgpu_hw_random(command->step, n);
	return word % words * sizeof(u64);
}

static int mockgpu_hw_run_scattered(struct mockgpu_hw_run *run,
				    const struct mockgpu_hw_command *command)
{
	u64 n, old;
	int ret = 0;

	for (n = 0; n < command->count && !ret; n++)
		ret = mockgpu_hw_run_word(run, command->addr +
					  mockgpu_hw_scattered(command, n),
					  MOCKGPU_HW_ADD, command->value, &old);
	return ret;
}

static bool mockgpu_hw_is_reached(const struct mockgpu_hw_command *command,
				  u64 word)
{
	return command->op == MOCKGPU_HW_CMD_WAIT_EQUAL ?
	       word == command->value : word >= command->value;
}

static int mockgpu_hw_run_wait(struct mockgpu_hw_run *run,
			       const struct mockgpu_hw_command *command)
{
	unsigned long until = jiffies + msecs_to_jiffies(command->timeout_ms);
	bool last = false;
	u64 word;
	int ret;

	for (;;) {
		ret = mockgpu_hw_run_word(run, command->addr, MOCKGPU_HW_LOAD,
					  0, &word);
		if (ret || mockgpu_hw_is_reached(command, word))
			return ret;
		if (last)
			return -ETIMEDOUT;
		last = time_after(jiffies, until);
		ret = mockgpu_hw_run_pause(run, until);
		if (ret)
			return ret;
	}
}

/**
 * mockgpu_hw_run_command() - do one command
 * @run: the job it belongs to
 * @command: the command, with good arguments
 *
 * Context: Process context, sleeps for as long as the job may run.
 * Return: 0; -EBADMSG for COMPARE, -ETIMEDOUT for waits; or as from
 * mockgpu_hw_run_access().
 */
int mockgpu_hw_run_command(struct mockgpu_hw_run *run,
			   const struct mockgpu_hw_command *command)
{
	switch (command->op) {
	case MOCKGPU_HW_CMD_FILL:
		return mockgpu_hw_run_fill(run, command);
	case MOCKGPU_HW_CMD_COPY:
		return mockgpu_hw_run_copy(run, command);
	case MOCKGPU_HW_CMD_COMPARE:
		return mockgpu_hw_run_compare(run, command);
	case MOCKGPU_HW_CMD_CHECKSUM:
		return mockgpu_hw_run_checksum(run, command);
	case MOCKGPU_HW_CMD_ADD:
	case MOCKGPU_HW_CMD_EXCHANGE:
	case MOCKGPU_HW_CMD_COMPARE_EXCHANGE:
		return mockgpu_hw_run_atomic(run, command);
	case MOCKGPU_HW_CMD_ADD_STRIDED:
	case MOCKGPU_HW_CMD_ADD_RANDOM:
		return mockgpu_hw_run_scattered(run, command);
	case MOCKGPU_HW_CMD_WAIT_EQUAL:
	case MOCKGPU_HW_CMD_WAIT_AT_LEAST:
		return mockgpu_hw_run_wait(run, command);
	}
	return -EINVAL;
}
