/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef GSB_GPUSVM_SLOW_H
#define GSB_GPUSVM_SLOW_H

struct gsb_get;

int gsb_slow_fault(const struct gsb_get *get);

#endif
