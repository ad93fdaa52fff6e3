/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef GSB_GPUSVM_PEEK_H
#define GSB_GPUSVM_PEEK_H

#include <linux/hmm.h>

struct mm_struct;

/* Small enough for the stack: who looks at more does so bit by bit. */
#define GSB_PEEK_PAGES	64UL

/* A look at a few pages as the CPU has them. */
struct gsb_peek {
	struct mm_struct *mm;
	void *owner;		/* whose private pages count as present */
	unsigned long start;
	unsigned long npages;
	unsigned long pfns[GSB_PEEK_PAGES];
};

int gsb_peek(struct gsb_peek *peek, unsigned long start, unsigned long end);
bool gsb_peek_all_present(struct mm_struct *mm, void *owner,
			  unsigned long start, unsigned long end);

static inline unsigned long gsb_peek_end(const struct gsb_peek *peek)
{
	return peek->start + (peek->npages << PAGE_SHIFT);
}

static inline bool gsb_peek_has(const struct gsb_peek *peek, unsigned long i)
{
	return peek->pfns[i] & HMM_PFN_VALID;
}

static inline unsigned long gsb_peek_pfn(const struct gsb_peek *peek,
					 unsigned long i)
{
	return peek->pfns[i] & ~HMM_PFN_FLAGS;
}

#endif
