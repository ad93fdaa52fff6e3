// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The memory of the device, by page number or byte offset.
 *
 * It knows which pages the driver has given out, which of them have got contents
 * since then, and how often each one was freed: use of any other, a look at what
 * the last user left behind, a translation that is older than the last free and a
 * free of what is still mapped are mistakes of the driver.
 *
 * Locks: mockgpu_hw_vram.lock is taken in any context, with interrupts off, and
 * nothing is taken inside of it but mockgpu_hw_errors.lock.
 */
#include <linux/bitmap.h>
#include <linux/io.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "internal.h"

/* What a freed page is filled with, so that a use of it shows. */
#define MOCKGPU_HW_POISON	0x5a
/* What is in VRAM when it gets power again. */
#define MOCKGPU_HW_NOISE	0xa7
/* What a page looks like while it is being cleared. */
#define MOCKGPU_HW_SCRUB	0xc3

/**
 * mockgpu_hw_vram_init() - no VRAM
 * @vram: zeroed
 *
 * Context: Process context.
 */
void mockgpu_hw_vram_init(struct mockgpu_hw_vram *vram)
{
	spin_lock_init(&vram->lock);
}

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
	int ret;

	if (!base)
		return -ENOMEM;

	ret = mockgpu_hw_vram_use(hw, base, npages);
	if (ret)
		vfree(base);
	else
		hw->vram.set_aside = true;
	return ret;
}

static unsigned long *mockgpu_hw_vram_new_map(unsigned long npages)
{
	return kvcalloc(BITS_TO_LONGS(npages), sizeof(unsigned long),
			GFP_KERNEL);
}

static void mockgpu_hw_vram_free_maps(struct mockgpu_hw_vram *vram)
{
	kvfree(vram->used);
	vram->used = NULL;
	kvfree(vram->written);
	vram->written = NULL;
	kvfree(vram->pages);
	vram->pages = NULL;
	kvfree(vram->touched);
	vram->touched = NULL;
}

/**
 * mockgpu_hw_vram_use() - give the device memory that exists
 * @hw: the device, without VRAM
 * @base: where the CPU sees the memory, until mockgpu_hw_vram_drop()
 * @npages: how much
 *
 * Context: Process context, may sleep.
 * Return: 0, or -ENOMEM.
 */
int mockgpu_hw_vram_use(struct mockgpu_hw *hw, void *base,
			unsigned long npages)
{
	struct mockgpu_hw_vram *vram = &hw->vram;

	vram->used = mockgpu_hw_vram_new_map(npages);
	vram->written = mockgpu_hw_vram_new_map(npages);
	vram->pages = kvcalloc(npages, sizeof(*vram->pages), GFP_KERNEL);
	vram->touched = mockgpu_hw_vram_new_map(npages);
	if (!vram->used || !vram->written || !vram->pages || !vram->touched) {
		mockgpu_hw_vram_free_maps(vram);
		return -ENOMEM;
	}

	vram->base = base;
	vram->npages = npages;
	return 0;
}

/**
 * mockgpu_hw_vram_map() - give the device memory that is behind a bus
 * @hw: the device, without VRAM
 * @start: physical address; it stays there until mockgpu_hw_vram_drop()
 * @npages: how much
 *
 * Context: Process context, may sleep.
 * Return: 0, or -ENOMEM.
 */
int mockgpu_hw_vram_map(struct mockgpu_hw *hw, phys_addr_t start,
			unsigned long npages)
{
	void *base = memremap(start, (size_t)npages << PAGE_SHIFT,
			      MEMREMAP_WB | MEMREMAP_WC);
	int ret;

	if (!base)
		return -ENOMEM;

	ret = mockgpu_hw_vram_use(hw, base, npages);
	if (ret)
		memunmap(base);
	else
		hw->vram.mapped = true;
	return ret;
}

/**
 * mockgpu_hw_vram_drop() - take the VRAM away, also from linked devices
 * @hw: the device; it must not be using any
 *
 * Context: Process context, may sleep.
 */
void mockgpu_hw_vram_drop(struct mockgpu_hw *hw)
{
	struct mockgpu_hw_vram *vram = &hw->vram;

	mockgpu_hw_link_detach(hw);
	vram->npages = 0;
	if (vram->set_aside)
		vfree(vram->base);
	else if (vram->mapped)
		memunmap(vram->base);
	mockgpu_hw_vram_free_maps(vram);
	vram->set_aside = false;
	vram->mapped = false;
	vram->base = NULL;
}

/* NULL when there is none. */
static struct mockgpu_hw_vram_page *
mockgpu_hw_vram_page(struct mockgpu_hw *hw, u64 offset)
{
	unsigned long index = PHYS_PFN(offset);

	return index < hw->vram.npages ? &hw->vram.pages[index] : NULL;
}

/**
 * mockgpu_hw_vram_generation() - what a translation is made for
 * @hw: the device
 * @offset: a byte of the page
 *
 * Context: Any.
 * Return: the generation of the page, as far as there is room for it; 0 when there
 * is none.
 */
u8 mockgpu_hw_vram_generation(struct mockgpu_hw *hw, u64 offset)
{
	struct mockgpu_hw_vram_page *page = mockgpu_hw_vram_page(hw, offset);

	return page ? READ_ONCE(page->generation) & MOCKGPU_HW_GENERATION_MASK :
		      0;
}

/**
 * mockgpu_hw_vram_count_mapped() - more or fewer translations lead to a page
 * @hw: the device
 * @offset: a byte of the page
 * @more: how many
 *
 * Context: Any.
 */
void mockgpu_hw_vram_count_mapped(struct mockgpu_hw *hw, u64 offset, int more)
{
	struct mockgpu_hw_vram_page *page = mockgpu_hw_vram_page(hw, offset);

	if (page)
		atomic_add(more, &page->mapped);
}

/**
 * mockgpu_hw_vram_has() - is there such a piece of VRAM
 * @hw: the device
 * @offset: first byte of the piece
 * @size: bytes
 *
 * Context: Any.
 * Return: true if there is; if not, the driver has been caught.
 */
bool mockgpu_hw_vram_has(struct mockgpu_hw *hw, u64 offset, u64 size)
{
	u64 total = (u64)hw->vram.npages << PAGE_SHIFT;

	if (offset <= total && size <= total - offset)
		return true;

	mockgpu_hw_error(hw, MOCKGPU_HW_VRAM_OUTSIDE,
			 "%llu bytes at VRAM offset 0x%llx: there are only %llu",
			 size, offset, total);
	return false;
}

static bool mockgpu_hw_all_set(struct mockgpu_hw_vram *vram,
			       const unsigned long *map, unsigned long first,
			       unsigned long npages)
{
	unsigned long end = first + npages;
	unsigned long flags;
	bool all;

	spin_lock_irqsave(&vram->lock, flags);
	all = find_next_zero_bit(map, end, first) >= end;
	spin_unlock_irqrestore(&vram->lock, flags);

	return all;
}

static bool mockgpu_hw_vram_check(struct mockgpu_hw *hw, unsigned long first,
				  unsigned long npages,
				  enum dma_data_direction dir)
{
	struct mockgpu_hw_vram *vram = &hw->vram;

	if (!mockgpu_hw_all_set(vram, vram->used, first, npages)) {
		mockgpu_hw_error(hw, MOCKGPU_HW_VRAM_NOT_ALLOCATED,
				 "VRAM pages %lu to %lu are not all allocated",
				 first, first + npages - 1);
		return false;
	}
	if (dir != DMA_FROM_DEVICE &&
	    !mockgpu_hw_all_set(vram, vram->written, first, npages)) {
		mockgpu_hw_error(hw, MOCKGPU_HW_VRAM_NOT_CLEARED,
				 "VRAM pages %lu to %lu are read before all were written",
				 first, first + npages - 1);
		return false;
	}
	return true;
}

/**
 * mockgpu_hw_vram_begin() - a piece of VRAM is about to be used
 * @hw: the device
 * @offset: first byte of the piece
 * @size: bytes, not 0
 * @dir: DMA_TO_DEVICE to read, DMA_FROM_DEVICE to write, or both
 *
 * Context: Any.
 * Return: the memory, or NULL when the driver has been caught.
 */
void *mockgpu_hw_vram_begin(struct mockgpu_hw *hw, u64 offset, u64 size,
			    enum dma_data_direction dir)
{
	unsigned long first = PHYS_PFN(offset);
	unsigned long last = PHYS_PFN(offset + size - 1);

	if (!mockgpu_hw_vram_has(hw, offset, size) ||
	    !mockgpu_hw_vram_check(hw, first, last - first + 1, dir))
		return NULL;
	return hw->vram.base + offset;
}

/**
 * mockgpu_hw_vram_end() - a piece of VRAM has been used
 * @hw: the device
 * @offset: first byte of the piece, as from mockgpu_hw_vram_begin()
 * @size: bytes that were used, may be 0
 * @dir: as for mockgpu_hw_vram_begin()
 *
 * Context: Any.
 */
void mockgpu_hw_vram_end(struct mockgpu_hw *hw, u64 offset, u64 size,
			 enum dma_data_direction dir)
{
	struct mockgpu_hw_vram *vram = &hw->vram;
	unsigned long first = PHYS_PFN(offset);
	unsigned long flags;

	if (dir == DMA_TO_DEVICE || !size)
		return;

	spin_lock_irqsave(&vram->lock, flags);
	bitmap_set(vram->written, first,
		   PHYS_PFN(offset + size - 1) - first + 1);
	spin_unlock_irqrestore(&vram->lock, flags);
}

/**
 * mockgpu_hw_vram_touch() - note that a page is in use, not only there
 * @hw: the device
 * @offset: a byte of the page, which exists
 *
 * Context: Any.
 */
void mockgpu_hw_vram_touch(struct mockgpu_hw *hw, u64 offset)
{
	unsigned long *touched = hw->vram.touched;

	/* Most of the time it is set, and then nobody has to write. */
	if (!test_bit(PHYS_PFN(offset), touched))
		set_bit(PHYS_PFN(offset), touched);
}

/**
 * mockgpu_hw_vram_test_touched() - have pages been used since the last time
 * @hw: the device
 * @first: first VRAM page
 * @npages: how many
 *
 * What copies and clears do is no use. As with the access bits of a page table
 * it is known that there was one, but not when.
 *
 * Context: Any.
 * Return: true if so; from now on they have not.
 */
bool mockgpu_hw_vram_test_touched(struct mockgpu_hw *hw, unsigned long first,
				  unsigned long npages)
{
	unsigned long *touched = hw->vram.touched;
	unsigned long page, end = first + npages;
	bool any = false;

	for (page = find_next_bit(touched, end, first); page < end;
	     page = find_next_bit(touched, end, page + 1)) {
		clear_bit(page, touched);
		any = true;
	}
	return any;
}

/**
 * mockgpu_hw_vram_taken() - the driver gives these pages to somebody
 * @hw: the device
 * @first: first VRAM page
 * @npages: how many
 *
 * Context: Any.
 */
void mockgpu_hw_vram_taken(struct mockgpu_hw *hw, unsigned long first,
			   unsigned long npages)
{
	struct mockgpu_hw_vram *vram = &hw->vram;
	unsigned long flags;

	mockgpu_hw_vram_test_touched(hw, first, npages);
	spin_lock_irqsave(&vram->lock, flags);
	bitmap_set(vram->used, first, npages);
	bitmap_clear(vram->written, first, npages);
	spin_unlock_irqrestore(&vram->lock, flags);
}

/**
 * mockgpu_hw_vram_scrub() - overwrite pages, then fill them with zeroes
 * @hw: the device
 * @first: first VRAM page
 * @npages: how many
 *
 * Context: Any.
 */
void mockgpu_hw_vram_scrub(struct mockgpu_hw *hw, unsigned long first,
			   unsigned long npages)
{
	u64 offset = (u64)first << PAGE_SHIFT;
	u64 size = (u64)npages << PAGE_SHIFT;
	void *memory;

	memory = mockgpu_hw_vram_begin(hw, offset, size, DMA_FROM_DEVICE);
	if (!memory)
		return;

	memset(memory, MOCKGPU_HW_SCRUB, size);
	memset(memory, 0, size);
	mockgpu_hw_vram_end(hw, offset, size, DMA_FROM_DEVICE);
}

/**
 * mockgpu_hw_vram_lose() - there is no power, so all of VRAM is lost
 * @hw: the device, which sleeps
 *
 * Context: Process context, may sleep.
 */
void mockgpu_hw_vram_lose(struct mockgpu_hw *hw)
{
	struct mockgpu_hw_vram *vram = &hw->vram;
	unsigned long i;

	for (i = 0; i < vram->npages; i++) {
		memset(vram->base + (i << PAGE_SHIFT), MOCKGPU_HW_NOISE,
		       PAGE_SIZE);
		cond_resched();
	}
}

/* From now on older translations are wrong; there should be none. */
static void mockgpu_hw_vram_end_generation(struct mockgpu_hw *hw,
					   unsigned long first,
					   unsigned long npages)
{
	struct mockgpu_hw_vram_page *pages = hw->vram.pages;
	unsigned long i, mapped = 0;

	lockdep_assert_held(&hw->vram.lock);

	for (i = first; i < first + npages; i++) {
		mapped += atomic_read(&pages[i].mapped) > 0;
		WRITE_ONCE(pages[i].generation, pages[i].generation + 1);
	}
	if (mapped)
		mockgpu_hw_error(hw, MOCKGPU_HW_VRAM_FREED_MAPPED,
				 "%lu of VRAM pages %lu to %lu are freed while mapped",
				 mapped, first, first + npages - 1);
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
	u64 offset = (u64)first << PAGE_SHIFT;
	u64 size = (u64)npages << PAGE_SHIFT;
	struct mockgpu_hw_vram *vram = &hw->vram;
	unsigned long flags;

	if (READ_ONCE(hw->knobs.poison))
		memset(vram->base + offset, MOCKGPU_HW_POISON, size);

	spin_lock_irqsave(&vram->lock, flags);
	bitmap_clear(vram->used, first, npages);
	mockgpu_hw_vram_end_generation(hw, first, npages);
	spin_unlock_irqrestore(&vram->lock, flags);
}
