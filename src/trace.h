/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM drm_gpusvm_backport

#if !defined(GSB_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define GSB_TRACE_H

#include <linux/ktime.h>
#include <linux/tracepoint.h>

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

#endif

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
