// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The memory of the device, by page number or byte offset.
 */
#include <linux/mm.h>
#include <linux/vmalloc.h>

#include "internal.h"

/* What a freed page is filled with, so that a use of it shows. */
#define MOCKGPU_HW_POISON	0x5a

/**
 * mockgpu_hw_vram_set_aside() - give the device RAM the kernel can spare
 * @hw: the device, without VRAM
 * @npages: how much
 *
 * Context: Process context, may sleep.
 * Return: 0, or -ENOMEM.
 */
int mockgpu_hw_vram_set_aside(struct mockgpu_hw *hw, unsigned long npages)
{
	void *base = __vmalloc((size_t)npages << PAGE_SHIFT,
			       GFP_KERNEL | __GFP_ZERO | __GFP_NOWARN);

	if (!base)
		return -ENOMEM;

	mockgpu_hw_vram_use(hw, base, npages);
	hw->vram.set_aside = true;
	return 0;
}

/**
 * mockgpu_hw_vram_use() - give the device memory that exists
 * @hw: the device, without VRAM
 * @base: where the CPU sees the memory, until mockgpu_hw_vram_drop()
 * @npages: how much
 *
 * Context: Any.
 */
void mockgpu_hw_vram_use(struct mockgpu_hw *hw, void *base,
			 unsigned long npages)
{
	hw->vram.base = base;
	hw->vram.npages = npages;
}

/**
 * mockgpu_hw_vram_drop() - take the VRAM away
 * @hw: the device; it must not be using any
 *
 * Context: Process context, may sleep.
 */
void mockgpu_hw_vram_drop(struct mockgpu_hw *hw)
{
	if (hw->vram.set_aside)
		vfree(hw->vram.base);
	hw->vram = (struct mockgpu_hw_vram){};
}

/**
 * mockgpu_hw_vram_at() - where a piece of VRAM is
 * @hw: the device
 * @offset: first byte of the piece
 * @size: bytes
 *
 * Context: Any.
 * Return: the memory, or NULL when it is not inside of VRAM.
 */
void *mockgpu_hw_vram_at(struct mockgpu_hw *hw, u64 offset, u64 size)
{
	u64 total = (u64)hw->vram.npages << PAGE_SHIFT;

	if (offset <= total && size <= total - offset)
		return hw->vram.base + offset;

	mockgpu_hw_error(hw, "%llu bytes at VRAM offset 0x%llx: there are only %llu",
			 size, offset, total);
	return NULL;
}

/**
 * mockgpu_hw_vram_freed() - the driver has no use for these pages now
 * @hw: the device
 * @first: first VRAM page
 * @npages: how many
 *
 * Context: Any.
 */
void mockgpu_hw_vram_freed(struct mockgpu_hw *hw, unsigned long first,
			   unsigned long npages)
{
	u64 size = (u64)npages << PAGE_SHIFT;
	void *memory;

	if (!READ_ONCE(hw->knobs.poison))
		return;

	memory = mockgpu_hw_vram_at(hw, (u64)first << PAGE_SHIFT, size);
	if (memory)
		memset(memory, MOCKGPU_HW_POISON, size);
}
