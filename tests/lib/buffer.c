// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include <drm/drm.h>

#include "buffer.h"

#define MOST_NODES	64

int gem_open_primary(struct gpu *gpu, unsigned int index)
{
	uint64_t found;
	char path[64];

	for (unsigned int i = 0; i < MOST_NODES; i++) {
		snprintf(path, sizeof(path), "/dev/dri/card%u", i);
		gpu->fd = open(path, O_RDWR | O_CLOEXEC);
		if (gpu->fd < 0)
			continue;
		if (!gpu_query(gpu, MOCKGPU_PARAM_DEVICE_INDEX, &found) && found == index)
			return 0;
		gpu_close(gpu);
	}
	return -ENODEV;
}

int gem_create(const struct gpu *gpu, uint64_t size, uint64_t flags, uint32_t *handle)
{
	struct drm_mockgpu_gem_create create = { .size = size, .flags = flags };
	int ret = gpu_ioctl(gpu, DRM_IOCTL_MOCKGPU_GEM_CREATE, &create);

	*handle = create.handle;
	return ret;
}

int gem_close(const struct gpu *gpu, uint32_t handle)
{
	struct drm_gem_close close = { .handle = handle };

	return gpu_ioctl(gpu, DRM_IOCTL_GEM_CLOSE, &close);
}

int gem_mmap_offset(const struct gpu *gpu, uint32_t handle, uint64_t *offset)
{
	struct drm_mockgpu_gem_mmap_offset args = { .handle = handle };
	int ret = gpu_ioctl(gpu, DRM_IOCTL_MOCKGPU_GEM_MMAP_OFFSET, &args);

	*offset = args.offset;
	return ret;
}

int gem_bind(const struct gpu *gpu, uint32_t vm, uint32_t handle, uint64_t offset,
	     const void *addr, size_t size)
{
	struct drm_mockgpu_vm_bind bind = {
		.vm_id = vm, .op = MOCKGPU_BIND, .handle = handle, .offset = offset,
		.addr = (uintptr_t)addr, .size = size,
	};

	return gpu_ioctl(gpu, DRM_IOCTL_MOCKGPU_VM_BIND, &bind);
}

int gem_unbind(const struct gpu *gpu, uint32_t vm, const void *addr, size_t size)
{
	struct drm_mockgpu_vm_bind bind = {
		.vm_id = vm, .op = MOCKGPU_UNBIND, .addr = (uintptr_t)addr, .size = size,
	};

	return gpu_ioctl(gpu, DRM_IOCTL_MOCKGPU_VM_BIND, &bind);
}

int gem_export(const struct gpu *gpu, uint32_t handle, int *fd)
{
	struct drm_prime_handle prime = { .handle = handle, .flags = O_CLOEXEC | O_RDWR };
	int ret = gpu_ioctl(gpu, DRM_IOCTL_PRIME_HANDLE_TO_FD, &prime);

	*fd = prime.fd;
	return ret;
}

int gem_import(const struct gpu *gpu, int fd, uint32_t *handle)
{
	struct drm_prime_handle prime = { .fd = fd };
	int ret = gpu_ioctl(gpu, DRM_IOCTL_PRIME_FD_TO_HANDLE, &prime);

	*handle = prime.handle;
	return ret;
}

void *gem_map(const struct gpu *gpu, uint32_t handle, size_t size)
{
	uint64_t offset;
	void *map;

	CHECK_OK(gem_mmap_offset(gpu, handle, &offset));
	map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, gpu->fd, offset);
	if (map == MAP_FAILED)
		FAIL("mmap: %s", errno_name(errno));
	return map;
}
