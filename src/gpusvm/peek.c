// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * What the CPU's page table has, without changing it.
 *
 * Only a hint: the page structs behind the frame numbers are not looked at.
 */
#include <linux/hmm.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>

#include "peek.h"

/**
 * gsb_peek() - look at the first few pages of an interval
 * @peek: filled; its mm and owner are set, mmap_lock held for reading
 * @start: first user address, page aligned
 * @end: user address behind the last
 *
 * Nobody needs to be told when the answer gets stale, so a notifier that is not
 * registered anywhere, and never sees a change, is enough.
 *
 * Context: May sleep.
 * Return: 0, or an error of hmm_range_fault().
 */
int gsb_peek(struct gsb_peek *peek, unsigned long start, unsigned long end)
{
	struct mmu_interval_notifier unregistered = { .mm = peek->mm };
	struct hmm_range look = {
		.notifier = &unregistered,
		.hmm_pfns = peek->pfns,
		.dev_private_owner = peek->owner,
	};

	mmap_assert_locked(peek->mm);
	peek->start = start;
	peek->npages = min((end - start) >> PAGE_SHIFT, GSB_PEEK_PAGES);
	memset(peek->pfns, 0, sizeof(peek->pfns));
	look.start = start;
	look.end = gsb_peek_end(peek);
	return hmm_range_fault(&look);
}

/**
 * gsb_peek_all_present() - does the CPU have every page?
 * @mm: the address space, mmap_lock held for reading
 * @owner: owner of private pages that count, or NULL
 * @start: first user address, page aligned
 * @end: user address behind the last
 *
 * Context: May sleep.
 * Return: true if it does.
 */
bool gsb_peek_all_present(struct mm_struct *mm, void *owner,
			  unsigned long start, unsigned long end)
{
	struct gsb_peek peek = { .mm = mm, .owner = owner };
	unsigned long i;

	for (; start < end; start = gsb_peek_end(&peek)) {
		if (gsb_peek(&peek, start, end))
			return false;
		for (i = 0; i < peek.npages; i++)
			if (!gsb_peek_has(&peek, i))
				return false;
	}
	return true;
}
