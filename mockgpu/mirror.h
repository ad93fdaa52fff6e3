/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef MOCKGPU_MIRROR_H
#define MOCKGPU_MIRROR_H

#include <linux/hmm.h>
#include <linux/mmu_notifier.h>
#include <linux/mutex.h>
#include <linux/sizes.h>

struct mm_struct;

/* What is looked at in one go. */
#define MOCKGPU_MIRROR_PAGES	(SZ_2M >> PAGE_SHIFT)

/**
 * struct mockgpu_mirror - a look at the pages of an address space
 * @notifier: says when the pages change
 * @mm: the address space
 * @lock: while it is held, @pfns are true
 * @pfns: what hmm_range_fault() found
 */
struct mockgpu_mirror {
	struct mmu_interval_notifier notifier;
	struct mm_struct *mm;
	struct mutex lock;	/* see mirror.c */
	unsigned long pfns[MOCKGPU_MIRROR_PAGES];
};

int mockgpu_mirror_prepare(struct mm_struct *mm);
int mockgpu_mirror_open(struct mockgpu_mirror *mirror, struct mm_struct *mm,
			unsigned long start, unsigned long end);
void mockgpu_mirror_close(struct mockgpu_mirror *mirror);
int mockgpu_mirror_lock(struct mockgpu_mirror *mirror,
			unsigned long start, unsigned long end, void *owner);
int mockgpu_mirror_try_look(struct mockgpu_mirror *mirror,
			    unsigned long start, unsigned long end,
			    void *owner);
void mockgpu_mirror_unlock(struct mockgpu_mirror *mirror);

#endif
