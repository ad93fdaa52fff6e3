/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef MOCKGPU_SPACE_H
#define MOCKGPU_SPACE_H

#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>

#include <drm/drm_gpusvm.h>

#include "attr.h"
#include "config.h"

struct mm_struct;
struct mockgpu_svm;

/**
 * struct mockgpu_space - an address space that devices mirror
 * @base: what the SVM module knows of it
 * @link: place in the list of those that VMs share
 * @users: VMs that have it; see space.c
 * @lock: one change of ranges at a time; see space.c
 * @attrs: what the user wants; under @lock
 * @small_until: until then (jiffies) ranges are but a page, as others tear at
 *	the memory
 * @garbage_lock: protects @garbage
 * @garbage: ranges of which something was unmapped
 * @garbage_work: removes them
 * @count: how many seats there are
 * @seats: mirrors, each of a device; NULL where nobody sits. Changed under @lock
 *	and the notifier lock.
 */
struct mockgpu_space {
	struct drm_gpusvm base;
	struct list_head link;
	unsigned int users;
	struct mutex lock;		/* see space.c */
	struct mockgpu_attrs attrs;
	unsigned long small_until;
	spinlock_t garbage_lock;	/* a leaf */
	struct list_head garbage;
	struct work_struct garbage_work;
	unsigned int count;
	struct mockgpu_svm *seats[MOCKGPU_MAX_DEVICES];
};

/**
 * struct mockgpu_range - a range and what each device has of it
 * @base: what the SVM module knows of it
 * @garbage: not empty when the range is to go
 * @writable: bits of the seats for which the pages are writable in the page
 *	table, as long as they are valid
 * @pages: the seats' pages
 */
struct mockgpu_range {
	struct drm_gpusvm_range base;
	struct list_head garbage;
	unsigned long writable;
	struct drm_gpusvm_pages pages[];
};

static inline struct mockgpu_range *
to_mockgpu_range(struct drm_gpusvm_range *base)
{
	return container_of(base, struct mockgpu_range, base);
}

static inline unsigned long mockgpu_range_npages(struct mockgpu_range *range)
{
	return drm_gpusvm_range_size(&range->base) >> PAGE_SHIFT;
}

struct mockgpu_space *mockgpu_space_get(struct mm_struct *mm, bool shared);
void mockgpu_space_put(struct mockgpu_space *space);
int mockgpu_space_sit(struct mockgpu_space *space, struct mockgpu_svm *svm);
void mockgpu_space_rise(struct mockgpu_space *space, struct mockgpu_svm *svm);
void mockgpu_space_clear(struct mockgpu_space *space, struct mockgpu_svm *svm);

void mockgpu_space_collect_garbage(struct mockgpu_space *space);
void mockgpu_space_unbind(struct mockgpu_space *space,
			  struct mockgpu_range *range, unsigned int seat);
void mockgpu_space_remove(struct mockgpu_space *space,
			  struct mockgpu_range *range);

int mockgpu_space_module_init(void);
void mockgpu_space_module_exit(void);

#endif
