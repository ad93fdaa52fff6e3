/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* GEM buffers. What starts with gem_ returns 0 or a negative errno. */
#ifndef _TESTS_BUFFER_H_
#define _TESTS_BUFFER_H_

#include "check.h"

/* The primary node instead of the one for rendering. */
int gem_open_primary(struct gpu *gpu, unsigned int index);

int gem_create(const struct gpu *gpu, uint64_t size, uint64_t flags, uint32_t *handle);
int gem_close(const struct gpu *gpu, uint32_t handle);
int gem_mmap_offset(const struct gpu *gpu, uint32_t handle, uint64_t *offset);
int gem_bind(const struct gpu *gpu, uint32_t vm, uint32_t handle, uint64_t offset,
	     const void *addr, size_t size);
int gem_unbind(const struct gpu *gpu, uint32_t vm, const void *addr, size_t size);
/* To a file descriptor of a dma-buf and back. */
int gem_export(const struct gpu *gpu, uint32_t handle, int *fd);
int gem_import(const struct gpu *gpu, int fd, uint32_t *handle);

/* Of a buffer that can be mapped; a failure ends the test. */
void *gem_map(const struct gpu *gpu, uint32_t handle, size_t size);

#endif
