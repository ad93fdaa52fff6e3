/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef MOCKGPU_ROOM_H
#define MOCKGPU_ROOM_H

#include <linux/types.h>

struct mockgpu_device;

/**
 * struct mockgpu_room - VRAM that is wanted while there is none
 * @npages: how many pages in one piece
 * @last: serial of the newest allocation that may go for it
 * @call: the command it is for, whose own allocations stay; 0 for none
 * @firm: if need be, also what came but moments ago goes
 * @lost: how long (jiffies) those who want it have tried what could not go, zero at
 *	first; counted on
 */
struct mockgpu_room {
	unsigned long npages;
	u64 last;
	u64 call;
	bool firm;
	unsigned long *lost;
};

int mockgpu_room_make(struct mockgpu_device *mdev,
		      const struct mockgpu_room *room);

#endif
