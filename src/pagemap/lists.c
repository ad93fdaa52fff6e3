// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The lists that each processor has of pages on their way between core mm's own lists.
 *
 * There is one for pages that get into, or leave, a mapping which mlock() has locked,
 * device pages as well. It has a reference on each, so they look pinned, or are not
 * freed, until that processor has another reason to go through its list, which may
 * be never. Core mm can have all processors do that, but does not export it; what it
 * does export is to drop references in a batch, which begins with the lists of the
 * processor it is called on.
 *
 * Locks: those of core mm's lists, by a worker of each processor, for which nobody
 * waits long: a processor may have something more urgent to do, for as long as it likes.
 */
#include <linux/atomic.h>
#include <linux/cpumask.h>
#include <linux/gfp.h>
#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/percpu.h>
#include <linux/wait_bit.h>
#include <linux/workqueue.h>

#include "compat/folio_batch.h"
#include "lists.h"

/* Who is in a hurry is served so often at most. */
#define GSB_LISTS_PAUSE		(HZ / 10)
/* So long a processor that is slow to come to it is waited for. */
#define GSB_LISTS_WAIT		(HZ / 5)

/* To have something to drop. */
static struct page *gsb_lists_page;
static struct workqueue_struct *gsb_lists_queue;
static DEFINE_PER_CPU(struct work_struct, gsb_lists_work);
static atomic_t gsb_lists_pending = ATOMIC_INIT(0);	/* processors */
static unsigned long gsb_lists_next;			/* jiffies */

/**
 * gsb_lists_empty_here() - have the lists of this processor emptied
 *
 * Context: May sleep. The caller sees to it that it stays on the processor it means.
 */
void gsb_lists_empty_here(void)
{
	struct folio *folio = page_folio(gsb_lists_page);
	struct folio_batch batch;

	folio_batch_init(&batch);
	folio_get(folio);
	folio_batch_add(&batch, folio);
	folio_batch_release(&batch);
}

static void gsb_lists_done(void)
{
	if (atomic_dec_and_test(&gsb_lists_pending))
		wake_up_var(&gsb_lists_pending);
}

static void gsb_lists_run(struct work_struct *work)
{
	gsb_lists_empty_here();
	gsb_lists_done();
}

/* A processor that is at it already does it once more. */
static void gsb_lists_start(void)
{
	int cpu;

	WRITE_ONCE(gsb_lists_next, jiffies + GSB_LISTS_PAUSE);
	for_each_online_cpu(cpu) {
		atomic_inc(&gsb_lists_pending);
		if (!queue_work_on(cpu, gsb_lists_queue,
				   per_cpu_ptr(&gsb_lists_work, cpu)))
			gsb_lists_done();
	}
}

/**
 * gsb_lists_empty_all() - have the lists of all processors emptied
 *
 * What was on one before is on none any more, but for those of a processor that did
 * not come to it in time. It interrupts all of them.
 *
 * Context: May sleep, for a fifth of a second.
 */
void gsb_lists_empty_all(void)
{
	gsb_lists_start();
	wait_var_event_timeout(&gsb_lists_pending,
			       !atomic_read(&gsb_lists_pending), GSB_LISTS_WAIT);
}

/**
 * gsb_lists_empty_sometimes() - the same, soon, unless somebody did moments ago
 *
 * For those who try again and again what may fail for other reasons, too.
 *
 * Context: Any but an interrupt. Does not wait.
 */
void gsb_lists_empty_sometimes(void)
{
	if (time_after_eq(jiffies, READ_ONCE(gsb_lists_next)))
		gsb_lists_start();
}

/**
 * gsb_lists_init() - before any device page
 *
 * Context: Module init.
 * Return: 0 or -ENOMEM.
 */
int gsb_lists_init(void)
{
	int cpu;

	for_each_possible_cpu(cpu)
		INIT_WORK(per_cpu_ptr(&gsb_lists_work, cpu), gsb_lists_run);
	gsb_lists_next = jiffies;
	gsb_lists_page = alloc_page(GFP_KERNEL);
	if (!gsb_lists_page)
		return -ENOMEM;
	/* A worker of each processor; what is waited for may be reclaim. */
	gsb_lists_queue = create_workqueue("gsb_lists");
	if (gsb_lists_queue)
		return 0;
	__free_page(gsb_lists_page);
	return -ENOMEM;
}

/**
 * gsb_lists_exit() - after the last device page
 *
 * Context: Module exit.
 */
void gsb_lists_exit(void)
{
	destroy_workqueue(gsb_lists_queue);
	__free_page(gsb_lists_page);
}
