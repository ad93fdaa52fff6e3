/* SPDX-License-Identifier: MIT */
/* What user space asks of the example. */
#ifndef _SVMSUM_DRM_H_
#define _SVMSUM_DRM_H_

#include <drm/drm.h>

/**
 * struct drm_svmsum_sum - add up bytes of the process that opened the file
 * @addr: where they begin
 * @size: how many
 * @sum: out: their sum
 *
 * EFAULT where nothing is mapped, or a page of the same piece of 4 MiB at
 * most cannot be read, as behind the end of a file; EPERM for any other
 * process.
 */
struct drm_svmsum_sum {
	__u64 addr;
	__u64 size;
	__u64 sum;
};

/**
 * struct drm_svmsum_state - what the device knows of the process
 * @ranges: out: ranges that there are
 * @pages: out: pages that are mapped for the device now
 * @invalidations: out: how often a range had to let go of its pages
 */
struct drm_svmsum_state {
	__u64 ranges;
	__u64 pages;
	__u64 invalidations;
};

#define DRM_SVMSUM_SUM		0
#define DRM_SVMSUM_STATE	1

#define DRM_IOCTL_SVMSUM_SUM	\
	DRM_IOWR(DRM_COMMAND_BASE + DRM_SVMSUM_SUM, struct drm_svmsum_sum)
#define DRM_IOCTL_SVMSUM_STATE	\
	DRM_IOWR(DRM_COMMAND_BASE + DRM_SVMSUM_STATE, struct drm_svmsum_state)

#endif
