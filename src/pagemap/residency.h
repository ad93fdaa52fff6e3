/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef GSB_PAGEMAP_RESIDENCY_H
#define GSB_PAGEMAP_RESIDENCY_H

struct gsb_job;
struct mm_struct;

int gsb_residency_sort(struct gsb_job *job, struct mm_struct *mm,
		       unsigned long start);

#endif
