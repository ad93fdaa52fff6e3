// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* What the module did, and what is alive: counters and their debugfs file. */
#include <linux/cpumask.h>
#include <linux/debugfs.h>
#include <linux/export.h>
#include <linux/module.h>
#include <linux/seq_file.h>

#include <drm/drm_gpusvm_backport.h>

#include "stats.h"

DEFINE_PER_CPU(struct gsb_stats, gsb_stats);

static struct dentry *gsb_debugfs;

static const char * const gsb_stat_names[GSB_STAT_COUNT] = {
	[GSB_STAT_PAGES_TO_DEVICE] = "pages_to_device",
	[GSB_STAT_PAGES_CLEARED] = "pages_cleared",
	[GSB_STAT_PAGES_TO_RAM] = "pages_to_ram",
	[GSB_STAT_CPU_FAULTS] = "cpu_faults",
	[GSB_STAT_LARGE_TO_DEVICE] = "large_to_device",
	[GSB_STAT_LARGE_TO_RAM] = "large_to_ram",
	[GSB_STAT_LARGE_SPLIT] = "large_split",
	[GSB_STAT_IOVA_SHARED] = "iova_shared",
	[GSB_STAT_LIVE_PAGES] = "live_pages",
	[GSB_STAT_LIVE_ZDD] = "live_zdd",
	[GSB_STAT_LIVE_DMA] = "live_dma",
	[GSB_STAT_LIVE_HOLDS] = "live_holds",
	[GSB_STAT_INVALIDATIONS] = "invalidations",
	[GSB_STAT_PAGES_MAPPED] = "pages_mapped",
	[GSB_STAT_LIVE_RANGES] = "live_ranges",
	[GSB_STAT_LIVE_NOTIFIERS] = "live_notifiers",
	[GSB_STAT_LIVE_MAPPED] = "live_mapped",
};

static u64 gsb_stat_sum(enum gsb_stat stat)
{
	u64 sum = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += per_cpu(gsb_stats, cpu).value[stat];
	return sum;
}

/**
 * drm_gpusvm_backport_get_stats() - read the module's counters
 * @stats: filled in
 *
 * Not a snapshot: each value is right for some moment during the call.
 *
 * Context: Any.
 */
void drm_gpusvm_backport_get_stats(struct drm_gpusvm_backport_stats *stats)
{
	stats->pages_to_device = gsb_stat_sum(GSB_STAT_PAGES_TO_DEVICE);
	stats->pages_cleared = gsb_stat_sum(GSB_STAT_PAGES_CLEARED);
	stats->pages_to_ram = gsb_stat_sum(GSB_STAT_PAGES_TO_RAM);
	stats->cpu_faults = gsb_stat_sum(GSB_STAT_CPU_FAULTS);
	stats->live_pages = gsb_stat_sum(GSB_STAT_LIVE_PAGES);
	stats->live_zdd = gsb_stat_sum(GSB_STAT_LIVE_ZDD);
	stats->live_dma = gsb_stat_sum(GSB_STAT_LIVE_DMA);
	stats->live_holds = gsb_stat_sum(GSB_STAT_LIVE_HOLDS);
	stats->invalidations = gsb_stat_sum(GSB_STAT_INVALIDATIONS);
	stats->pages_mapped = gsb_stat_sum(GSB_STAT_PAGES_MAPPED);
	stats->live_ranges = gsb_stat_sum(GSB_STAT_LIVE_RANGES);
	stats->live_notifiers = gsb_stat_sum(GSB_STAT_LIVE_NOTIFIERS);
	stats->live_mapped = gsb_stat_sum(GSB_STAT_LIVE_MAPPED);
}
EXPORT_SYMBOL_GPL(drm_gpusvm_backport_get_stats);

static int stats_show(struct seq_file *m, void *unused)
{
	int i;

	for (i = 0; i < GSB_STAT_COUNT; i++)
		seq_printf(m, "%s %llu\n", gsb_stat_names[i], gsb_stat_sum(i));
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(stats);

/* Without debugfs there is no file; everything else works. */
void gsb_stats_init(void)
{
	gsb_debugfs = debugfs_create_dir(KBUILD_MODNAME, NULL);
	debugfs_create_file("stats", 0444, gsb_debugfs, NULL, &stats_fops);
}

void gsb_stats_fini(void)
{
	debugfs_remove(gsb_debugfs);
}
