// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * What the device caught its driver at: how often, by name, and the last ones in
 * detail.
 *
 * Locks: mockgpu_hw_errors.lock is taken in any context, with interrupts off, and
 * nothing is taken inside of it but what printing needs.
 */
#include <linux/atomic.h>
#include <linux/device.h>
#include <linux/kernel.h>
#include <linux/ratelimit.h>
#include <linux/sched.h>
#include <linux/string.h>
#include <linux/timekeeping.h>

#include "internal.h"

/* Of all devices, also of those that are gone. */
static atomic64_t mockgpu_hw_errors_of_module;

static const char * const mockgpu_hw_error_names[MOCKGPU_HW_ERROR_KINDS] = {
	[MOCKGPU_HW_STALE_TRANSLATION] = "stale_translation",
	[MOCKGPU_HW_WRONG_GENERATION] = "wrong_generation",
	[MOCKGPU_HW_DMA_UNMAPPED] = "dma_unmapped",
	[MOCKGPU_HW_DMA_DIRECTION] = "dma_direction",
	[MOCKGPU_HW_DMA_TAKEN_AWAY] = "dma_taken_away",
	[MOCKGPU_HW_DMA_NO_MEMORY] = "dma_no_memory",
	[MOCKGPU_HW_DMA_BAD_UNMAP] = "dma_bad_unmap",
	[MOCKGPU_HW_DMA_LEFT_MAPPED] = "dma_left_mapped",
	[MOCKGPU_HW_VRAM_OUTSIDE] = "vram_outside",
	[MOCKGPU_HW_VRAM_NOT_ALLOCATED] = "vram_not_allocated",
	[MOCKGPU_HW_VRAM_NOT_CLEARED] = "vram_not_cleared",
	[MOCKGPU_HW_VRAM_FREED_MAPPED] = "vram_freed_mapped",
	[MOCKGPU_HW_LINK_UNMAPPED] = "link_unmapped",
	[MOCKGPU_HW_LINK_TAKEN_AWAY] = "link_taken_away",
	[MOCKGPU_HW_LINK_BAD_UNMAP] = "link_bad_unmap",
	[MOCKGPU_HW_SPACE_LEFT_MAPPED] = "space_left_mapped",
};

/**
 * mockgpu_hw_error_name() - what a kind of mistake is called
 * @kind: the kind
 *
 * Context: Any.
 * Return: the name.
 */
const char *mockgpu_hw_error_name(enum mockgpu_hw_error_kind kind)
{
	return mockgpu_hw_error_names[kind];
}

/**
 * mockgpu_hw_errors_init() - nothing was caught yet
 * @errors: zeroed
 *
 * Context: Process context.
 */
void mockgpu_hw_errors_init(struct mockgpu_hw_errors *errors)
{
	unsigned int kind;

	spin_lock_init(&errors->lock);
	for (kind = 0; kind < MOCKGPU_HW_ERROR_KINDS; kind++)
		ratelimit_state_init(&errors->limits[kind],
				     DEFAULT_RATELIMIT_INTERVAL, 2);
}

static void mockgpu_hw_errors_record(struct mockgpu_hw_errors *errors,
				     enum mockgpu_hw_error_kind kind,
				     const struct va_format *text)
{
	struct mockgpu_hw_error_record *record;
	unsigned long flags;

	spin_lock_irqsave(&errors->lock, flags);
	errors->counts[kind]++;
	record = &errors->records[errors->next++ % MOCKGPU_HW_ERROR_RECORDS];
	*record = (struct mockgpu_hw_error_record){
		.time_ns = ktime_get_boottime_ns(),
		.kind = kind,
		.pid = task_pid_nr(current),
	};
	snprintf(record->text, sizeof(record->text), "%pV", text);
	atomic64_inc(&mockgpu_hw_errors_of_module);
	spin_unlock_irqrestore(&errors->lock, flags);
}

/**
 * mockgpu_hw_error() - the driver was caught
 * @hw: the device
 * @kind: at what
 * @format: what it was in detail
 *
 * Context: Any.
 */
void mockgpu_hw_error(struct mockgpu_hw *hw, enum mockgpu_hw_error_kind kind,
		      const char *format, ...)
{
	struct va_format vaf = { .fmt = format };
	va_list args;

	va_start(args, format);
	vaf.va = &args;
	mockgpu_hw_errors_record(&hw->errors, kind, &vaf);
	va_end(args);

	if (!__ratelimit(&hw->errors.limits[kind]))
		return;
	va_start(args, format);
	vaf.va = &args;
	dev_err(hw->dev, "device error: %s: %pV\n",
		mockgpu_hw_error_name(kind), &vaf);
	va_end(args);
}

/**
 * mockgpu_hw_error_blame() - say where the last mistake came from
 * @hw: the device
 * @space: number of the address space
 * @addr: user address
 *
 * Context: Any; the caller is the one who ran into it.
 */
void mockgpu_hw_error_blame(struct mockgpu_hw *hw, u64 space, u64 addr)
{
	struct mockgpu_hw_errors *errors = &hw->errors;
	struct mockgpu_hw_error_record *record;
	unsigned long flags;
	unsigned int i;

	spin_lock_irqsave(&errors->lock, flags);
	for (i = 1; i <= min(errors->next, MOCKGPU_HW_ERROR_RECORDS); i++) {
		record = &errors->records[(errors->next - i) %
					  MOCKGPU_HW_ERROR_RECORDS];
		if (record->pid != task_pid_nr(current))
			continue;
		record->space = space;
		record->addr = addr;
		break;
	}
	spin_unlock_irqrestore(&errors->lock, flags);
}

/**
 * mockgpu_hw_error_count() - how often was the driver caught
 * @hw: the device
 * @kind: at what
 *
 * Context: Any.
 * Return: how often, since mockgpu_hw_errors_forget().
 */
u64 mockgpu_hw_error_count(struct mockgpu_hw *hw,
			   enum mockgpu_hw_error_kind kind)
{
	struct mockgpu_hw_errors *errors = &hw->errors;
	unsigned long flags;
	u64 count;

	spin_lock_irqsave(&errors->lock, flags);
	count = errors->counts[kind];
	spin_unlock_irqrestore(&errors->lock, flags);

	return count;
}

/**
 * mockgpu_hw_errors_total() - how often was the driver caught at anything
 * @hw: the device
 *
 * Context: Any.
 * Return: how often, since mockgpu_hw_errors_forget().
 */
u64 mockgpu_hw_errors_total(struct mockgpu_hw *hw)
{
	unsigned int kind;
	u64 total = 0;

	for (kind = 0; kind < MOCKGPU_HW_ERROR_KINDS; kind++)
		total += mockgpu_hw_error_count(hw, kind);
	return total;
}

/**
 * mockgpu_hw_errors_ever() - how often was any driver of a device caught
 *
 * What a device catches while it goes can be asked for here only.
 *
 * Context: Any.
 * Return: how often, of all devices since the module was loaded, without what
 * mockgpu_hw_errors_forget() was told to forget.
 */
u64 mockgpu_hw_errors_ever(void)
{
	return atomic64_read(&mockgpu_hw_errors_of_module);
}

/**
 * mockgpu_hw_errors_forget() - count from 0 again
 * @hw: the device
 *
 * What mistakes made on purpose have left behind goes as well.
 *
 * Context: Any.
 */
void mockgpu_hw_errors_forget(struct mockgpu_hw *hw)
{
	struct mockgpu_hw_errors *errors = &hw->errors;
	unsigned long flags;
	unsigned int kind;
	u64 total = 0;

	spin_lock_irqsave(&errors->lock, flags);
	for (kind = 0; kind < MOCKGPU_HW_ERROR_KINDS; kind++)
		total += errors->counts[kind];
	memset(errors->counts, 0, sizeof(errors->counts));
	atomic64_sub(total, &mockgpu_hw_errors_of_module);
	spin_unlock_irqrestore(&errors->lock, flags);
	mockgpu_hw_iommu_drop_lost(hw);
}

/**
 * mockgpu_hw_errors_read() - the last mistakes, oldest first
 * @hw: the device
 * @records: room for MOCKGPU_HW_ERROR_RECORDS
 *
 * Context: Any.
 * Return: how many there are.
 */
unsigned int mockgpu_hw_errors_read(struct mockgpu_hw *hw,
				    struct mockgpu_hw_error_record *records)
{
	struct mockgpu_hw_errors *errors = &hw->errors;
	unsigned long flags;
	unsigned int i, count;

	spin_lock_irqsave(&errors->lock, flags);
	count = min(errors->next, MOCKGPU_HW_ERROR_RECORDS);
	for (i = 0; i < count; i++)
		records[i] = errors->records[(errors->next - count + i) %
					     MOCKGPU_HW_ERROR_RECORDS];
	spin_unlock_irqrestore(&errors->lock, flags);

	return count;
}

/**
 * mockgpu_hw_errors_clear() - forget the last mistakes, but not how many
 * @hw: the device
 *
 * Context: Any.
 */
void mockgpu_hw_errors_clear(struct mockgpu_hw *hw)
{
	struct mockgpu_hw_errors *errors = &hw->errors;
	unsigned long flags;

	spin_lock_irqsave(&errors->lock, flags);
	errors->next = 0;
	spin_unlock_irqrestore(&errors->lock, flags);
}
