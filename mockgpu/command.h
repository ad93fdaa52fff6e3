/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef MOCKGPU_COMMAND_H
#define MOCKGPU_COMMAND_H

struct drm_mockgpu_command;
struct mockgpu_hw_command;

int mockgpu_command_load(struct mockgpu_hw_command *to,
			 const struct drm_mockgpu_command *from);

#endif
