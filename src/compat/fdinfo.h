/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef GSB_COMPAT_FDINFO_H
#define GSB_COMPAT_FDINFO_H

#include "compat/features.h"

/*
 * Since drm_show_fdinfo() the kernel prints what all drivers have in common, and
 * asks struct drm_driver for the rest. Before, the driver does all of it, for
 * struct file_operations. What is not asked for is not there.
 */
#ifdef GSB_HAVE_DRM_SHOW_FDINFO
#define GSB_FILE_SHOW_FDINFO(show_file)	.show_fdinfo = drm_show_fdinfo,
#define GSB_DRIVER_SHOW_FDINFO(show)	.show_fdinfo = (show),
#else
#define GSB_FILE_SHOW_FDINFO(show_file)	.show_fdinfo = (show_file),
#define GSB_DRIVER_SHOW_FDINFO(show)
#endif

#endif
