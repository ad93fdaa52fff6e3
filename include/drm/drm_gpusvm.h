/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Ranges of an address space that a device uses: the drm_gpusvm interface of
 * Linux 7.3.
 *
 * Names, types and signatures are those the kernel publishes. What was added
 * stands at the end of its structure and is marked "Addition". The kernel also
 * declares drm_gpusvm_free(), but has no such function.
 */
#ifndef _DRM_GPUSVM_BACKPORT_GPUSVM_H_
#define _DRM_GPUSVM_BACKPORT_GPUSVM_H_

#ifdef __DRM_GPUSVM_H__
#error "the kernel's own header came first: put our include/ before it in LINUXINCLUDE"
#endif
/* A later include of the kernel's header must not mix in a second set. */
#define __DRM_GPUSVM_H__

#include <linux/dma-mapping.h>
#include <linux/interval_tree.h>
#include <linux/kref.h>
#include <linux/limits.h>
#include <linux/list.h>
#include <linux/mmu_notifier.h>
#include <linux/mutex.h>
#include <linux/rbtree.h>
#include <linux/refcount.h>
#include <linux/rwsem.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/types.h>

#include <drm/drm_gpusvm_backport.h>

struct dev_pagemap;
struct dev_pagemap_ops;
struct drm_device;
struct drm_gpusvm;
struct drm_gpusvm_map;
struct drm_gpusvm_notifier;
struct drm_gpusvm_range;
struct drm_pagemap;
struct drm_pagemap_addr;

/* Kernels without IOVA reservations; this macro came with the structure. */
#ifndef DMA_IOVA_USE_SWIOTLB
struct dma_iova_state {
	dma_addr_t addr;
	u64 __size;
};
#endif

/**
 * struct drm_gpusvm_ops - what a driver does for its address spaces
 */
struct drm_gpusvm_ops {
	/**
	 * @notifier_alloc: Allocate a notifier, embedded in an object of the
	 * driver (optional; together with @notifier_free). May sleep. NULL or
	 * an error pointer when there is no memory.
	 */
	struct drm_gpusvm_notifier *(*notifier_alloc)(void);

	/**
	 * @notifier_free: Free what @notifier_alloc returned (optional).
	 */
	void (*notifier_free)(struct drm_gpusvm_notifier *notifier);

	/**
	 * @range_alloc: Allocate a range, embedded in an object of the driver
	 * that also has the range's pages objects (optional; together with
	 * @range_free). May sleep. NULL or an error pointer when there is no
	 * memory.
	 */
	struct drm_gpusvm_range *(*range_alloc)(struct drm_gpusvm *gpusvm);

	/**
	 * @range_free: The last reference is gone (optional). Calls
	 * drm_gpusvm_free_pages() for each pages object and frees the range.
	 * Never called with the notifier lock held.
	 */
	void (*range_free)(struct drm_gpusvm_range *range);

	/**
	 * @invalidate: The CPU is about to change its page table (required).
	 *
	 * On return the device must not reach what lies in @mmu_range any
	 * more: its page table entries are gone, its TLB is flushed and
	 * drm_gpusvm_unmap_pages() was called for the pages objects. Called
	 * for every kind of event with the notifier lock held for writing, also
	 * in reclaim: may sleep, but not allocate and not wait for anything
	 * that does. References are not dropped here but from a worker.
	 */
	void (*invalidate)(struct drm_gpusvm *gpusvm,
			   struct drm_gpusvm_notifier *notifier,
			   const struct mmu_notifier_range *mmu_range);
};

/**
 * struct drm_gpusvm_notifier - a window of the address space that is watched
 * @gpusvm: whose window it is
 * @notifier: how core mm tells of changes
 * @itree: place in the tree of notifiers
 * @entry: place in the list of notifiers, by address
 * @root: tree of the ranges in the window
 * @range_list: list of the ranges, by address
 * @flags: state
 * @flags.removed: core mm does not tell of changes any more
 * @refs: Addition. One while it is in the tree and one for each range
 */
struct drm_gpusvm_notifier {
	struct drm_gpusvm *gpusvm;
	struct mmu_interval_notifier notifier;
	struct interval_tree_node itree;
	struct list_head entry;
	struct rb_root_cached root;
	struct list_head range_list;
	struct {
		u32 removed : 1;
	} flags;
	refcount_t refs;
};

/**
 * struct drm_gpusvm_pages_flags - state of a pages object
 * @unmapped: the process has unmapped the memory, or a part of it
 * @has_devmem_pages: some are in device memory
 * @has_dma_mapping: they are mapped
 * @__flags: all of them, to read at once without a lock
 *
 * Written under the notifier lock.
 */
struct drm_gpusvm_pages_flags {
	union {
		struct {
			u16 unmapped : 1;
			u16 has_devmem_pages : 1;
			u16 has_dma_mapping : 1;
		};
		u16 __flags;
	};
};

/**
 * struct drm_gpusvm_pages - how one device reaches the pages of a range
 * @drm: the device
 * @dma_addr: addresses of the pages. An entry of order n stands for 2^n pages,
 *	the next entry is for the pages after them. Its direction tells if the device may
 *	write. It is as long as the range, but its address need not be aligned
 *	to its order
 * @dpagemap: whose device memory is among them; NULL if there is none, or from
 *	several pagemaps
 * @state: the reservation of device addresses, if there is one
 * @state_offset: bytes of it that are in use
 * @notifier_seq: sequence number of the notifier the pages were got at
 * @flags: state
 * @lock: Addition. Keeps those apart who map, unmap and free at the same time;
 *	outside of the notifier lock
 * @map: Addition. What is mapped, for the module alone
 */
struct drm_gpusvm_pages {
	struct drm_device *drm;
	struct drm_pagemap_addr *dma_addr;
	struct drm_pagemap *dpagemap;
	struct dma_iova_state state;
	unsigned long state_offset;
	unsigned long notifier_seq;
	struct drm_gpusvm_pages_flags flags;
	struct mutex lock;	/* who maps, unmaps and frees */
	struct drm_gpusvm_map *map;
};

/**
 * struct drm_gpusvm_range_flags - state of a range
 * @migrate_devmem: could be moved to device memory; set once, at the start
 * @unmapped: the process has unmapped it, or a part of it
 * @partial_unmap: it was only a part
 * @__flags: all of them, to read at once without a lock
 *
 * The last two are written under the notifier lock.
 */
struct drm_gpusvm_range_flags {
	union {
		struct {
			u16 migrate_devmem : 1;
			u16 unmapped : 1;
			u16 partial_unmap : 1;
		};
		u16 __flags;
	};
};

/**
 * struct drm_gpusvm_range - a part of the address space a device uses
 * @gpusvm: the address space
 * @notifier: window it lies in
 * @refcount: reference count; one belongs to the tree
 * @itree: place in the notifier's tree
 * @entry: place in the notifier's list
 * @flags: state
 */
struct drm_gpusvm_range {
	struct drm_gpusvm *gpusvm;
	struct drm_gpusvm_notifier *notifier;
	struct kref refcount;
	struct interval_tree_node itree;
	struct list_head entry;
	struct drm_gpusvm_range_flags flags;
};

/**
 * struct drm_gpusvm - an address space that devices share with a process
 * @name: for people
 * @mm: the address space; NULL when only the pages calls are used
 * @mm_start: first address that may be used
 * @mm_range: bytes from there on
 * @notifier_size: bytes one notifier watches
 * @ops: what the driver does for it
 * @chunk_sizes: sizes of ranges in bytes, powers of 2, largest first
 * @num_chunks: how many there are
 * @notifier_lock: held for writing by notifiers and while the trees change,
 *	for reading by whoever looks at pages
 * @root: tree of notifiers
 * @notifier_list: list of notifiers, by address
 * @lock_dep_map: the driver's lock, see drm_gpusvm_driver_set_lock()
 * @tree_lock: Addition. Keeps those apart who insert and remove ranges
 * @mapped_lock: Addition. Guards @mapped
 * @mapped: Addition. Tree of what is mapped, by address
 *
 * Embedded in an object of the driver that outlives all of its ranges.
 */
struct drm_gpusvm {
	const char *name;
	struct mm_struct *mm;
	unsigned long mm_start;
	unsigned long mm_range;
	unsigned long notifier_size;
	const struct drm_gpusvm_ops *ops;
	const unsigned long *chunk_sizes;
	int num_chunks;
	struct rw_semaphore notifier_lock;
	struct rb_root_cached root;
	struct list_head notifier_list;
#ifdef CONFIG_LOCKDEP
	struct lockdep_map *lock_dep_map;
#endif
	struct mutex tree_lock;		/* who inserts and removes ranges */
	spinlock_t mapped_lock;		/* for @mapped */
	struct rb_root_cached mapped;
};

/**
 * struct drm_gpusvm_ctx - how a call is meant
 * @device_private_page_owner: owner of the pagemaps whose memory the device
 *	reaches; NULL for none
 * @check_pages_threshold: a chunk of at most that many bytes is only taken if
 *	the CPU has all of its pages
 * @timeslice_ms: for the driver, to pass on to drm_pagemap_populate_mm(), in ms; not
 *	read by this module
 * @in_notifier: called from &drm_gpusvm_ops.invalidate
 * @read_only: the device will only read
 * @devmem_possible: new ranges may be moved to device memory
 * @devmem_only: nothing but device memory will do
 * @allow_mixed: system pages and device pages in one range will do
 * @allow_multiple: Addition. Device pages of several pagemaps in one range will
 *	do
 * @take_ref: Addition. The range that is found or made comes with a reference,
 *	for drivers that have no lock of their own around their ranges
 */
struct drm_gpusvm_ctx {
	void *device_private_page_owner;
	unsigned long check_pages_threshold;
	unsigned long timeslice_ms;
	unsigned int in_notifier :1;
	unsigned int read_only :1;
	unsigned int devmem_possible :1;
	unsigned int devmem_only :1;
	unsigned int allow_mixed :1;
	unsigned int allow_multiple :1;
	unsigned int take_ref :1;
};

/** enum drm_gpusvm_scan_result - where the memory of a range is */
enum drm_gpusvm_scan_result {
	/** @DRM_GPUSVM_SCAN_UNPOPULATED: a page is missing or out of reach */
	DRM_GPUSVM_SCAN_UNPOPULATED,
	/** @DRM_GPUSVM_SCAN_EQUAL: all in the pagemap that was asked about */
	DRM_GPUSVM_SCAN_EQUAL,
	/** @DRM_GPUSVM_SCAN_OTHER: all in one other pagemap of the owner */
	DRM_GPUSVM_SCAN_OTHER,
	/** @DRM_GPUSVM_SCAN_SYSTEM: all in system memory */
	DRM_GPUSVM_SCAN_SYSTEM,
	/** @DRM_GPUSVM_SCAN_MIXED_DEVICE: in several pagemaps of the owner */
	DRM_GPUSVM_SCAN_MIXED_DEVICE,
	/** @DRM_GPUSVM_SCAN_MIXED: some in system, some in device memory */
	DRM_GPUSVM_SCAN_MIXED,
};

int drm_gpusvm_init(struct drm_gpusvm *gpusvm, const char *name,
		    struct mm_struct *mm, unsigned long mm_start,
		    unsigned long mm_range, unsigned long notifier_size,
		    const struct drm_gpusvm_ops *ops,
		    const unsigned long *chunk_sizes, int num_chunks);
void drm_gpusvm_fini(struct drm_gpusvm *gpusvm);
unsigned long drm_gpusvm_find_vma_start(struct drm_gpusvm *gpusvm,
					unsigned long start, unsigned long end);
bool drm_gpusvm_has_mapping(struct drm_gpusvm *gpusvm, unsigned long start,
			    unsigned long end);

struct drm_gpusvm_notifier *
drm_gpusvm_notifier_find(struct drm_gpusvm *gpusvm, unsigned long start,
			 unsigned long end);

struct drm_gpusvm_range *
drm_gpusvm_range_find_or_insert(struct drm_gpusvm *gpusvm,
				unsigned long fault_addr,
				unsigned long gpuva_start,
				unsigned long gpuva_end,
				const struct drm_gpusvm_ctx *ctx);
struct drm_gpusvm_range *
drm_gpusvm_range_find(struct drm_gpusvm_notifier *notifier,
		      unsigned long start, unsigned long end);
struct drm_gpusvm_range *drm_gpusvm_range_get(struct drm_gpusvm_range *range);
void drm_gpusvm_range_put(struct drm_gpusvm_range *range);
void drm_gpusvm_range_remove(struct drm_gpusvm *gpusvm,
			     struct drm_gpusvm_range *range);
int drm_gpusvm_range_evict(struct drm_gpusvm *gpusvm,
			   struct drm_gpusvm_range *range);
void drm_gpusvm_range_set_unmapped(struct drm_gpusvm_range *range,
				   struct drm_gpusvm_pages *pages,
				   unsigned int pages_count,
				   const struct mmu_notifier_range *mmu_range);
enum drm_gpusvm_scan_result drm_gpusvm_scan_mm(struct drm_gpusvm_range *range,
					       void *dev_private_owner,
					       const struct dev_pagemap *pagemap);

int drm_gpusvm_get_pages(struct drm_gpusvm *gpusvm,
			 struct drm_gpusvm_pages *svm_pages,
			 struct mm_struct *mm,
			 struct mmu_interval_notifier *notifier,
			 unsigned long pages_start, unsigned long pages_end,
			 const struct drm_gpusvm_ctx *ctx);
bool drm_gpusvm_pages_valid(struct drm_gpusvm *gpusvm,
			    struct drm_gpusvm_pages *svm_pages);
void drm_gpusvm_unmap_pages(struct drm_gpusvm *gpusvm,
			    struct drm_gpusvm_pages *svm_pages,
			    unsigned long npages,
			    const struct drm_gpusvm_ctx *ctx);
void drm_gpusvm_free_pages(struct drm_gpusvm *gpusvm,
			   struct drm_gpusvm_pages *svm_pages,
			   unsigned long npages);

/**
 * drm_gpusvm_init_pages() - prepare a pages object
 * @svm_pages: memory for it, embedded in an object of the driver
 * @drm: device that will use the pages; the DMA API is called on its parent
 *
 * Once, before anything else is done with it.
 *
 * Context: Any.
 */
static inline void drm_gpusvm_init_pages(struct drm_gpusvm_pages *svm_pages,
					 struct drm_device *drm)
{
	*svm_pages = (struct drm_gpusvm_pages) {
		.drm = drm,
		/* No notifier is ever at this number: not valid. */
		.notifier_seq = LONG_MAX,
	};
	mutex_init(&svm_pages->lock);
}

/**
 * drm_gpusvm_driver_set_lock() - tell which lock guards the driver's ranges
 * @gpusvm: the address space
 * @lock: the lock, of any kind that lockdep knows
 *
 * Once, after drm_gpusvm_init(), by drivers that have such a lock. From then on
 * the calls that need it complain when it is not held.
 */
#ifdef CONFIG_LOCKDEP
#define drm_gpusvm_driver_set_lock(gpusvm, lock)			\
do {									\
	struct drm_gpusvm *gpusvm___ = (gpusvm);			\
									\
	if (!WARN_ONCE(gpusvm___->lock_dep_map, "lock already set"))	\
		gpusvm___->lock_dep_map = &(lock)->dep_map;		\
} while (0)
#else
#define drm_gpusvm_driver_set_lock(gpusvm, lock) do { } while (0)
#endif

/**
 * drm_gpusvm_notifier_lock() - keep pages and trees as they are
 * @gpusvm__: the address space
 *
 * Inside nothing is allocated and nothing is waited for that allocates.
 */
#define drm_gpusvm_notifier_lock(gpusvm__)	\
	down_read(&(gpusvm__)->notifier_lock)

/**
 * drm_gpusvm_notifier_unlock() - undo drm_gpusvm_notifier_lock()
 * @gpusvm__: the address space
 */
#define drm_gpusvm_notifier_unlock(gpusvm__)	\
	up_read(&(gpusvm__)->notifier_lock)

/**
 * drm_gpusvm_range_start() - where a range begins
 * @range: the range
 *
 * Context: Any.
 * Return: Its first user address.
 */
static inline unsigned long
drm_gpusvm_range_start(struct drm_gpusvm_range *range)
{
	return range->itree.start;
}

/**
 * drm_gpusvm_range_end() - where a range ends
 * @range: the range
 *
 * Context: Any.
 * Return: The user address behind its last byte.
 */
static inline unsigned long
drm_gpusvm_range_end(struct drm_gpusvm_range *range)
{
	return range->itree.last + 1;
}

/**
 * drm_gpusvm_range_size() - how long a range is
 * @range: the range
 *
 * Context: Any.
 * Return: Its length in bytes.
 */
static inline unsigned long
drm_gpusvm_range_size(struct drm_gpusvm_range *range)
{
	return range->itree.last - range->itree.start + 1;
}

/**
 * drm_gpusvm_notifier_start() - where a notifier's window begins
 * @notifier: the notifier
 *
 * Context: Any.
 * Return: Its first user address.
 */
static inline unsigned long
drm_gpusvm_notifier_start(struct drm_gpusvm_notifier *notifier)
{
	return notifier->itree.start;
}

/**
 * drm_gpusvm_notifier_end() - where a notifier's window ends
 * @notifier: the notifier
 *
 * Context: Any.
 * Return: The user address behind its last byte.
 */
static inline unsigned long
drm_gpusvm_notifier_end(struct drm_gpusvm_notifier *notifier)
{
	return notifier->itree.last + 1;
}

/**
 * drm_gpusvm_notifier_size() - how long a notifier's window is
 * @notifier: the notifier
 *
 * Context: Any.
 * Return: Its length in bytes.
 */
static inline unsigned long
drm_gpusvm_notifier_size(struct drm_gpusvm_notifier *notifier)
{
	return notifier->itree.last - notifier->itree.start + 1;
}

/* The range behind @range in its notifier; NULL behind the last, or for NULL. */
static inline struct drm_gpusvm_range *
__drm_gpusvm_range_next(struct drm_gpusvm_range *range)
{
	if (!range || range->entry.next == &range->notifier->range_list)
		return NULL;
	return list_next_entry(range, entry);
}

/* The notifier behind @notifier; NULL behind the last, or for NULL. */
static inline struct drm_gpusvm_notifier *
__drm_gpusvm_notifier_next(struct drm_gpusvm_notifier *notifier)
{
	if (!notifier ||
	    notifier->entry.next == &notifier->gpusvm->notifier_list)
		return NULL;
	return list_next_entry(notifier, entry);
}

/**
 * drm_gpusvm_for_each_range() - all ranges of a notifier in an interval
 * @range__: cursor; NULL, or the range to begin with
 * @notifier__: the notifier
 * @start__: first address
 * @end__: address behind the last
 *
 * With the driver's lock or the notifier lock held.
 */
#define drm_gpusvm_for_each_range(range__, notifier__, start__, end__)	\
	for ((range__) = (range__) ?:					\
	     drm_gpusvm_range_find((notifier__), (start__), (end__));	\
	     (range__) && (range__)->itree.start < (end__);		\
	     (range__) = __drm_gpusvm_range_next(range__))

/**
 * drm_gpusvm_for_each_range_safe() - the same, and the cursor may be removed
 * @range__: cursor
 * @next__: the range after it, before the body runs
 * @notifier__: the notifier
 * @start__: first address
 * @end__: address behind the last
 *
 * With the driver's lock held: removing takes the notifier lock.
 */
#define drm_gpusvm_for_each_range_safe(range__, next__, notifier__,	\
				       start__, end__)			\
	for ((range__) = drm_gpusvm_range_find((notifier__), (start__),	\
					       (end__)),		\
	     (next__) = __drm_gpusvm_range_next(range__);		\
	     (range__) && (range__)->itree.start < (end__);		\
	     (range__) = (next__),					\
	     (next__) = __drm_gpusvm_range_next(range__))

/**
 * drm_gpusvm_for_each_notifier() - all notifiers in an interval
 * @notifier__: cursor
 * @gpusvm__: the address space
 * @start__: first address
 * @end__: address behind the last
 *
 * With the driver's lock or the notifier lock held.
 */
#define drm_gpusvm_for_each_notifier(notifier__, gpusvm__, start__, end__) \
	for ((notifier__) = drm_gpusvm_notifier_find((gpusvm__),	\
						     (start__), (end__)); \
	     (notifier__) && (notifier__)->itree.start < (end__);	\
	     (notifier__) = __drm_gpusvm_notifier_next(notifier__))

/**
 * drm_gpusvm_for_each_notifier_safe() - the same, and the cursor may be removed
 * @notifier__: cursor
 * @next__: the notifier after it, before the body runs
 * @gpusvm__: the address space
 * @start__: first address
 * @end__: address behind the last
 *
 * With the driver's lock held.
 */
#define drm_gpusvm_for_each_notifier_safe(notifier__, next__, gpusvm__,	\
					  start__, end__)		\
	for ((notifier__) = drm_gpusvm_notifier_find((gpusvm__),	\
						     (start__), (end__)), \
	     (next__) = __drm_gpusvm_notifier_next(notifier__);		\
	     (notifier__) && (notifier__)->itree.start < (end__);	\
	     (notifier__) = (next__),					\
	     (next__) = __drm_gpusvm_notifier_next(notifier__))

#endif
