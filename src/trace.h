/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM drm_gpusvm_backport

#if !defined(GSB_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define GSB_TRACE_H

#include <linux/ktime.h>
#include <linux/tracepoint.h>

#include "gpusvm/get.h"
#include "gpusvm/gpusvm.h"
#include "gpusvm/map.h"
#include "pagemap/job.h"

/* So that tools which read the binary trace know the names, too. */
TRACE_DEFINE_ENUM(GSB_CAUSE_POPULATE);
TRACE_DEFINE_ENUM(GSB_CAUSE_CPU_FAULT);
TRACE_DEFINE_ENUM(GSB_CAUSE_EVICTION);
TRACE_DEFINE_ENUM(GSB_PAGE_HOLE);
TRACE_DEFINE_ENUM(GSB_PAGE_SYSTEM);
TRACE_DEFINE_ENUM(GSB_PAGE_PEER);
TRACE_DEFINE_ENUM(GSB_STEP_COLLECT);
TRACE_DEFINE_ENUM(GSB_STEP_PLACE);
TRACE_DEFINE_ENUM(GSB_STEP_MAP);
TRACE_DEFINE_ENUM(GSB_STEP_COPY);
TRACE_DEFINE_ENUM(GSB_STEP_UNMAP);
TRACE_DEFINE_ENUM(GSB_STEP_COMMIT);
TRACE_DEFINE_ENUM(GSB_STEP_FINALIZE);
TRACE_DEFINE_ENUM(GSB_RANGE_INSERTED);
TRACE_DEFINE_ENUM(GSB_RANGE_REMOVED);
TRACE_DEFINE_ENUM(GSB_RANGE_UNMAPPED);
TRACE_DEFINE_ENUM(GSB_RANGE_EVICTED);
TRACE_DEFINE_ENUM(MMU_NOTIFY_UNMAP);
TRACE_DEFINE_ENUM(MMU_NOTIFY_CLEAR);
TRACE_DEFINE_ENUM(MMU_NOTIFY_PROTECTION_VMA);
TRACE_DEFINE_ENUM(MMU_NOTIFY_PROTECTION_PAGE);
TRACE_DEFINE_ENUM(MMU_NOTIFY_SOFT_DIRTY);
TRACE_DEFINE_ENUM(MMU_NOTIFY_RELEASE);
TRACE_DEFINE_ENUM(MMU_NOTIFY_MIGRATE);
TRACE_DEFINE_ENUM(MMU_NOTIFY_EXCLUSIVE);

#define GSB_CAUSE_NAMES \
	{ GSB_CAUSE_POPULATE, "populate" }, \
	{ GSB_CAUSE_CPU_FAULT, "cpu-fault" }, \
	{ GSB_CAUSE_EVICTION, "eviction" }

/* Those that a step works on. */
#define GSB_KIND_NAMES \
	{ BIT(GSB_PAGE_HOLE), "hole" }, \
	{ BIT(GSB_PAGE_SYSTEM), "system" }, \
	{ BIT(GSB_PAGE_PEER), "peer" }

#define GSB_STEP_NAMES \
	{ GSB_STEP_COLLECT, "collect" }, \
	{ GSB_STEP_PLACE, "place" }, \
	{ GSB_STEP_MAP, "map" }, \
	{ GSB_STEP_COPY, "copy" }, \
	{ GSB_STEP_UNMAP, "unmap" }, \
	{ GSB_STEP_COMMIT, "commit" }, \
	{ GSB_STEP_FINALIZE, "finalize" }

#define GSB_RANGE_EVENT_NAMES \
	{ GSB_RANGE_INSERTED, "inserted" }, \
	{ GSB_RANGE_REMOVED, "removed" }, \
	{ GSB_RANGE_UNMAPPED, "unmapped" }, \
	{ GSB_RANGE_EVICTED, "evicted" }

#define GSB_MMU_EVENT_NAMES \
	{ MMU_NOTIFY_UNMAP, "unmap" }, \
	{ MMU_NOTIFY_CLEAR, "clear" }, \
	{ MMU_NOTIFY_PROTECTION_VMA, "protection-vma" }, \
	{ MMU_NOTIFY_PROTECTION_PAGE, "protection-page" }, \
	{ MMU_NOTIFY_SOFT_DIRTY, "soft-dirty" }, \
	{ MMU_NOTIFY_RELEASE, "release" }, \
	{ MMU_NOTIFY_MIGRATE, "migrate" }, \
	{ MMU_NOTIFY_EXCLUSIVE, "exclusive" }

/*
 * One stage of one job; runs is how many pieces its pages were cut into, and
 * kinds what there is among them. Both are known once there are places.
 */
TRACE_EVENT(gsb_step,
	TP_PROTO(const struct gsb_job *job, enum gsb_step step, u64 ns, int err),
	TP_ARGS(job, step, ns, err),
	TP_STRUCT__entry(
		__field(const void *, job)
		__field(unsigned long, pages)
		__field(unsigned long, runs)
		__field(u64, ns)
		__field(u8, cause)
		__field(u8, step)
		__field(u8, kinds)
		__field(int, err)
	),
	TP_fast_assign(
		__entry->job = job;
		__entry->pages = job->npages;
		__entry->runs = job->nsegs;
		__entry->ns = ns;
		__entry->cause = job->cause;
		__entry->step = step;
		__entry->kinds = job->kinds;
		__entry->err = err;
	),
	TP_printk("job=%p cause=%s step=%s pages=%lu bytes=%lu kinds=%s runs=%lu ns=%llu err=%d",
		  __entry->job,
		  __print_symbolic(__entry->cause, GSB_CAUSE_NAMES),
		  __print_symbolic(__entry->step, GSB_STEP_NAMES),
		  __entry->pages, __entry->pages << PAGE_SHIFT,
		  __print_flags(__entry->kinds, "|", GSB_KIND_NAMES),
		  __entry->runs, __entry->ns, __entry->err)
);

/* The end of one job: how many of its pages are where they should be. */
TRACE_EVENT(gsb_migrate,
	TP_PROTO(const struct gsb_job *job, unsigned long moved, u64 ns, int err),
	TP_ARGS(job, moved, ns, err),
	TP_STRUCT__entry(
		__field(const void *, job)
		__field(unsigned long, pages)
		__field(unsigned long, moved)
		__field(u64, ns)
		__field(u8, cause)
		__field(int, err)
	),
	TP_fast_assign(
		__entry->job = job;
		__entry->pages = job->npages;
		__entry->moved = moved;
		__entry->ns = ns;
		__entry->cause = job->cause;
		__entry->err = err;
	),
	TP_printk("job=%p cause=%s pages=%lu moved=%lu bytes=%lu ns=%llu err=%d",
		  __entry->job,
		  __print_symbolic(__entry->cause, GSB_CAUSE_NAMES),
		  __entry->pages, __entry->moved, __entry->moved << PAGE_SHIFT,
		  __entry->ns, __entry->err)
);

/* A range of an address space comes, goes or changes its state. */
TRACE_EVENT(gsb_range,
	TP_PROTO(const struct drm_gpusvm_range *range,
		 enum gsb_range_event what),
	TP_ARGS(range, what),
	TP_STRUCT__entry(
		__field(const void *, gpusvm)
		__field(unsigned long, start)
		__field(unsigned long, last)
		__field(u16, flags)
		__field(u8, what)
	),
	TP_fast_assign(
		__entry->gpusvm = range->gpusvm;
		__entry->start = range->itree.start;
		__entry->last = range->itree.last;
		__entry->flags = range->flags.__flags;
		__entry->what = what;
	),
	TP_printk("gpusvm=%p range=%lx-%lx flags=%x %s", __entry->gpusvm,
		  __entry->start, __entry->last, __entry->flags,
		  __print_symbolic(__entry->what, GSB_RANGE_EVENT_NAMES))
);

/* Core mm is asked to tell of changes in a window, or not any more. */
TRACE_EVENT(gsb_notifier,
	TP_PROTO(const struct drm_gpusvm_notifier *notifier, bool inserted),
	TP_ARGS(notifier, inserted),
	TP_STRUCT__entry(
		__field(const void *, gpusvm)
		__field(unsigned long, start)
		__field(unsigned long, last)
		__field(bool, inserted)
	),
	TP_fast_assign(
		__entry->gpusvm = notifier->gpusvm;
		__entry->start = notifier->itree.start;
		__entry->last = notifier->itree.last;
		__entry->inserted = inserted;
	),
	TP_printk("gpusvm=%p window=%lx-%lx %s", __entry->gpusvm,
		  __entry->start, __entry->last,
		  __entry->inserted ? "inserted" : "removed")
);

/* The driver was told of a change. */
TRACE_EVENT(gsb_invalidate,
	TP_PROTO(const struct drm_gpusvm *gpusvm,
		 const struct mmu_notifier_range *event),
	TP_ARGS(gpusvm, event),
	TP_STRUCT__entry(
		__field(const void *, gpusvm)
		__field(unsigned long, start)
		__field(unsigned long, end)
		__field(u8, event)
	),
	TP_fast_assign(
		__entry->gpusvm = gpusvm;
		__entry->start = event->start;
		__entry->end = event->end;
		__entry->event = event->event;
	),
	TP_printk("gpusvm=%p interval=%lx-%lx event=%s", __entry->gpusvm,
		  __entry->start, __entry->end,
		  __print_symbolic(__entry->event, GSB_MMU_EVENT_NAMES))
);

/* The end of one call for pages; without attempts they were there already. */
TRACE_EVENT(gsb_get_pages,
	TP_PROTO(const struct gsb_get *get, u64 began, int err),
	TP_ARGS(get, began, err),
	TP_STRUCT__entry(
		__field(const void *, pages)
		__field(unsigned long, start)
		__field(unsigned long, npages)
		__field(unsigned long, device)
		__field(unsigned int, attempts)
		__field(u64, ns)
		__field(int, err)
	),
	TP_fast_assign(
		__entry->pages = get->pages;
		__entry->start = get->start;
		__entry->npages = get->npages;
		__entry->device = get->mix.device;
		__entry->attempts = get->attempts;
		__entry->ns = began ? ktime_get_ns() - began : 0;
		__entry->err = err;
	),
	TP_printk("pages=%p start=%lx npages=%lu device=%lu attempts=%u ns=%llu err=%d",
		  __entry->pages, __entry->start, __entry->npages,
		  __entry->device, __entry->attempts, __entry->ns,
		  __entry->err)
);

/* What a device reached is out of its reach. */
TRACE_EVENT(gsb_unmap,
	TP_PROTO(const struct drm_gpusvm_map *map),
	TP_ARGS(map),
	TP_STRUCT__entry(
		__field(const void *, pages)
		__field(unsigned long, start)
		__field(unsigned long, mapped)
	),
	TP_fast_assign(
		__entry->pages = map->pages;
		__entry->start = map->node.start;
		__entry->mapped = map->mapped;
	),
	TP_printk("pages=%p start=%lx mapped=%lu", __entry->pages,
		  __entry->start, __entry->mapped)
);

#endif

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
