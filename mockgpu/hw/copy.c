// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The copy engine: whole pages between VRAM and other memory.
 */
#include <linux/delay.h>
#include <linux/dma-mapping.h>
#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/wait.h>

#include "internal.h"

/*
 * How long the engine can be held: longer than tests on the slowest of machines wait for
 * those who wait for it.
 */
#define MOCKGPU_HW_HOLD_MAX	(600 * HZ)

/* How many of @npages are done before the one that shall fail, if any is. */
static unsigned long mockgpu_hw_copy_budget(struct mockgpu_hw *hw,
					    unsigned long npages)
{
	unsigned long i;

	for (i = 0; i < npages; i++)
		if (mockgpu_hw_knob_hits(&hw->knobs.fail_copy))
			break;
	return i;
}

/**
 * mockgpu_hw_copy_init() - a copy engine that is not held
 * @hw: the device
 *
 * Context: Process context.
 */
void mockgpu_hw_copy_init(struct mockgpu_hw *hw)
{
	init_waitqueue_head(&hw->copy_resumed);
}

/**
 * mockgpu_hw_hold_copy() - keep the copy engine from working, or let it go on
 * @hw: the device
 * @hold: which
 *
 * Context: Any.
 */
void mockgpu_hw_hold_copy(struct mockgpu_hw *hw, bool hold)
{
	WRITE_ONCE(hw->knobs.hold_copy, hold);
	wake_up_all(&hw->copy_resumed);
}

static int mockgpu_hw_copy_wait(struct mockgpu_hw *hw)
{
	long left;

	if (!READ_ONCE(hw->knobs.hold_copy))
		return 0;

	atomic_inc(&hw->knobs.copies_held);
	left = wait_event_killable_timeout(hw->copy_resumed,
					   !READ_ONCE(hw->knobs.hold_copy),
					   MOCKGPU_HW_HOLD_MAX);
	atomic_dec(&hw->knobs.copies_held);
	return left < 0 ? -EINTR : 0;
}

/* There is an end to each sleep. */
static int mockgpu_hw_copy_wait_awake(struct mockgpu_hw *hw)
{
	return wait_event_killable(hw->copy_resumed,
				   !READ_ONCE(hw->power.asleep)) ? -EINTR : 0;
}

/**
 * mockgpu_hw_copy_begin() - start a command of the copy engine
 * @hw: the device
 *
 * Context: Process context, may sleep.
 * Return: 0, or -EINTR when the engine is held or sleeps and the caller was killed.
 */
int mockgpu_hw_copy_begin(struct mockgpu_hw *hw)
{
	u32 delay = READ_ONCE(hw->knobs.copy_delay_us);

	might_sleep();
	if (delay)
		fsleep(delay);
	return mockgpu_hw_copy_wait(hw) ?: mockgpu_hw_copy_wait_awake(hw);
}

/**
 * mockgpu_hw_copy_in() - copy into VRAM
 * @hw: the device
 * @first: first VRAM page
 * @from: the source, one mapping or a part of it
 * @npages: how many pages
 *
 * Context: Process context.
 * Return: 0, or -EIO for a bad address or when told to fail.
 */
int mockgpu_hw_copy_in(struct mockgpu_hw *hw, unsigned long first,
		       struct mockgpu_hw_addr from, unsigned long npages)
{
	struct mockgpu_hw_target source = {
		.at = from,
		.size = npages << PAGE_SHIFT,
		.dir = DMA_TO_DEVICE,
	};
	size_t size = mockgpu_hw_copy_budget(hw, npages) << PAGE_SHIFT;
	u64 offset = (u64)first << PAGE_SHIFT;
	void *to = mockgpu_hw_vram_begin(hw, offset, source.size,
					 DMA_FROM_DEVICE);
	int ret;

	if (!to || mockgpu_hw_target_begin(hw, &source))
		return -EIO;

	memcpy(to, source.memory, size);
	mockgpu_hw_vram_end(hw, offset, size, DMA_FROM_DEVICE);
	atomic64_add(size, &hw->bytes_copied_in);
	ret = mockgpu_hw_target_end(hw, &source);
	return size < source.size ? -EIO : ret;
}

/**
 * mockgpu_hw_copy_out() - copy out of VRAM
 * @hw: the device
 * @first: first VRAM page
 * @to: the destination, one mapping or a part of it
 * @npages: how many pages
 *
 * Context: Process context.
 * Return: 0, or -EIO for a bad address or when told to fail.
 */
int mockgpu_hw_copy_out(struct mockgpu_hw *hw, unsigned long first,
			struct mockgpu_hw_addr to, unsigned long npages)
{
	struct mockgpu_hw_target dest = {
		.at = to,
		.size = npages << PAGE_SHIFT,
		.dir = DMA_FROM_DEVICE,
	};
	size_t size = mockgpu_hw_copy_budget(hw, npages) << PAGE_SHIFT;
	void *from = mockgpu_hw_vram_begin(hw, (u64)first << PAGE_SHIFT,
					   dest.size, DMA_TO_DEVICE);
	int ret;

	if (!from || mockgpu_hw_target_begin(hw, &dest))
		return -EIO;

	memcpy(dest.memory, from, size);
	atomic64_add(size, &hw->bytes_copied_out);
	ret = mockgpu_hw_target_end(hw, &dest);
	return size < dest.size ? -EIO : ret;
}

/**
 * mockgpu_hw_clear() - fill VRAM with zeroes
 * @hw: the device
 * @first: first VRAM page
 * @npages: how many
 *
 * Context: Any.
 * Return: 0, or -EIO for a bad address or when told to fail.
 */
int mockgpu_hw_clear(struct mockgpu_hw *hw, unsigned long first,
		     unsigned long npages)
{
	size_t asked = npages << PAGE_SHIFT;
	size_t size = mockgpu_hw_copy_budget(hw, npages) << PAGE_SHIFT;
	u64 offset = (u64)first << PAGE_SHIFT;
	void *to = mockgpu_hw_vram_begin(hw, offset, asked, DMA_FROM_DEVICE);

	if (!to)
		return -EIO;

	memset(to, 0, size);
	mockgpu_hw_vram_end(hw, offset, size, DMA_FROM_DEVICE);
	return size < asked ? -EIO : 0;
}
