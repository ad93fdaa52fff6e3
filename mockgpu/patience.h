/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * How long something is tried again that others keep getting in the way of. On a
 * machine that is slow or has much else to do one attempt may take as long as that,
 * so there are some attempts in any case.
 */
#ifndef _MOCKGPU_PATIENCE_H_
#define _MOCKGPU_PATIENCE_H_

#include <linux/jiffies.h>
#include <linux/types.h>

#define MOCKGPU_PATIENCE	(2 * HZ)
#define MOCKGPU_PATIENCE_TRIES	8

struct mockgpu_patience {
	unsigned long deadline;
	unsigned int tries;
};

static inline void mockgpu_patience_begin(struct mockgpu_patience *patience)
{
	patience->deadline = jiffies + MOCKGPU_PATIENCE;
	patience->tries = 0;
}

/* After an attempt that came to nothing: is there time for another one? */
static inline bool mockgpu_patience_left(struct mockgpu_patience *patience)
{
	return ++patience->tries < MOCKGPU_PATIENCE_TRIES ||
	       time_before(jiffies, patience->deadline);
}

#endif
