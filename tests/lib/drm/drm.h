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

/* Sync objects. */
struct drm_syncobj_create {
	__u32 handle, flags;
};

struct drm_syncobj_destroy {
	__u32 handle, pad;
};

struct drm_syncobj_handle {
	__u32 handle, flags;
	__s32 fd;
	__u32 pad;
};

struct drm_syncobj_timeline_wait {
	__u64 handles, points;
	__s64 timeout_nsec;
	__u32 count_handles, flags, first_signaled, pad;
};

struct drm_syncobj_timeline_array {
	__u64 handles, points;
	__u32 count_handles, flags;
};

/* To export as a sync file. */
#define DRM_SYNCOBJ_HANDLE_TO_FD_FLAGS_EXPORT_SYNC_FILE	(1 << 0)

#define DRM_IOCTL_SYNCOBJ_CREATE	DRM_IOWR(0xbf, struct drm_syncobj_create)
#define DRM_IOCTL_SYNCOBJ_DESTROY	DRM_IOWR(0xc0, struct drm_syncobj_destroy)
#define DRM_IOCTL_SYNCOBJ_HANDLE_TO_FD	DRM_IOWR(0xc1, struct drm_syncobj_handle)
#define DRM_IOCTL_SYNCOBJ_FD_TO_HANDLE	DRM_IOWR(0xc2, struct drm_syncobj_handle)
#define DRM_IOCTL_SYNCOBJ_TIMELINE_WAIT	DRM_IOWR(0xca, struct drm_syncobj_timeline_wait)
#define DRM_IOCTL_SYNCOBJ_QUERY		DRM_IOWR(0xcb, struct drm_syncobj_timeline_array)
#define DRM_IOCTL_SYNCOBJ_TIMELINE_SIGNAL	DRM_IOWR(0xcd, struct drm_syncobj_timeline_array)

/* GEM buffers. */
struct drm_gem_close {
	__u32 handle, pad;
};

struct drm_prime_handle {
	__u32 handle, flags;
	__s32 fd;
};

struct drm_mode_create_dumb {
	__u32 height, width, bpp, flags, handle, pitch;
	__u64 size;
};

struct drm_mode_map_dumb {
	__u32 handle, pad;
	__u64 offset;
};

struct drm_mode_destroy_dumb {
	__u32 handle;
};

#define DRM_IOCTL_GEM_CLOSE		DRM_IOW(0x09, struct drm_gem_close)
#define DRM_IOCTL_PRIME_HANDLE_TO_FD	DRM_IOWR(0x2d, struct drm_prime_handle)
#define DRM_IOCTL_PRIME_FD_TO_HANDLE	DRM_IOWR(0x2e, struct drm_prime_handle)
#define DRM_IOCTL_MODE_CREATE_DUMB	DRM_IOWR(0xb2, struct drm_mode_create_dumb)
#define DRM_IOCTL_MODE_MAP_DUMB		DRM_IOWR(0xb3, struct drm_mode_map_dumb)
#define DRM_IOCTL_MODE_DESTROY_DUMB	DRM_IOWR(0xb4, struct drm_mode_destroy_dumb)

#endif
