/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * What mockgpu_drm.h and the tests need of <drm/drm.h>. Debian has that file
 * only in the development package of libdrm, which the tests do without.
 */
#ifndef _TESTS_DRM_H_
#define _TESTS_DRM_H_

#include <linux/ioctl.h>
#include <linux/types.h>

#define DRM_IOCTL_BASE		'd'
#define DRM_COMMAND_BASE	0x40
#define DRM_COMMAND_END		0xa0

#define DRM_IO(nr)		_IO(DRM_IOCTL_BASE, nr)
#define DRM_IOW(nr, type)	_IOW(DRM_IOCTL_BASE, nr, type)
#define DRM_IOWR(nr, type)	_IOWR(DRM_IOCTL_BASE, nr, type)

/* A text of a version: its buffer, and the size of both. */
struct drm_text {
	__kernel_size_t size;
	char *buffer;
};

struct drm_driver_version {
	int number[3];
	struct drm_text name, date, description;
};

#define DRM_IOCTL_VERSION	DRM_IOWR(0x00, struct drm_driver_version)

#endif
