// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The access unit: what a shader would do, in bytes and 64-bit words.
 */
#include <linux/string.h>

#include "internal.h"

static enum dma_data_direction mockgpu_hw_op_direction(enum mockgpu_hw_op op)
{
	switch (op) {
	case MOCKGPU_HW_READ:
		return DMA_TO_DEVICE;
	case MOCKGPU_HW_WRITE:
	case MOCKGPU_HW_FILL:
		return DMA_FROM_DEVICE;
	default:
		return DMA_BIDIRECTIONAL;
	}
}

static void mockgpu_hw_xor(u64 *word, size_t count, u64 value)
{
	while (count--)
		*word++ ^= value;
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
	}
	atomic64_add(size, &hw->bytes_accessed);
}

/**
 * mockgpu_hw_access_vram() - work on a piece of VRAM
 * @hw: the device
 * @offset: first byte
 * @size: bytes; for FILL and XOR, @offset and @size are multiples of 8
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

	mockgpu_hw_work_on(hw, memory, size, work);
	mockgpu_hw_vram_end(hw, offset, size, dir);
	return 0;
}

/**
 * mockgpu_hw_access_bus() - work on a piece of memory that is not its VRAM
 * @hw: the device
 * @addr: where it is, mapped for what @work does
 * @size: bytes; for FILL and XOR, @addr and @size are multiples of 8
 * @work: what to do
 *
 * Context: Process context.
 * Return: 0, or -EIO for a bad address.
 */
int mockgpu_hw_access_bus(struct mockgpu_hw *hw, struct mockgpu_hw_addr addr,
			  size_t size, const struct mockgpu_hw_work *work)
{
	struct mockgpu_hw_target target = {
		.at = addr,
		.size = size,
		.dir = mockgpu_hw_op_direction(work->op),
	};

	if (mockgpu_hw_target_begin(hw, &target))
		return -EIO;

	mockgpu_hw_work_on(hw, target.memory, size, work);
	return mockgpu_hw_target_end(hw, &target);
}
