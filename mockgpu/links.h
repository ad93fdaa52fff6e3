/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef MOCKGPU_LINKS_H
#define MOCKGPU_LINKS_H

#include <linux/types.h>

int mockgpu_links_parse(const char *text, unsigned int devices, u32 *links);

#endif
