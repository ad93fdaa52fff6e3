/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef GSB_PAGEMAP_PAGEMAP_H
#define GSB_PAGEMAP_PAGEMAP_H

void gsb_pagemap_flush(void);

#endif
