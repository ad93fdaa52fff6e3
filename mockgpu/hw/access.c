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
 * mockgpu_hw_access_dma() - work on a piece of system memory
 * @hw: the device
 * @iova: a DMA address that is mapped for what @work does
 * @size: bytes; for FILL and XOR, @iova and @size are multiples of 8
 * @work: what to do
 *
 * Context: Any.
 * Return: 0, or -EIO for a bad address.
 */
int mockgpu_hw_access_dma(struct mockgpu_hw *hw, dma_addr_t iova, size_t size,
			  const struct mockgpu_hw_work *work)
{
	enum dma_data_direction dir = mockgpu_hw_op_direction(work->op);
	void *memory = mockgpu_hw_dma_begin(hw, iova, size, dir);

	if (!memory)
		return -EIO;

	mockgpu_hw_work_on(hw, memory, size, work);
	return mockgpu_hw_dma_end(hw, iova, size, dir, memory);
}
