// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Sleep: a device that sleeps does not touch memory.
 *
 * Its registers, page tables and VRAM keep what they have, but VRAM that a test
 * wants to lose power loses that when the device is powered off. Jobs stop before their
 * next access and go on when it wakes; the time does not count. A device that is
 * halted is on the way there: its copy engine still works, so that VRAM can be
 * emptied, and nobody fills it again.
 *
 * Locks: none. Each access is inside of mockgpu_hw_power.users, and who puts the
 * device to sleep waits until all of them are over that may not have seen it.
 */
#include <linux/jiffies.h>

#include "internal.h"

/**
 * mockgpu_hw_power_init() - a device that is awake
 * @power: zeroed
 *
 * Context: Process context, may sleep.
 * Return: 0 or -ENOMEM.
 */
int mockgpu_hw_power_init(struct mockgpu_hw_power *power)
{
	return init_srcu_struct(&power->users);
}

/**
 * mockgpu_hw_power_fini() - undo mockgpu_hw_power_init()
 * @power: nobody uses the device any more
 *
 * Context: Process context, may sleep.
 */
void mockgpu_hw_power_fini(struct mockgpu_hw_power *power)
{
	cleanup_srcu_struct(&power->users);
}

/**
 * mockgpu_hw_power_get() - the device is about to touch memory
 * @hw: the device
 *
 * If it does not sleep now, it does not before mockgpu_hw_power_put().
 *
 * Context: Process context.
 * Return: what mockgpu_hw_power_put() wants.
 */
int mockgpu_hw_power_get(struct mockgpu_hw *hw) __acquires(&hw->power.users)
{
	return srcu_read_lock(&hw->power.users);
}

/**
 * mockgpu_hw_power_put() - the device has touched memory
 * @hw: the device
 * @idx: from mockgpu_hw_power_get()
 *
 * Context: Process context.
 */
void mockgpu_hw_power_put(struct mockgpu_hw *hw, int idx)
	__releases(&hw->power.users)
{
	srcu_read_unlock(&hw->power.users, idx);
}

/**
 * mockgpu_hw_halt() - stop the device, but not its copy engine
 * @hw: the device; it may also sleep
 *
 * When it returns, no job touches memory before mockgpu_hw_wake().
 *
 * Context: Process context, sleeps for as long as an access to one page.
 */
void mockgpu_hw_halt(struct mockgpu_hw *hw)
{
	WRITE_ONCE(hw->power.halted, true);
	WRITE_ONCE(hw->power.asleep, false);
	wake_up_all(&hw->copy_resumed);
	synchronize_srcu(&hw->power.users);
}

/**
 * mockgpu_hw_sleep() - put the device to sleep
 * @hw: the device
 *
 * When it returns, the device does not touch memory before mockgpu_hw_wake().
 *
 * Context: Process context, sleeps for as long as an access to one page.
 */
void mockgpu_hw_sleep(struct mockgpu_hw *hw)
{
	WRITE_ONCE(hw->power.halted, true);
	WRITE_ONCE(hw->power.asleep, true);
	synchronize_srcu(&hw->power.users);
}

/**
 * mockgpu_hw_power_off() - take the power from the device
 * @hw: the device, which sleeps; mockgpu_hw_wake() gives it back
 *
 * Context: Process context, may sleep.
 */
void mockgpu_hw_power_off(struct mockgpu_hw *hw)
{
	if (READ_ONCE(hw->knobs.vram_loses_power))
		mockgpu_hw_vram_lose(hw);
}

/**
 * mockgpu_hw_wake() - undo mockgpu_hw_sleep() and mockgpu_hw_halt()
 * @hw: the device
 *
 * Context: Any.
 */
void mockgpu_hw_wake(struct mockgpu_hw *hw)
{
	WRITE_ONCE(hw->power.asleep, false);
	WRITE_ONCE(hw->power.halted, false);
	wake_up_all(&hw->engine.wake);
	wake_up_all(&hw->copy_resumed);
}

/**
 * mockgpu_hw_is_asleep() - does the device sleep
 * @hw: the device
 *
 * Context: Any.
 * Return: true if it does.
 */
bool mockgpu_hw_is_asleep(const struct mockgpu_hw *hw)
{
	return READ_ONCE(hw->power.asleep);
}

/**
 * mockgpu_hw_is_halted() - must jobs not touch memory
 * @hw: the device
 *
 * Context: Any.
 * Return: true if it is halted or sleeps.
 */
bool mockgpu_hw_is_halted(const struct mockgpu_hw *hw)
{
	return READ_ONCE(hw->power.halted);
}
