/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef GSB_GPUSVM_EVICT_H
#define GSB_GPUSVM_EVICT_H

struct mm_struct;

int gsb_bring_span_home(struct mm_struct *mm, unsigned long start,
			unsigned long end, void *except);

#endif
