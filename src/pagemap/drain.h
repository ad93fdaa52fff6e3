/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef GSB_PAGEMAP_DRAIN_H
#define GSB_PAGEMAP_DRAIN_H

#include "compat/compat.h"

struct mm_struct;
struct page;

/* A CPU fault that is collecting its page. On the stack of the fault. */
struct gsb_drain {
	struct hlist_node node;
	struct task_struct *task;
	struct page *page;
	const unsigned long *src;	/* becomes non-zero when it is collected */
};

#ifdef GSB_NEEDS_DRAIN
int gsb_drain_attach(struct mm_struct *mm);
void gsb_drain_begin(struct gsb_drain *drain, struct page *page,
		     const unsigned long *src);
void gsb_drain_end(struct gsb_drain *drain);
void gsb_drain_wait_again(struct page *page);
void gsb_drain_wrongly(void);
void gsb_drain_exit(void);
#else
/* Core mm locks the page that faults: there is nothing to wait for. */
static inline int gsb_drain_attach(struct mm_struct *mm)
{
	return 0;
}

static inline void gsb_drain_begin(struct gsb_drain *drain, struct page *page,
				   const unsigned long *src)
{
}

static inline void gsb_drain_end(struct gsb_drain *drain)
{
}

static inline void gsb_drain_wait_again(struct page *page)
{
}

static inline void gsb_drain_wrongly(void)
{
}

static inline void gsb_drain_exit(void)
{
}
#endif

#endif
