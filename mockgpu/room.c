// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Making room in VRAM: what the device has not used for the longest time goes.
 *
 * The device says of each page whether it was used since it was last asked, not
 * when. So the list of allocations is a clock: who is asked and was used goes to
 * the end of the list and has another lap. Everybody's allocations are in the one
 * list, so that nobody keeps what he does not use while others need it, and what
 * is in use stays, whosever it is.
 *
 * Who wants room never makes that go which came after it began to ask, so it
 * ends, and two that want all of VRAM do not take it from each other for ever.
 *
 * Locks: mmap_lock (read) -> mockgpu_heap.room_lock -> what an eviction takes,
 * which is the locks of pages and those of whoever mirrors them, but never an
 * mmap_lock; mockgpu_heap.lock is a leaf.
 */
#include <linux/jiffies.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/sizes.h>

#include <drm/drm_mm.h>

#include "device.h"
#include "evict.h"
#include "heap.h"
#include "hw/hw.h"
#include "room.h"

/* How long what could not go is left alone. */
#define MOCKGPU_ROOM_BUSY	HZ
/* How long may be lost with what cannot go, one after the other. */
#define MOCKGPU_ROOM_PATIENCE	HZ
/* How long the last user of what has gone may take to let it go. */
#define MOCKGPU_ROOM_SETTLE	(HZ / 10)

/* A look for allocations that, together with what is free, are a piece. */
struct mockgpu_room_scan {
	struct mockgpu_device *mdev;
	const struct mockgpu_room *room;
	bool firm;
	unsigned long now;
	struct drm_mm_scan mm;
	struct list_head picks;
	bool found;
};

static bool mockgpu_room_may_go(const struct mockgpu_room_scan *scan,
				const struct mockgpu_alloc *alloc)
{
	const struct mockgpu_room *room = scan->room;

	if (alloc->serial > room->last ||
	    (room->call && alloc->call == room->call) ||
	    time_before(scan->now, alloc->busy_until))
		return false;
	return scan->firm ||
	       (!time_before(scan->now, alloc->fresh_until) &&
		!time_before64(get_jiffies_64(),
			       READ_ONCE(alloc->devmem.timeslice_expiration)));
}

static bool mockgpu_room_was_used(const struct mockgpu_alloc *alloc)
{
	const struct drm_mm_node *node;
	bool used = false;
	unsigned long i;

	for (i = 0; i < alloc->nblocks; i++) {
		node = &alloc->blocks[i].node;
		used |= mockgpu_hw_vram_test_touched(alloc->mdev->hw,
						     node->start, node->size);
	}
	return used;
}

/* Is it, with those picked before, enough? */
static bool mockgpu_room_pick(struct mockgpu_room_scan *scan,
			      struct mockgpu_alloc *alloc)
{
	list_add(&alloc->pick, &scan->picks);
	alloc->scanned = 0;
	while (alloc->scanned < alloc->nblocks)
		if (drm_mm_scan_add_block(&scan->mm,
					  &alloc->blocks[alloc->scanned++].node))
			return true;
	return false;
}

/* Once around the clock, or twice for those that get another chance. */
static void mockgpu_room_walk(struct mockgpu_room_scan *scan)
{
	struct mockgpu_heap *heap = &scan->mdev->heap;
	struct list_head *link = heap->lru.next, *next;
	struct mockgpu_alloc *alloc;
	u64 lap = ++heap->lap;

	for (; link != &heap->lru && !scan->found; link = next) {
		alloc = list_entry(link, struct mockgpu_alloc, lru);
		next = link->next;
		if (!mockgpu_room_may_go(scan, alloc))
			continue;
		if (alloc->lap != lap && mockgpu_room_was_used(alloc)) {
			alloc->lap = lap;
			list_move_tail(link, &heap->lru);
			/* The last one remains where it is. */
			if (next == &heap->lru)
				next = link;
			continue;
		}
		scan->found = mockgpu_room_pick(scan, alloc);
	}
}

/* The blocks leave the scan in the opposite order of their coming. */
static bool mockgpu_room_unpick(struct mockgpu_room_scan *scan,
				struct mockgpu_alloc *alloc)
{
	bool needed = false;

	while (alloc->scanned--)
		needed |= drm_mm_scan_remove_block(&scan->mm,
						   &alloc->blocks[alloc->scanned].node);
	return needed && scan->found;
}

/* Leaves in the list those that have to go, with references. */
static void mockgpu_room_choose(struct mockgpu_room_scan *scan,
				unsigned long alignment)
{
	struct mockgpu_heap *heap = &scan->mdev->heap;
	struct mockgpu_alloc *alloc, *next;
	unsigned long flags;

	INIT_LIST_HEAD(&scan->picks);
	scan->found = false;
	spin_lock_irqsave(&heap->lock, flags);
	drm_mm_scan_init(&scan->mm, &heap->space, scan->room->npages, alignment,
			 0, DRM_MM_INSERT_BEST);
	mockgpu_room_walk(scan);
	list_for_each_entry_safe(alloc, next, &scan->picks, pick) {
		if (mockgpu_room_unpick(scan, alloc))
			refcount_inc(&alloc->refs);
		else
			list_del(&alloc->pick);
	}
	spin_unlock_irqrestore(&heap->lock, flags);
}

/* What could be one huge page should find room as one. */
static bool mockgpu_room_find(struct mockgpu_room_scan *scan)
{
	const unsigned long huge = SZ_2M >> PAGE_SHIFT;

	if (scan->room->npages == huge)
		mockgpu_room_choose(scan, huge);
	if (scan->room->npages != huge || !scan->found)
		mockgpu_room_choose(scan, 0);
	return scan->found;
}

/* Whoever let the last page go may not have said so yet. Is its room free? */
static bool mockgpu_room_settle(const struct mockgpu_alloc *alloc)
{
	unsigned long deadline = jiffies + MOCKGPU_ROOM_SETTLE;

	while (refcount_read(&alloc->refs) > 1 &&
	       time_before(jiffies, deadline) &&
	       !fatal_signal_pending(current))
		schedule_timeout_killable(1);
	return refcount_read(&alloc->refs) == 1;
}

static void mockgpu_room_note(struct mockgpu_alloc *alloc, int error)
{
	struct mockgpu_heap *heap = &alloc->mdev->heap;
	unsigned long flags;

	spin_lock_irqsave(&heap->lock, flags);
	if (error)
		alloc->busy_until = jiffies + MOCKGPU_ROOM_BUSY;
	else
		heap->evictions++;
	spin_unlock_irqrestore(&heap->lock, flags);
}

/* Did it go? If it did not, that took at least a tick. */
static bool mockgpu_room_evict(const struct mockgpu_room *room,
			       struct mockgpu_alloc *alloc)
{
	unsigned long begin = jiffies;
	int ret = mockgpu_evict_alloc(alloc);
	bool gone = !ret && mockgpu_room_settle(alloc);

	mockgpu_room_note(alloc, ret);
	if (!gone)
		*room->lost += jiffies - begin + 1;
	return gone;
}

/*
 * Together they would have been room, so the rest can stay when one does not go.
 * Drops the references. -EBUSY when the look for others is worth it.
 */
static int mockgpu_room_evict_picks(struct mockgpu_room_scan *scan)
{
	struct mockgpu_alloc *alloc, *next;
	int ret = 0;

	list_for_each_entry_safe(alloc, next, &scan->picks, pick) {
		list_del(&alloc->pick);
		if (!ret && fatal_signal_pending(current))
			ret = -EINTR;
		if (!ret && !mockgpu_room_evict(scan->room, alloc))
			ret = -EBUSY;
		mockgpu_heap_put(alloc);
		cond_resched();
	}
	return ret;
}

/* -EBUSY when those that were to go could not. */
static int mockgpu_room_round(struct mockgpu_device *mdev,
			      const struct mockgpu_room *room)
{
	struct mockgpu_room_scan scan = {
		.mdev = mdev,
		.room = room,
		.now = jiffies,
	};

	if (mockgpu_heap_fits(&mdev->heap, room->npages))
		return 0;
	if (!mockgpu_room_find(&scan) && room->firm) {
		scan.firm = true;
		mockgpu_room_find(&scan);
	}
	if (!scan.found)
		return -ENOSPC;
	return mockgpu_room_evict_picks(&scan);
}

/**
 * mockgpu_room_make() - have something go home, so that there is room
 * @mdev: the device
 * @room: for what
 *
 * Somebody else may have taken the room by the time the caller tries to. What goes
 * takes its time, and there is no more of it than VRAM. What cannot go is given
 * MOCKGPU_ROOM_PATIENCE, also of several calls with the same @lost; after that the
 * first one that cannot go is the last one that is tried.
 *
 * Context: Process context, may sleep for a bounded time; mmap_lock may be held
 * for reading. No page may be locked by the caller.
 * Return: 0 when there is room, -ENOSPC when not enough can go, -EINTR the caller
 * was killed.
 */
int mockgpu_room_make(struct mockgpu_device *mdev,
		      const struct mockgpu_room *room)
{
	struct mockgpu_heap *heap = &mdev->heap;
	int ret;

	if (!room->npages || room->npages > heap->npages)
		return -ENOSPC;
	ret = mutex_lock_killable(&heap->room_lock);
	if (ret)
		return ret;
	do
		ret = fatal_signal_pending(current) ?
		      -EINTR : mockgpu_room_round(mdev, room);
	while (ret == -EBUSY && *room->lost < MOCKGPU_ROOM_PATIENCE);
	mutex_unlock(&heap->room_lock);

	return ret == -EBUSY ? -ENOSPC : ret;
}
