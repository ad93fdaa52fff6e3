// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The access unit: what a shader would do, in bytes and 64-bit words.
 */
#include <linux/string.h>
#include <linux/types.h>

#include "internal.h"

static enum dma_data_direction mockgpu_hw_op_direction(enum mockgpu_hw_op op)
{
	switch (op) {
	case MOCKGPU_HW_READ:
	case MOCKGPU_HW_LOAD:
		return DMA_TO_DEVICE;
	case MOCKGPU_HW_WRITE:
	case MOCKGPU_HW_FILL:
	case MOCKGPU_HW_STORE:
		return DMA_FROM_DEVICE;
	default:
		return DMA_BIDIRECTIONAL;
	}
}

/**
 * mockgpu_hw_op_writes() - does an operation need permission to write
 * @op: the operation
 *
 * Context: Any.
 * Return: true if so.
 */
bool mockgpu_hw_op_writes(enum mockgpu_hw_op op)
{
	return mockgpu_hw_op_direction(op) != DMA_TO_DEVICE;
}

/**
 * mockgpu_hw_op_is_atomic() - does an operation read and write at once
 * @op: the operation
 *
 * Context: Any.
 * Return: true if so, and if others must not come in between.
 */
bool mockgpu_hw_op_is_atomic(enum mockgpu_hw_op op)
{
	return op >= MOCKGPU_HW_ADD;
}

/* Programs may have several at the same words; each word is one of theirs then. */
static void mockgpu_hw_xor(u64 *word, size_t count, u64 value)
{
	for (; count; count--, word++)
		WRITE_ONCE(*word, READ_ONCE(*word) ^ value);
}

/*
 * The CPU and other devices use the same cache line: an atomic operation of this
 * CPU is one for all of them.
 */
static void mockgpu_hw_work_on_word(u64 *word,
				    const struct mockgpu_hw_work *work)
{
	atomic64_t *atomic = (atomic64_t *)word;

	switch (work->op) {
	case MOCKGPU_HW_LOAD:
		/* What follows sees what was written before the word was. */
		*work->old = smp_load_acquire(word);
		break;
	case MOCKGPU_HW_STORE:
		/* Who sees the word sees what was written before. */
		smp_store_release(word, work->value);
		break;
	case MOCKGPU_HW_ADD:
		*work->old = atomic64_fetch_add(work->value, atomic);
		break;
	case MOCKGPU_HW_EXCHANGE:
		*work->old = atomic64_xchg(atomic, work->value);
		break;
	default:
		*work->old = atomic64_cmpxchg(atomic, work->compare,
					      work->value);
		break;
	}
}

static void mockgpu_hw_work_on(struct mockgpu_hw *hw, void *memory,
			       size_t size, const struct mockgpu_hw_work *work)
{
	switch (work->op) {
	case MOCKGPU_HW_READ:
		memcpy(work->data, memory, size);
		break;
	case MOCKGPU_HW_WRITE:
		memcpy(memory, work->data, size);
		break;
	case MOCKGPU_HW_FILL:
		memset64(memory, work->value, size / sizeof(u64));
		break;
	case MOCKGPU_HW_XOR:
		mockgpu_hw_xor(memory, size / sizeof(u64), work->value);
		break;
	default:
		mockgpu_hw_work_on_word(memory, work);
		break;
	}
	atomic64_add(size, &hw->bytes_accessed);
}

/**
 * mockgpu_hw_access_vram() - work on a piece of VRAM
 * @hw: the device
 * @offset: first byte
 * @size: bytes; but for READ and WRITE, @offset and @size are multiples of 8
 * @work: what to do
 *
 * Context: Any.
 * Return: 0, or -EIO for a bad address.
 */
int mockgpu_hw_access_vram(struct mockgpu_hw *hw, u64 offset, size_t size,
			   const struct mockgpu_hw_work *work)
{
	enum dma_data_direction dir = mockgpu_hw_op_direction(work->op);
	void *memory = mockgpu_hw_vram_begin(hw, offset, size, dir);

	if (!memory)
		return -EIO;

	mockgpu_hw_vram_touch(hw, offset);
	mockgpu_hw_work_on(hw, memory, size, work);
	mockgpu_hw_vram_end(hw, offset, size, dir);
	return 0;
}

/**
 * mockgpu_hw_access_bus() - work on a piece of memory that is not its VRAM
 * @hw: the device
 * @addr: where it is, mapped for what @work does
 * @origin: where the address is from
 * @size: bytes; but for READ and WRITE, @addr and @size are multiples of 8
 * @work: what to do
 *
 * Context: Process context.
 * Return: 0, or -EIO for a bad address.
 */
int mockgpu_hw_access_bus(struct mockgpu_hw *hw, struct mockgpu_hw_addr addr,
			  const struct mockgpu_hw_origin *origin, size_t size,
			  const struct mockgpu_hw_work *work)
{
	struct mockgpu_hw_target target = {
		.at = addr,
		.size = size,
		.dir = mockgpu_hw_op_direction(work->op),
		.origin = *origin,
	};

	if (mockgpu_hw_target_begin(hw, &target))
		return -EIO;

	mockgpu_hw_work_on(hw, target.memory, size, work);
	return mockgpu_hw_target_end(hw, &target);
}
