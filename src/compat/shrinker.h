/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef GSB_COMPAT_SHRINKER_H
#define GSB_COMPAT_SHRINKER_H

struct shrinker;

typedef unsigned long (*gsb_shrinker_count_fn)(void *private);
typedef unsigned long (*gsb_shrinker_scan_fn)(void *private,
					      unsigned long nr_to_scan);

struct shrinker *gsb_shrinker_create(const char *name,
				     gsb_shrinker_count_fn count,
				     gsb_shrinker_scan_fn scan, void *private);
void gsb_shrinker_destroy(struct shrinker *shrinker);

#endif
