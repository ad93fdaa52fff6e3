/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef GPUSVM_TEST_SPACE_H
#define GPUSVM_TEST_SPACE_H

#include <linux/kref.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>

#include <drm/drm_gpusvm.h>

#include "gpusvm_test.h"

struct gpusvm_test_args;

/* One device as an address space sees it. */
struct test_device {
	struct drm_device *drm;		/* a reference */
	void *owner;			/* whose memory it reaches, or NULL */
};

/*
 * The address space of whoever opened the file.
 *
 * Locks, from the outside in: lock -> a range's lock -> the notifier lock ->
 * dead_lock.
 */
struct test_space {
	struct drm_gpusvm gpusvm;
	struct kref refs;		/* the file's and one of each range */
	struct mutex lock;		/* around the ranges */
	spinlock_t dead_lock;		/* for @dead and @closed */
	struct list_head dead;
	struct work_struct collect;
	bool closed;
	struct test_device devices[GPUSVM_TEST_DEVICES];
};

struct test_range {
	struct drm_gpusvm_range base;
	struct mutex lock;		/* who maps it or takes it away */
	bool removed;
	struct drm_gpusvm_pages pages[GPUSVM_TEST_DEVICES];
	struct list_head dead;
};

/* The driver's own device. */
extern struct device *test_device;
extern struct drm_device *test_drm;

extern const struct drm_gpusvm_ops test_ops;
extern const unsigned long test_chunks[3];

static inline struct test_space *to_test_space(struct drm_gpusvm *gpusvm)
{
	return container_of(gpusvm, struct test_space, gpusvm);
}

static inline struct test_range *to_test_range(struct drm_gpusvm_range *range)
{
	return container_of(range, struct test_range, base);
}

static inline unsigned long test_range_pages(struct drm_gpusvm_range *range)
{
	return drm_gpusvm_range_size(range) >> PAGE_SHIFT;
}

/* Part of a test that runs in the kernel. */
#define EXPECT(condition)						\
do {									\
	if (!(condition)) {						\
		pr_err("%s:%d: not so: %s\n", __FILE__, __LINE__,	\
		       #condition);					\
		return -EILSEQ;						\
	}								\
} while (0)

int test_spaces_init(void);
void test_spaces_fini(void);
struct test_space *test_space_new(void);
void test_space_close(struct test_space *space);
void test_space_collect(struct test_space *space);
int test_keep(struct test_space *space, unsigned long addr);
void test_let_go(void);
void test_range_unmap(struct drm_gpusvm_range *base, bool in_notifier);

int test_fault(struct test_space *space, struct gpusvm_test_args *args);
int test_borrow(struct test_space *space, const struct gpusvm_test_args *args);
int test_remove(struct test_space *space, struct gpusvm_test_args *args);
int test_look(struct test_space *space, struct gpusvm_test_args *args,
	      bool evict);

int test_access(struct test_space *space, struct gpusvm_test_args *args);
int test_inspect(struct test_space *space, struct gpusvm_test_args *args);
int test_reach(struct gpusvm_test_args *args);
int test_translate(const struct drm_gpusvm_pages *pages, unsigned long npages,
		   unsigned long wanted, struct drm_pagemap_addr *found,
		   __u32 *entries);
void test_copy(dma_addr_t dma, void *buffer, size_t size, bool write);
struct drm_gpusvm_range *test_find(struct test_space *space,
				   unsigned long addr);

int test_pages_only(struct gpusvm_test_args *args);
int test_arguments_run(void);

#endif
