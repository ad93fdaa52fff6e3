// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "compat.h"

#ifdef GSB_HAVE_MIGRATE_DEVICE_PFNS

/**
 * gsb_migrate_device_pfns() - collect device pages by frame number
 * @pfns: in: frame numbers in any order; out: migrate entries
 * @npages: number of entries
 *
 * Context: May sleep.
 */
void gsb_migrate_device_pfns(unsigned long *pfns, unsigned long npages)
{
	migrate_device_pfns(pfns, npages);
}

#else

static unsigned long gsb_run_length(const unsigned long *pfns,
				    unsigned long npages)
{
	unsigned long n = 1;

	while (n < npages && pfns[n] == pfns[0] + n)
		n++;
	return n;
}

/*
 * a14fa8ec9d81 ("mm/migrate: Add migrate_device_pfns") is missing: collecting
 * the consecutive frames of each run does the same for pages of order 0.
 */
void gsb_migrate_device_pfns(unsigned long *pfns, unsigned long npages)
{
	unsigned long i, n;

	for (i = 0; i < npages; i += n) {
		n = gsb_run_length(pfns + i, npages - i);
		migrate_device_range(pfns + i, pfns[i], n);
	}
}

#endif
