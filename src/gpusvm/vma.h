/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* What has to be known of a mapping before its pages are asked for. */
#ifndef GSB_GPUSVM_VMA_H
#define GSB_GPUSVM_VMA_H

#include <linux/fs.h>
#include <linux/magic.h>
#include <linux/mm.h>
#include <linux/userfaultfd_k.h>

#include "compat/compat.h"

/*
 * Pages that nobody but the process is to see: the kernel has no mapping of them, and
 * hmm_range_fault() does not know.
 */
static inline bool gsb_vma_is_secret(const struct vm_area_struct *vma)
{
	return vma->vm_file &&
	       file_inode(vma->vm_file)->i_sb->s_magic == SECRETMEM_MAGIC;
}

/* What is no memory: a fault there is its driver's, and for its process only. */
static inline bool gsb_vma_is_device(const struct vm_area_struct *vma)
{
	return vma->vm_flags & (VM_IO | VM_PFNMAP);
}

/* The stack of return addresses can be written to by calls only, although it has VM_WRITE. */
static inline bool gsb_vma_is_shadow_stack(const struct vm_area_struct *vma)
{
	return vma->vm_flags & VM_SHADOW_STACK;
}

/* May the process itself read, or write, there with plain instructions? */
static inline bool gsb_vma_allows(const struct vm_area_struct *vma, bool write)
{
	if (!write)
		return vma->vm_flags & VM_READ;
	return (vma->vm_flags & VM_READ) && (vma->vm_flags & VM_WRITE) &&
	       !gsb_vma_is_shadow_stack(vma);
}

/*
 * Is somebody else's program, or machine, to deliver the pages? A file system in memory
 * or on a device of this machine needs nobody, unless a process runs it.
 */
static inline bool gsb_vma_has_server(const struct vm_area_struct *vma)
{
	const struct super_block *sb;

	if (!vma->vm_file)
		return false;
	sb = file_inode(vma->vm_file)->i_sb;
	switch (sb->s_magic) {
	case TMPFS_MAGIC:
	case HUGETLBFS_MAGIC:
		return false;
	case FUSE_SUPER_MAGIC:
		return true;
	default:
		return !(sb->s_type->fs_flags & FS_REQUIRES_DEV);
	}
}

/*
 * A page that is missing may be filled by another process, or by a server, which
 * takes as long as it likes. Core mm cannot wait for that in hmm_range_fault(), or only
 * with mmap_lock held and whatever the caller has, and no signal ends it.
 */
static inline bool gsb_vma_may_wait(const struct vm_area_struct *vma)
{
	return gsb_vma_has_server(vma) ||
	       userfaultfd_armed((struct vm_area_struct *)vma);
}

#endif
