/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Delays between two stages, so that what others do meanwhile happens meanwhile: only
 * in a build that is to look for races (GSB_DELAYS, as by scripts/vm --delays), and
 * nothing at all in any other.
 */
#ifndef _GSB_DELAY_H_
#define _GSB_DELAY_H_

#ifdef GSB_DELAYS

#include <linux/delay.h>
#include <linux/random.h>

/* Mostly none, often one that others can use, now and then one that they must notice. */
static inline void gsb_delay(void)
{
	unsigned int dice = get_random_u32() % 64;

	might_sleep();
	if (!dice)
		msleep(20);
	else if (dice < 12)
		usleep_range(20, 1000);
}

/* The same where nobody may sleep. */
static inline void gsb_delay_atomic(void)
{
	unsigned int dice = get_random_u32() % 64;

	if (dice < 8)
		udelay(10 * dice);
}

#else

static inline void gsb_delay(void)
{
}

static inline void gsb_delay_atomic(void)
{
}

#endif

#endif
