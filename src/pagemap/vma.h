/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef GSB_PAGEMAP_VMA_H
#define GSB_PAGEMAP_VMA_H

struct gsb_job;
struct migrate_vma;

int gsb_collect_vma(struct gsb_job *job, struct migrate_vma *migrate);
void gsb_commit_vma(struct gsb_job *job, struct migrate_vma *migrate);
void gsb_finalize_vma(struct gsb_job *job, struct migrate_vma *migrate);

#endif
