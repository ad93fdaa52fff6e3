// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Tracepoints of migrations: /sys/kernel/tracing/events/drm_gpusvm_backport.
 *
 * The clock is only read while somebody traces.
 */
#define CREATE_TRACE_POINTS
#include "trace.h"
#include "../delay.h"

static u64 gsb_now_if(bool traced)
{
	return traced ? ktime_get_ns() : 0;
}

/**
 * gsb_trace_start() - a stage begins
 *
 * Context: Any.
 * Return: What gsb_trace_step() wants.
 */
u64 gsb_trace_start(void)
{
	return gsb_now_if(trace_gsb_step_enabled() ||
			  trace_gsb_migrate_enabled());
}

/* Tracing may have been switched on in between; then there is no duration. */
static u64 gsb_since(u64 start)
{
	return start ? ktime_get_ns() - start : 0;
}

/**
 * gsb_trace_step() - a stage is done
 * @job: the job
 * @step: which stage
 * @start: what gsb_trace_start() returned
 * @err: 0 or a negative error
 *
 * Context: May sleep, if only in a build with delays.
 * Return: @err.
 */
int gsb_trace_step(const struct gsb_job *job, enum gsb_step step, u64 start,
		   int err)
{
	if (trace_gsb_step_enabled())
		trace_gsb_step(job, step, gsb_since(start), err);
	gsb_delay();
	return err;
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
