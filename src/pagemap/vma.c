// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Core mm's part of a job over a range of addresses, as traced stages. */
#include <linux/migrate.h>
#include <linux/mm.h>
#include <linux/preempt.h>

#include "job.h"
#include "vma.h"

/*
 * Pages that leave a mapping which mlock() has locked get on a list of this processor
 * (lists.c). Core mm empties those of the processor it is on before it looks who else
 * uses them: it is to be the same one, or they look pinned.
 */
static int gsb_collect_locked_vma(struct migrate_vma *migrate)
{
	int err;

	migrate_disable();
	err = migrate_vma_setup(migrate);
	migrate_enable();
	return err;
}

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
	int err = migrate->vma->vm_flags & VM_LOCKED ?
		  gsb_collect_locked_vma(migrate) : migrate_vma_setup(migrate);

	return gsb_trace_step(job, GSB_STEP_COLLECT, start, err);
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
