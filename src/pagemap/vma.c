// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Core mm's part of a job over a range of addresses, as traced stages. */
#include <linux/migrate.h>

#include "job.h"
#include "vma.h"

/**
 * gsb_collect_vma() - lock and unmap what can be moved
 * @job: job whose src array is filled
 * @migrate: the range; its src and dst are the job's
 *
 * Context: mmap_lock held for reading. May sleep.
 * Return: 0, then gsb_finalize_vma() must follow; or -EINVAL.
 */
int gsb_collect_vma(struct gsb_job *job, struct migrate_vma *migrate)
{
	u64 start = gsb_trace_start();

	return gsb_trace_step(job, GSB_STEP_COLLECT, start,
			      migrate_vma_setup(migrate));
}

/**
 * gsb_commit_vma() - make the placed pages the process's own
 * @job: job whose contents have been transferred
 * @migrate: the range
 *
 * Context: mmap_lock held for reading. May sleep.
 */
void gsb_commit_vma(struct gsb_job *job, struct migrate_vma *migrate)
{
	u64 start = gsb_trace_start();

	migrate_vma_pages(migrate);
	gsb_trace_step(job, GSB_STEP_COMMIT, start, 0);
}

/**
 * gsb_finalize_vma() - show the process its pages again, moved or not
 * @job: the job
 * @migrate: the range
 *
 * Context: mmap_lock held for reading. May sleep.
 */
void gsb_finalize_vma(struct gsb_job *job, struct migrate_vma *migrate)
{
	u64 start = gsb_trace_start();

	migrate_vma_finalize(migrate);
	gsb_trace_step(job, GSB_STEP_FINALIZE, start, 0);
}
