// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Tracepoints of migrations: /sys/kernel/tracing/events/drm_gpusvm_backport.
 *
 * The clock is only read while somebody traces.
 */
#define CREATE_TRACE_POINTS
#include "trace.h"

/* Tracing may have been switched on in between; then there is no duration. */
static u64 gsb_since(u64 start)
{
	return start ? ktime_get_ns() - start : 0;
}

/**
 * gsb_trace_say_step() - a stage is done, and somebody traces
 * @job: the job
 * @step: which stage
 * @start: what gsb_trace_start() returned
 * @err: 0 or a negative error
 *
 * Context: Any.
 */
void gsb_trace_say_step(const struct gsb_job *job, enum gsb_step step,
			u64 start, int err)
{
	trace_gsb_step(job, step, gsb_since(start), err);
}

/**
 * gsb_trace_migrate() - a job is done
 * @job: the job
 * @err: 0 or a negative error
 *
 * Context: Any.
 */
void gsb_trace_migrate(const struct gsb_job *job, int err)
{
	if (trace_gsb_migrate_enabled())
		trace_gsb_migrate(job, gsb_job_moved(job),
				  gsb_since(job->started), err);
}
