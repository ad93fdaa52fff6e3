/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The mock GPU as a C interface: a function for each command. All of them
 * return 0 or a negative errno.
 */
#ifndef _TESTS_GPU_H_
#define _TESTS_GPU_H_

#include <stddef.h>
#include <stdint.h>

#include <drm/mockgpu_drm.h>

struct gpu {
	int fd;
	unsigned int index;
	unsigned int minor;
	unsigned int tier;
	uint64_t vram_size;
	uint64_t caps;
};

/* -ENODEV when there is no such device, -EACCES when it may not be opened. */
int gpu_open(struct gpu *gpu, unsigned int index);
void gpu_close(struct gpu *gpu);

int gpu_ioctl(const struct gpu *gpu, unsigned long request, void *arg);

int gpu_query(const struct gpu *gpu, uint32_t param, uint64_t *value);
int gpu_vm_create(const struct gpu *gpu, uint32_t *vm);
int gpu_vm_create_with(const struct gpu *gpu, uint32_t flags, uint32_t *vm);
int gpu_vm_destroy(const struct gpu *gpu, uint32_t vm);
int gpu_populate(const struct gpu *gpu, uint32_t vm, const void *addr, size_t size);

/*
 * For memory that can move: somebody may hold a page of it for a moment, as a daemon
 * of the kernel does. While the answer is -EBUSY it asks again, a few times; tries
 * is how often in all.
 */
int gpu_populate_patiently(const struct gpu *gpu, struct drm_mockgpu_populate *populate,
			   unsigned int *tries);
int gpu_access(const struct gpu *gpu, struct drm_mockgpu_access *access);
int gpu_evict(const struct gpu *gpu, struct drm_mockgpu_evict *evict);
int gpu_residency(const struct gpu *gpu, uint32_t vm, const void *addr, size_t size,
		  uint8_t *map);
int gpu_counters(const struct gpu *gpu, uint64_t values[MOCKGPU_COUNTER_COUNT]);

/* The operations of ACCESS and the scopes of EVICT. */
int gpu_read(const struct gpu *gpu, uint32_t vm, const void *addr, size_t size, void *data);
int gpu_write(const struct gpu *gpu, uint32_t vm, void *addr, size_t size, const void *data);
int gpu_fill(const struct gpu *gpu, uint32_t vm, void *addr, size_t size, uint64_t value);
int gpu_xor(const struct gpu *gpu, uint32_t vm, void *addr, size_t size, uint64_t value);
int gpu_evict_at(const struct gpu *gpu, uint32_t vm, const void *addr);
int gpu_evict_vm(const struct gpu *gpu, uint32_t vm);
int gpu_evict_device(const struct gpu *gpu, uint32_t vm);

const char *gpu_tier_name(unsigned int tier);
const char *gpu_counter_name(unsigned int counter);
/* Of what there is now, and not of what has happened so far. */
int gpu_counter_is_live(unsigned int counter);

static inline int gpu_has_vram(const struct gpu *gpu)
{
	return gpu->tier != MOCKGPU_TIER_SYSTEM;
}

#endif
