/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef GSB_PAGEMAP_LISTS_H
#define GSB_PAGEMAP_LISTS_H

int gsb_lists_init(void);
void gsb_lists_exit(void);
void gsb_lists_empty_here(void);
void gsb_lists_empty_all(void);
void gsb_lists_empty_sometimes(void);

#endif
