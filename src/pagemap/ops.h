/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef GSB_PAGEMAP_OPS_H
#define GSB_PAGEMAP_OPS_H

#include <linux/mm_types.h>

struct vm_fault;

vm_fault_t gsb_cpu_fault(struct vm_fault *vmf);

#endif
