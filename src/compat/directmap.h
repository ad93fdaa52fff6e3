/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef GSB_DIRECTMAP_H
#define GSB_DIRECTMAP_H

#include <linux/mm.h>

/**
 * gsb_direct_map_leaf() - how much does one entry of the direct map cover
 * @phys: an address in RAM
 *
 * It can get less at any time, but not more.
 *
 * Context: Any.
 * Return: bytes; 0 where it is not mapped, or that cannot be told (not x86).
 */
static inline u64 gsb_direct_map_leaf(phys_addr_t phys)
{
#ifdef CONFIG_X86_64
	unsigned int level;

	if (lookup_address((unsigned long)__va(phys), &level))
		return page_level_size(level);
#endif
	return 0;
}

#endif
