// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <drm/drm.h>

#include "gpu.h"
#include "mem.h"

#define PATIENT_TRIES		20
#define PATIENT_PAUSE_MS	10

#define NODES_PER_KIND	64

static uint64_t to_u64(const void *p)
{
	return (uintptr_t)p;
}

int gpu_ioctl(const struct gpu *gpu, unsigned long request, void *arg)
{
	return ioctl(gpu->fd, request, arg) ? -errno : 0;
}

static int is_mockgpu(const struct gpu *gpu)
{
	char name[16] = "";
	struct drm_driver_version version = {
		.name = { .size = sizeof(name) - 1, .buffer = name },
	};

	return !gpu_ioctl(gpu, DRM_IOCTL_VERSION, &version) && !strcmp(name, "mockgpu");
}

static int read_facts(struct gpu *gpu)
{
	uint64_t index, tier;
	struct stat st;
	int ret;

	ret = gpu_query(gpu, MOCKGPU_PARAM_DEVICE_INDEX, &index);
	if (!ret)
		ret = gpu_query(gpu, MOCKGPU_PARAM_TIER, &tier);
	if (!ret)
		ret = gpu_query(gpu, MOCKGPU_PARAM_VRAM_SIZE, &gpu->vram_size);
	if (!ret)
		ret = gpu_query(gpu, MOCKGPU_PARAM_CAPS, &gpu->caps);
	if (!ret && fstat(gpu->fd, &st))
		ret = -errno;
	if (ret)
		return ret;
	gpu->index = index;
	gpu->tier = tier;
	gpu->minor = minor(st.st_rdev);
	return 0;
}

/* 1 when the node is the device looked for, 0 when it is something else. */
static int open_node(struct gpu *gpu, const char *path, unsigned int index)
{
	gpu->fd = open(path, O_RDWR | O_CLOEXEC);
	if (gpu->fd < 0)
		return errno == EACCES || errno == EPERM ? -EACCES : 0;
	if (is_mockgpu(gpu) && !read_facts(gpu) && gpu->index == index)
		return 1;
	gpu_close(gpu);
	return 0;
}

static int open_kind(struct gpu *gpu, const char *format, unsigned int first, unsigned int index)
{
	int ret, denied = 0;
	char path[64];

	for (unsigned int i = first; i < first + NODES_PER_KIND; i++) {
		snprintf(path, sizeof(path), format, i);
		ret = open_node(gpu, path, index);
		if (ret > 0)
			return 0;
		if (ret < 0)
			denied = ret;
	}
	return denied ? denied : -ENODEV;
}

int gpu_open(struct gpu *gpu, unsigned int index)
{
	int ret = open_kind(gpu, "/dev/dri/renderD%u", 128, index);

	if (ret == -ENODEV)
		ret = open_kind(gpu, "/dev/dri/card%u", 0, index);
	return ret;
}

void gpu_close(struct gpu *gpu)
{
	close(gpu->fd);
	gpu->fd = -1;
}

int gpu_query(const struct gpu *gpu, uint32_t param, uint64_t *value)
{
	struct drm_mockgpu_query query = { .param = param };
	int ret = gpu_ioctl(gpu, DRM_IOCTL_MOCKGPU_QUERY, &query);

	*value = query.value;
	return ret;
}

int gpu_vm_create_with(const struct gpu *gpu, uint32_t flags, uint32_t *vm)
{
	struct drm_mockgpu_vm create = { .flags = flags };
	int ret = gpu_ioctl(gpu, DRM_IOCTL_MOCKGPU_VM_CREATE, &create);

	*vm = create.vm_id;
	return ret;
}

int gpu_vm_create(const struct gpu *gpu, uint32_t *vm)
{
	return gpu_vm_create_with(gpu, 0, vm);
}

int gpu_vm_destroy(const struct gpu *gpu, uint32_t vm)
{
	struct drm_mockgpu_vm destroy = { .vm_id = vm };

	return gpu_ioctl(gpu, DRM_IOCTL_MOCKGPU_VM_DESTROY, &destroy);
}

int gpu_populate(const struct gpu *gpu, uint32_t vm, const void *addr, size_t size)
{
	struct drm_mockgpu_populate populate = {
		.vm_id = vm, .addr = to_u64(addr), .size = size,
	};

	return gpu_ioctl(gpu, DRM_IOCTL_MOCKGPU_POPULATE, &populate);
}

int gpu_populate_patiently(const struct gpu *gpu, struct drm_mockgpu_populate *populate,
			   unsigned int *tries)
{
	int ret;

	for (*tries = 1;; ++*tries) {
		ret = gpu_ioctl(gpu, DRM_IOCTL_MOCKGPU_POPULATE, populate);
		if (ret != -EBUSY || *tries == PATIENT_TRIES)
			return ret;
		sleep_ms(PATIENT_PAUSE_MS);
	}
}

int gpu_access(const struct gpu *gpu, struct drm_mockgpu_access *access)
{
	return gpu_ioctl(gpu, DRM_IOCTL_MOCKGPU_ACCESS, access);
}

int gpu_evict(const struct gpu *gpu, struct drm_mockgpu_evict *evict)
{
	return gpu_ioctl(gpu, DRM_IOCTL_MOCKGPU_EVICT, evict);
}

int gpu_residency(const struct gpu *gpu, uint32_t vm, const void *addr, size_t size,
		  uint8_t *map)
{
	struct drm_mockgpu_residency residency = {
		.vm_id = vm, .addr = to_u64(addr), .size = size, .data = to_u64(map),
	};

	return gpu_ioctl(gpu, DRM_IOCTL_MOCKGPU_RESIDENCY, &residency);
}

int gpu_counters(const struct gpu *gpu, uint64_t values[MOCKGPU_COUNTER_COUNT])
{
	struct drm_mockgpu_counters counters = {
		.count = MOCKGPU_COUNTER_COUNT, .data = to_u64(values),
	};

	memset(values, 0, MOCKGPU_COUNTER_COUNT * sizeof(*values));
	return gpu_ioctl(gpu, DRM_IOCTL_MOCKGPU_COUNTERS, &counters);
}

int gpu_read(const struct gpu *gpu, uint32_t vm, const void *addr, size_t size, void *data)
{
	struct drm_mockgpu_access access = {
		.vm_id = vm, .op = MOCKGPU_ACCESS_READ,
		.addr = to_u64(addr), .size = size, .data = to_u64(data),
	};

	return gpu_access(gpu, &access);
}

int gpu_write(const struct gpu *gpu, uint32_t vm, void *addr, size_t size, const void *data)
{
	struct drm_mockgpu_access access = {
		.vm_id = vm, .op = MOCKGPU_ACCESS_WRITE,
		.addr = to_u64(addr), .size = size, .data = to_u64(data),
	};

	return gpu_access(gpu, &access);
}

int gpu_fill(const struct gpu *gpu, uint32_t vm, void *addr, size_t size, uint64_t value)
{
	struct drm_mockgpu_access access = {
		.vm_id = vm, .op = MOCKGPU_ACCESS_FILL,
		.addr = to_u64(addr), .size = size, .value = value,
	};

	return gpu_access(gpu, &access);
}

int gpu_xor(const struct gpu *gpu, uint32_t vm, void *addr, size_t size, uint64_t value)
{
	struct drm_mockgpu_access access = {
		.vm_id = vm, .op = MOCKGPU_ACCESS_XOR,
		.addr = to_u64(addr), .size = size, .value = value,
	};

	return gpu_access(gpu, &access);
}

int gpu_evict_at(const struct gpu *gpu, uint32_t vm, const void *addr)
{
	struct drm_mockgpu_evict evict = {
		.vm_id = vm, .scope = MOCKGPU_EVICT_ADDR, .addr = to_u64(addr),
	};

	return gpu_evict(gpu, &evict);
}

int gpu_evict_vm(const struct gpu *gpu, uint32_t vm)
{
	struct drm_mockgpu_evict evict = { .vm_id = vm, .scope = MOCKGPU_EVICT_VM };

	return gpu_evict(gpu, &evict);
}

int gpu_evict_device(const struct gpu *gpu, uint32_t vm)
{
	struct drm_mockgpu_evict evict = { .vm_id = vm, .scope = MOCKGPU_EVICT_DEVICE };

	return gpu_evict(gpu, &evict);
}

const char *gpu_tier_name(unsigned int tier)
{
	static const char *const names[] = {
		[MOCKGPU_TIER_SYSTEM] = "system",
		[MOCKGPU_TIER_COHERENT] = "coherent",
		[MOCKGPU_TIER_PRIVATE] = "private",
	};

	return tier < sizeof(names) / sizeof(*names) ? names[tier] : "unknown";
}

int gpu_counter_is_live(unsigned int counter)
{
	return !strncmp(gpu_counter_name(counter), "live ", strlen("live "));
}

const char *gpu_counter_name(unsigned int counter)
{
	static const char *const names[MOCKGPU_COUNTER_COUNT] = {
		[MOCKGPU_COUNTER_PAGES_TO_DEVICE] = "pages to device",
		[MOCKGPU_COUNTER_PAGES_CLEARED] = "pages cleared",
		[MOCKGPU_COUNTER_PAGES_TO_RAM] = "pages to RAM",
		[MOCKGPU_COUNTER_CPU_FAULTS] = "CPU faults",
		[MOCKGPU_COUNTER_BYTES_COPIED_IN] = "bytes copied in",
		[MOCKGPU_COUNTER_BYTES_COPIED_OUT] = "bytes copied out",
		[MOCKGPU_COUNTER_BYTES_ACCESSED] = "bytes accessed",
		[MOCKGPU_COUNTER_DEVICE_ERRORS] = "device errors",
		[MOCKGPU_COUNTER_LIVE_VRAM_PAGES] = "live VRAM pages",
		[MOCKGPU_COUNTER_LIVE_ALLOCATIONS] = "live allocations",
		[MOCKGPU_COUNTER_LIVE_DMA_PAGES] = "live DMA pages",
		[MOCKGPU_COUNTER_LIVE_VMS] = "live VMs",
		[MOCKGPU_COUNTER_LIVE_DEVICE_PAGES] = "live device pages",
		[MOCKGPU_COUNTER_LIVE_ZDD] = "live zone device data",
		[MOCKGPU_COUNTER_LIVE_PEER_PAGES] = "live peer pages",
		[MOCKGPU_COUNTER_LIVE_QUEUES] = "live queues",
		[MOCKGPU_COUNTER_LIVE_JOBS] = "live jobs",
		[MOCKGPU_COUNTER_DEVICE_FAULTS] = "device faults",
		[MOCKGPU_COUNTER_STALE_FAULTS] = "stale faults",
		[MOCKGPU_COUNTER_EVICTIONS] = "evictions",
		[MOCKGPU_COUNTER_LIVE_BUFFERS] = "live buffers",
		[MOCKGPU_COUNTER_LIVE_BINDS] = "live bindings",
	};

	return counter < MOCKGPU_COUNTER_COUNT ? names[counter] : "unknown";
}
