/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef MOCKGPU_TEXT_H
#define MOCKGPU_TEXT_H

#include <linux/types.h>

int mockgpu_text_read(const char *path, char *text, size_t size);
int mockgpu_text_write(const char *path, const char *text);

#endif
