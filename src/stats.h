/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef GSB_STATS_H
#define GSB_STATS_H

#include <linux/percpu.h>
#include <linux/types.h>

enum gsb_stat {
	GSB_STAT_PAGES_TO_DEVICE,
	GSB_STAT_PAGES_CLEARED,
	GSB_STAT_PAGES_TO_RAM,
	GSB_STAT_CPU_FAULTS,
	GSB_STAT_LARGE_TO_DEVICE,
	GSB_STAT_LARGE_TO_RAM,
	GSB_STAT_LARGE_SPLIT,
	GSB_STAT_IOVA_SHARED,
	GSB_STAT_LIVE_PAGES,
	GSB_STAT_LIVE_ZDD,
	GSB_STAT_LIVE_DMA,
	GSB_STAT_LIVE_HOLDS,
	GSB_STAT_INVALIDATIONS,
	GSB_STAT_PAGES_MAPPED,
	GSB_STAT_LIVE_RANGES,
	GSB_STAT_LIVE_NOTIFIERS,
	GSB_STAT_LIVE_MAPPED,
	GSB_STAT_COUNT
};

/*
 * Counted per CPU: a page that is freed on another CPU than it was counted
 * on leaves a negative value there, only the sum means something.
 */
struct gsb_stats {
	long value[GSB_STAT_COUNT];
};

DECLARE_PER_CPU(struct gsb_stats, gsb_stats);

static inline void gsb_stat_add(enum gsb_stat stat, long n)
{
	this_cpu_add(gsb_stats.value[stat], n);
}

static inline void gsb_stat_sub(enum gsb_stat stat, long n)
{
	this_cpu_sub(gsb_stats.value[stat], n);
}

void gsb_stats_init(void);
void gsb_stats_fini(void);

#endif
