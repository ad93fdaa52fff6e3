/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef GSB_PAGEMAP_OPS_H
#define GSB_PAGEMAP_OPS_H

#include <linux/memremap.h>
#include <linux/mm_types.h>

struct vm_fault;

/* The callbacks a provider gives core mm: also how a page of ours is told. */
extern const struct dev_pagemap_ops gsb_pagemap_ops;

vm_fault_t gsb_cpu_fault(struct vm_fault *vmf);

#endif
