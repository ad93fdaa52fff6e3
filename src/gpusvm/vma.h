/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* What has to be known of a mapping before its pages are asked for. */
#ifndef GSB_GPUSVM_VMA_H
#define GSB_GPUSVM_VMA_H

#include <linux/fs.h>
#include <linux/magic.h>
#include <linux/mm.h>
#include <linux/userfaultfd_k.h>

/* The file system of a mapping's file, or 0. */
static inline unsigned long gsb_vma_magic(const struct vm_area_struct *vma)
{
	return vma->vm_file ? file_inode(vma->vm_file)->i_sb->s_magic : 0;
}

/*
 * Pages that nobody but the process is to see: the kernel has no mapping of them, and
 * hmm_range_fault() does not know.
 */
static inline bool gsb_vma_is_secret(const struct vm_area_struct *vma)
{
	return gsb_vma_magic(vma) == SECRETMEM_MAGIC;
}

/*
 * A page that is missing may be filled by another process, or by a server, which
 * takes as long as it likes. Core mm cannot wait for that in hmm_range_fault(), or only
 * with mmap_lock held and whatever the caller has, and no signal ends it.
 */
static inline bool gsb_vma_may_wait(const struct vm_area_struct *vma)
{
	switch (gsb_vma_magic(vma)) {
	case 0:
	case TMPFS_MAGIC:
	case HUGETLBFS_MAGIC:
		return userfaultfd_armed((struct vm_area_struct *)vma);
	default:
		return true;
	}
}

#endif
