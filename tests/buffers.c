// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * GEM buffers: where they are, who finds them where, how long they live, and how they
 * compete with other memory for VRAM.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/udmabuf.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <drm/drm.h>

#include "buffer.h"
#include "knob.h"
#include "queue.h"

#define SIZE		MIB
/* To unmap it takes the device longer than to go away. */
#define LARGE		(128 * MIB)
#define VALUE		0x2545f4914f6cdd1dULL
#define MOST_VRAM	(64 * MIB)
/* Longer than a buffer is left alone after the CPU used it. */
#define HOME_MS		250

/* A buffer, bound in the VM of an area, at its addresses. */
struct bound {
	struct area area;
	uint32_t handle;
};

static struct bound bound_new(const struct gpu *gpu, size_t size, uint64_t flags)
{
	struct bound bound = { .area = area_new(gpu, size, 0, MEM_SMALL) };

	CHECK_OK(gem_create(gpu, size, flags, &bound.handle));
	CHECK_OK(gem_bind(gpu, bound.area.vm, bound.handle, 0, bound.area.mem, size));
	return bound;
}

static uint64_t all_flags(const struct gpu *gpu)
{
	return gpu_has_vram(gpu) ? MOCKGPU_GEM_VRAM : 0;
}

static void check_map(const struct area *area, const void *map)
{
	struct mismatch bad;

	CHECK_DATA(pattern_matches(map, area->size, area->seed, area->flip, &bad), bad);
}

static uint64_t used_vram(const struct gpu *gpu)
{
	return counter(gpu, MOCKGPU_COUNTER_LIVE_VRAM_PAGES);
}

/* The device finds zeroes, then what it wrote; what the process has there is another thing. */
static void check_bound_use(struct gpu *gpu, uint64_t flags)
{
	struct area own = area_filled(gpu, SIZE, 0, MEM_SMALL), area;
	uint32_t queue = queue_new(gpu, own.vm), handle;
	uint64_t zero[64], sum = 1;
	struct mismatch bad;

	CHECK_OK(gpu_read(gpu, own.vm, own.mem, PAGE / 8, zero));
	CHECK_OK(gem_create(gpu, SIZE, flags, &handle));
	CHECK_EQ(used_vram(gpu), 0);
	CHECK_OK(gem_bind(gpu, own.vm, handle, 0, own.mem, SIZE));
	CHECK_OK(gpu_read(gpu, own.vm, own.mem + SIZE - 512, 512, zero));
	CHECK_DATA(words_are(zero, 512, 0, &bad), bad);
	CHECK_OK(job_do(gpu, queue, cmd_checksum(own.mem, SIZE, &sum)));
	CHECK_EQ(sum, 0);
	CHECK_EQ(used_vram(gpu), flags ? SIZE / PAGE : 0);
	area = own;
	area_device_fill(&area, VALUE);
	area_check_device(&area);
	CHECK_OK(job_do(gpu, queue, cmd_copy(own.mem, own.mem + SIZE / 2, SIZE / 2)));
	CHECK_OK(job_do(gpu, queue, cmd_compare(own.mem, own.mem + SIZE / 2, SIZE / 2)));
	area_check_cpu(&own);
	CHECK_OK(gem_unbind(gpu, own.vm, own.mem, SIZE));
	area_check_device(&own);
	CHECK_OK(gem_close(gpu, handle));
	CHECK_EQ(used_vram(gpu), 0);
}

static void use_system(struct gpu *gpu)
{
	check_bound_use(gpu, 0);
}

static void use_vram(struct gpu *gpu)
{
	check_bound_use(gpu, MOCKGPU_GEM_VRAM);
}

/* The device and the CPU see what the other one wrote, wherever the buffer was. */
static void check_mapped_size(struct gpu *gpu, uint64_t flags, size_t size)
{
	struct bound bound = bound_new(gpu, size, flags);
	struct area *area = &bound.area;
	char *map = gem_map(gpu, bound.handle, size);
	uint64_t offset;

	for (uint64_t round = 1; round < 4; round++) {
		area_device_fill(area, round);
		CHECK_EQ(used_vram(gpu), flags ? size / PAGE : 0);
		check_map(area, map);
		CHECK_EQ(used_vram(gpu), 0);
		area->seed = 16 + round;
		pattern_fill(map, size, area->seed);
		area_check_device(area);
		area_device_flip(area, VALUE);
		check_map(area, map);
		sleep_ms(HOME_MS);
		CHECK_OK(gem_unbind(gpu, area->vm, area->mem, size));
		CHECK_OK(gem_bind(gpu, area->vm, bound.handle, 0, area->mem, size));
	}
	CHECK_OK(gem_mmap_offset(gpu, bound.handle, &offset));
	CHECK(mmap(NULL, size, PROT_READ, MAP_PRIVATE, gpu->fd, offset) == MAP_FAILED);
	CHECK_OK(gem_close(gpu, bound.handle));
	CHECK_SYS(munmap(map, size));
	CHECK_OK(gpu_vm_destroy(gpu, area->vm));
}

/* A small one, too, of which the TLB keeps all. */
static void check_mapped(struct gpu *gpu, uint64_t flags)
{
	check_mapped_size(gpu, flags, SIZE);
	check_mapped_size(gpu, flags, 8 * PAGE);
}

static void map_system(struct gpu *gpu)
{
	check_mapped(gpu, 0);
}

static void map_vram(struct gpu *gpu)
{
	check_mapped(gpu, MOCKGPU_GEM_VRAM);
}

/* Parts of one buffer at several addresses, with other memory in between. */
static void parts(struct gpu *gpu)
{
	struct area area = area_filled(gpu, SIZE, 0, MEM_SMALL);
	uint64_t value = 0;
	uint32_t handle;
	char *mem = area.mem;

	CHECK_OK(gem_create(gpu, 8 * PAGE, all_flags(gpu), &handle));
	CHECK_OK(gem_bind(gpu, area.vm, handle, 0, mem + 8 * PAGE, 8 * PAGE));
	CHECK_OK(gem_bind(gpu, area.vm, handle, 4 * PAGE, mem + 32 * PAGE, 2 * PAGE));
	CHECK_RET(gem_bind(gpu, area.vm, handle, 0, mem + 15 * PAGE, 2 * PAGE), -EEXIST);
	CHECK_RET(gem_bind(gpu, area.vm, handle, 0, mem + 7 * PAGE, 2 * PAGE), -EEXIST);
	CHECK_RET(gem_bind(gpu, area.vm, handle, 0, mem + 10 * PAGE, PAGE), -EEXIST);
	CHECK_OK(gpu_fill(gpu, area.vm, mem + 13 * PAGE, PAGE, VALUE));
	CHECK_OK(gpu_read(gpu, area.vm, mem + 33 * PAGE, 8, &value));
	CHECK(value == VALUE);
	CHECK_OK(gpu_read(gpu, area.vm, mem + 34 * PAGE, 8, &value));
	CHECK(value == ((uint64_t *)(mem + 34 * PAGE))[0]);
	CHECK_RET(gem_unbind(gpu, area.vm, mem + 8 * PAGE, PAGE), -ENOENT);
	CHECK_RET(gem_unbind(gpu, area.vm, mem + 8 * PAGE, 9 * PAGE), -ENOENT);
	CHECK_OK(gem_unbind(gpu, area.vm, mem + 8 * PAGE, 8 * PAGE));
	CHECK_RET(gem_unbind(gpu, area.vm, mem + 8 * PAGE, 8 * PAGE), -ENOENT);
	CHECK_OK(gpu_read(gpu, area.vm, mem + 33 * PAGE, 8, &value));
	CHECK(value == VALUE);
	CHECK_OK(gem_unbind(gpu, area.vm, mem + 32 * PAGE, 2 * PAGE));
	area_device_flip(&area, VALUE);
	area_check_cpu(&area);
}

/* It lives as long as anybody has it: a binding, a mapping, a dma-buf. */
static void close_early(struct gpu *gpu)
{
	struct bound bound = bound_new(gpu, SIZE, all_flags(gpu));
	struct area *area = &bound.area;
	char *map = gem_map(gpu, bound.handle, SIZE);
	int fd;

	CHECK_OK(gem_export(gpu, bound.handle, &fd));
	area_device_fill(area, 1);
	CHECK_OK(gem_close(gpu, bound.handle));
	CHECK_RET(gem_close(gpu, bound.handle), -EINVAL);
	area_check_device(area);
	check_map(area, map);
	CHECK_OK(gem_unbind(gpu, area->vm, area->mem, SIZE));
	check_map(area, map);
	CHECK_SYS(munmap(map, SIZE));
	CHECK_OK(gem_import(gpu, fd, &bound.handle));
	CHECK_SYS(close(fd));
	CHECK_OK(gem_bind(gpu, area->vm, bound.handle, 0, area->mem, SIZE));
	area_check_device(area);
	CHECK_OK(gem_close(gpu, bound.handle));
	CHECK_EQ(counter(gpu, MOCKGPU_COUNTER_LIVE_BUFFERS), 1);
	CHECK_OK(gpu_vm_destroy(gpu, area->vm));
	CHECK_EQ(counter(gpu, MOCKGPU_COUNTER_LIVE_BUFFERS), 0);
}

/* One's own dma-buf is the same buffer, in another file of the device too. */
static void own_import(struct gpu *gpu)
{
	struct bound bound = bound_new(gpu, SIZE, all_flags(gpu));
	struct area other = area_new(gpu, SIZE, 0, MEM_SMALL);
	struct gpu again;
	uint32_t handle;
	int fd;

	CHECK_OK(gem_export(gpu, bound.handle, &fd));
	CHECK_OK(gem_import(gpu, fd, &handle));
	CHECK_EQ(handle, bound.handle);
	CHECK_OK(gpu_open(&again, gpu->index));
	CHECK_OK(gem_import(&again, fd, &handle));
	CHECK_EQ(counter(gpu, MOCKGPU_COUNTER_LIVE_BUFFERS), 1);
	other.gpu = &again;
	other.vm = vm_new(&again);
	CHECK_OK(gem_bind(&again, other.vm, handle, 0, other.mem, SIZE));
	area_device_fill(&bound.area, 7);
	other.seed = 7;
	area_check_device(&other);
	check_map(&other, gem_map(&again, handle, SIZE));
}

/* Two devices and the CPU use the same memory. */
static void two_devices(struct gpu *gpu)
{
	struct bound bound = bound_new(gpu, SIZE, all_flags(gpu));
	struct area other = area_new(gpu, SIZE, 0, MEM_SMALL);
	char *map = gem_map(gpu, bound.handle, SIZE), *shared;
	uint64_t offset;
	struct gpu second;
	uint32_t handle;
	int fd;

	area_device_fill(&bound.area, 3);
	CHECK_OK(gem_export(gpu, bound.handle, &fd));
	CHECK_OK(gpu_open(&second, !gpu->index));
	CHECK_OK(gem_import(&second, fd, &handle));
	other.gpu = &second;
	other.vm = vm_new(&second);
	other.seed = 3;
	CHECK_OK(gem_bind(&second, other.vm, handle, 0, other.mem, SIZE));
	area_check_device(&other);
	area_device_flip(&other, VALUE);
	check_map(&other, map);
	bound.area.flip = VALUE;
	sleep_ms(HOME_MS);
	/* Somebody is attached, so it stays where all can use it. */
	area_check_device(&bound.area);
	CHECK_EQ(used_vram(gpu), 0);
	CHECK_RET(gem_mmap_offset(&second, handle, &offset), -EOPNOTSUPP);
	shared = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(shared != MAP_FAILED);
	check_map(&other, shared);
	CHECK_OK(gem_close(&second, handle));
	CHECK_OK(gpu_vm_destroy(&second, other.vm));
	sleep_ms(HOME_MS);
	area_check_device(&bound.area);
	CHECK_EQ(used_vram(gpu), gpu_has_vram(gpu) ? SIZE / PAGE : 0);
	check_map(&bound.area, shared);
}

/* Memory of a file, as a dma-buf of the kernel's own. */
static void foreign_memory(struct gpu *gpu)
{
	int file = memfd_create("buffer", MFD_ALLOW_SEALING), control, fd;
	struct udmabuf_create create = { .memfd = file, .size = SIZE };
	struct area area = area_new(gpu, SIZE, 0, MEM_SMALL);
	uint32_t handle;
	char *map;

	control = open("/dev/udmabuf", O_RDWR);
	if (control < 0)
		test_skip("no /dev/udmabuf");
	CHECK_SYS(ftruncate(file, SIZE));
	CHECK_SYS(fcntl(file, F_ADD_SEALS, F_SEAL_SHRINK));
	map = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	CHECK(map != MAP_FAILED);
	fd = ioctl(control, UDMABUF_CREATE, &create);
	CHECK_SYS(fd);
	CHECK_OK(gem_import(gpu, fd, &handle));
	CHECK_OK(gem_bind(gpu, area.vm, handle, 0, area.mem, SIZE));
	area_device_fill(&area, 5);
	check_map(&area, map);
	area.seed = 6;
	pattern_fill(map, SIZE, 6);
	area_check_device(&area);
}

/* What DRM's generic tools use. */
static void dumb(struct gpu *gpu)
{
	struct drm_mode_create_dumb create = { .width = 100, .height = 30, .bpp = 32 };
	struct drm_mode_destroy_dumb destroy = { };
	struct drm_mode_map_dumb map = { };
	struct gpu primary = *gpu;
	char *mem;

	CHECK_OK(gem_open_primary(&primary, gpu->index));
	CHECK_OK(gpu_ioctl(&primary, DRM_IOCTL_MODE_CREATE_DUMB, &create));
	CHECK(create.pitch >= 400);
	CHECK(create.size >= 30 * create.pitch);
	map.handle = create.handle;
	CHECK_OK(gpu_ioctl(&primary, DRM_IOCTL_MODE_MAP_DUMB, &map));
	mem = mmap(NULL, create.size, PROT_READ | PROT_WRITE, MAP_SHARED, primary.fd, map.offset);
	CHECK(mem != MAP_FAILED);
	memset(mem, 1, create.size);
	destroy.handle = create.handle;
	CHECK_OK(gpu_ioctl(&primary, DRM_IOCTL_MODE_DESTROY_DUMB, &destroy));
	CHECK_EQ(mem[create.size - 1], 1);
}

/* Buffers and other memory make room for each other. */
static void compete(struct gpu *gpu)
{
	struct area area;
	struct bound bound;

	if (gpu->vram_size > MOST_VRAM)
		test_skip("there is more VRAM than %zu MiB to fill", MOST_VRAM / MIB);
	area = area_filled(gpu, gpu->vram_size, 0, MEM_SMALL);
	area_populate(&area);
	bound = bound_new(gpu, 2 * SIZE, MOCKGPU_GEM_VRAM);
	sleep_ms(HOME_MS);
	area_device_fill(&bound.area, 1);
	CHECK(area_pages(&area, MOCKGPU_PAGE_DEVICE) <= (gpu->vram_size - 2 * SIZE) / PAGE);
	CHECK_EQ(used_vram(gpu), gpu->vram_size / PAGE);
	area_move(&area, 0);
	CHECK_PLACE(&area, MOCKGPU_PAGE_DEVICE);
	area_check_device(&bound.area);
	area_check_device(&area);
	area_check_cpu(&area);
}

/* More buffers than there is VRAM, and each is used again and again. */
static void many(struct gpu *gpu)
{
	static struct bound bounds[64];
	size_t count = 2 * gpu->vram_size / SIZE;
	uint64_t random = 1;

	if (count > ARRAY_SIZE(bounds))
		test_skip("there is more VRAM than %zu MiB to fill", ARRAY_SIZE(bounds) / 2);
	for (size_t i = 0; i < count; i++) {
		bounds[i] = bound_new(gpu, SIZE, MOCKGPU_GEM_VRAM);
		area_device_fill(&bounds[i].area, i + 1);
	}
	CHECK(counter(gpu, MOCKGPU_COUNTER_EVICTIONS) > 0);
	for (size_t step = 0; step < 200; step++) {
		struct area *area = &bounds[random_next(&random) % count].area;

		area_device_flip(area, random);
	}
	for (size_t i = 0; i < count; i++) {
		area_check_device(&bounds[i].area);
		check_map(&bounds[i].area, gem_map(gpu, bounds[i].handle, SIZE));
	}
}

/* The device goes away: mappings keep the data, and nothing else works. */
static void unplug(struct gpu *gpu)
{
	struct bound bound, foreign;
	struct gpu second;
	uint32_t handle;
	char *map;
	int fd;

	CHECK_OK(gpu_open(&second, 1));
	bound = bound_new(&second, SIZE, all_flags(gpu));
	map = gem_map(&second, bound.handle, SIZE);
	foreign = bound_new(gpu, SIZE, 0);
	CHECK_OK(gem_export(gpu, foreign.handle, &fd));
	CHECK_OK(gem_import(&second, fd, &handle));
	CHECK_OK(gem_bind(&second, bound.area.vm, handle, 0, foreign.area.mem, SIZE));
	area_device_fill(&foreign.area, 1);
	area_device_fill(&bound.area, 2);
	CHECK_OK(gpu_fill(&second, bound.area.vm, foreign.area.mem, PAGE, VALUE));
	CHECK_OK(device_unbind(1));
	check_map(&bound.area, map);
	CHECK_RET(gem_create(&second, SIZE, 0, &handle), -ENODEV);
	CHECK_RET(gem_import(&second, fd, &handle), -ENODEV);
	CHECK_RET(gpu_fill(&second, bound.area.vm, bound.area.mem, PAGE, VALUE), -ENODEV);
	CHECK_OK(gpu_fill(gpu, foreign.area.vm, foreign.area.mem, PAGE, VALUE));
	CHECK_SYS(munmap(map, SIZE));
	gpu_close(&second);
	CHECK_OK(device_bind(1));
}

/* What the kernel says from now on. */
static int log_open(void)
{
	int log = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	CHECK_SYS(log);
	CHECK_SYS(lseek(log, 0, SEEK_END));
	return log;
}

static bool log_has(int log, const char *text)
{
	char line[8192];
	ssize_t size;

	while ((size = read(log, line, sizeof(line) - 1)) > 0 || errno == EPIPE) {
		line[size > 0 ? size : 0] = '\0';
		if (strstr(line, text))
			return true;
	}
	return false;
}

static void *close_when_gone(void *arg)
{
	struct gpu *gpu = arg;
	uint64_t value;

	while (!gpu_query(gpu, MOCKGPU_PARAM_TIER, &value))
		sleep_ms(1);
	gpu_close(gpu);
	return NULL;
}

/* The device goes away while a buffer of it ends, which takes a while: it is waited for. */
static void unplug_closing(struct gpu *gpu)
{
	struct bound bound;
	struct gpu second;
	pthread_t thread;
	int log = log_open();

	(void)gpu;
	CHECK_OK(gpu_open(&second, 1));
	bound = bound_new(&second, LARGE, 0);
	CHECK_OK(gpu_fill(&second, bound.area.vm, bound.area.mem, PAGE, VALUE));
	CHECK_OK(gem_unbind(&second, bound.area.vm, bound.area.mem, LARGE));
	CHECK(!pthread_create(&thread, NULL, close_when_gone, &second));
	CHECK_OK(device_unbind(1));
	CHECK(!pthread_join(thread, NULL));
	CHECK(!log_has(log, "are mapped for DMA to a device that goes"));
	CHECK_OK(device_bind(1));
}

static void bad_arguments(struct gpu *gpu)
{
	struct area area = area_new(gpu, SIZE, 0, MEM_SMALL);
	struct drm_mockgpu_vm_bind good = { .vm_id = area.vm }, bind;
	struct drm_mockgpu_gem_create create = { .size = PAGE, .pad = 1 };
	struct drm_mockgpu_vm share = { .flags = MOCKGPU_VM_SHARED };
	uint64_t offset;
	uint32_t handle;

	CHECK_RET(gem_create(gpu, 0, 0, &handle), -EINVAL);
	CHECK_RET(gem_create(gpu, PAGE + 1, 0, &handle), -EINVAL);
	CHECK_RET(gem_create(gpu, PAGE, 2, &handle), -EINVAL);
	CHECK_RET(gem_create(gpu, -PAGE, 0, &handle), -ENOMEM);
	CHECK_RET(gem_create(gpu, 1ULL << 45, 0, &handle), -ENOMEM);
	CHECK_RET(gpu_ioctl(gpu, DRM_IOCTL_MOCKGPU_GEM_CREATE, &create), -EINVAL);
	CHECK_RET(gem_create(gpu, gpu->vram_size + PAGE, MOCKGPU_GEM_VRAM, &handle),
		  gpu_has_vram(gpu) ? -ENOSPC : -EOPNOTSUPP);
	CHECK_RET(gem_mmap_offset(gpu, 12345, &offset), -ENOENT);
	CHECK_OK(gem_create(gpu, 4 * PAGE, 0, &handle));
	good.handle = handle;
	good.addr = (uintptr_t)area.mem;
	good.size = 4 * PAGE;
#define BAD(field, value, error)						\
	do {									\
		bind = good;							\
		bind.field = (value);						\
		CHECK_RET(gpu_ioctl(gpu, DRM_IOCTL_MOCKGPU_VM_BIND, &bind), error);	\
	} while (0)
	BAD(vm_id, 12345, -ENOENT);
	BAD(op, 2, -EINVAL);
	BAD(op, MOCKGPU_UNBIND, -EINVAL);
	BAD(handle, 12345, -ENOENT);
	BAD(pad, 1, -EINVAL);
	BAD(offset, PAGE, -EINVAL);
	BAD(offset, 1, -EINVAL);
	BAD(offset, -PAGE, -EINVAL);
	BAD(addr, good.addr + 8, -EINVAL);
	BAD(addr, -PAGE, -EINVAL);
	BAD(size, 0, -EINVAL);
	BAD(size, 5 * PAGE, -EINVAL);
	BAD(size, -PAGE, -EINVAL);
	CHECK_OK(gpu_ioctl(gpu, DRM_IOCTL_MOCKGPU_VM_CREATE, &share));
	BAD(vm_id, share.vm_id, -EOPNOTSUPP);
	CHECK_OK(gpu_ioctl(gpu, DRM_IOCTL_MOCKGPU_VM_BIND, &good));
}

/* A VM has so many bindings and no more. */
static void binding_limit(struct gpu *gpu)
{
	struct area area = area_new(gpu, 4097 * PAGE, 0, MEM_SMALL);
	uint32_t handle;

	CHECK_OK(gem_create(gpu, PAGE, 0, &handle));
	for (size_t i = 0; i < 4096; i++)
		CHECK_OK(gem_bind(gpu, area.vm, handle, 0, area.mem + i * PAGE, PAGE));
	CHECK_RET(gem_bind(gpu, area.vm, handle, 0, area.mem + 4096 * PAGE, PAGE), -EBUSY);
	CHECK_OK(gpu_fill(gpu, area.vm, area.mem + 4095 * PAGE, PAGE, VALUE));
	CHECK_EQ(*(uint64_t *)gem_map(gpu, handle, PAGE), VALUE);
}

/* One page of a buffer at all addresses of so many VMs as its limit allows. */
#define BIND_VMS	16
#define BIND_PAGES	4096

static void bind_everywhere(const struct gpu *gpu, const struct area *area, uint32_t handle,
			    uint32_t *vms)
{
	for (size_t vm = 0; vm < BIND_VMS; vm++) {
		vms[vm] = vm_new(gpu);
		for (size_t i = 0; i < BIND_PAGES; i++)
			CHECK_OK(gem_bind(gpu, vms[vm], handle, 0, area->mem + i * PAGE, PAGE));
	}
}

/* What one binding changes all others show, those that were used before, too. */
static void check_everywhere(const struct gpu *gpu, const struct area *area, const uint32_t *vms,
			     uint64_t seed)
{
	char *last = area->mem + (BIND_PAGES - 1) * PAGE;
	uint64_t value = 0;

	CHECK_OK(gpu_fill(gpu, vms[seed % BIND_VMS], last, PAGE, seed));
	for (size_t vm = 0; vm < BIND_VMS; vm++) {
		CHECK_OK(gpu_read(gpu, vms[vm], area->mem + vm * PAGE + 8, 8, &value));
		CHECK_EQ(value, seed);
		CHECK_OK(gpu_read(gpu, vms[vm], last, 8, &value));
		CHECK_EQ(value, seed);
	}
}

/* So has a buffer, in all VMs together; wherever it goes, all of them find it. */
static void buffer_binding_limit(struct gpu *gpu)
{
	struct area area = area_new(gpu, BIND_PAGES * PAGE, 0, MEM_SMALL);
	uint32_t vms[BIND_VMS], handle;
	volatile uint64_t *map;

	CHECK_OK(gem_create(gpu, PAGE, all_flags(gpu), &handle));
	map = gem_map(gpu, handle, PAGE);
	bind_everywhere(gpu, &area, handle, vms);
	CHECK_RET(gem_bind(gpu, area.vm, handle, 0, area.mem, PAGE), -EBUSY);
	for (uint64_t round = 1; round < 4; round++) {
		check_everywhere(gpu, &area, vms, round);
		CHECK_EQ(used_vram(gpu), gpu_has_vram(gpu));
		CHECK_EQ(map[1], round);
		map[1] = round + 100;
		CHECK_OK(gpu_xor(gpu, vms[round], area.mem + 8, 8, 1));
		CHECK_EQ(map[1], (round + 100) ^ 1);
		sleep_ms(HOME_MS);
		/* This is a sign that it may go in again. */
		CHECK_OK(gem_unbind(gpu, vms[0], area.mem, PAGE));
		CHECK_OK(gem_bind(gpu, area.vm, handle, 0, area.mem, PAGE));
		CHECK_RET(gem_bind(gpu, vms[0], handle, 0, area.mem, PAGE), -EBUSY);
		CHECK_OK(gem_unbind(gpu, area.vm, area.mem, PAGE));
		CHECK_OK(gem_bind(gpu, vms[0], handle, 0, area.mem, PAGE));
	}
}

/* All buffers together leave half of the memory. */
static void memory_limit(struct gpu *gpu)
{
	uint64_t pages = sysconf(_SC_PHYS_PAGES);
	uint32_t first, second;

	CHECK_OK(gem_create(gpu, pages / 3 * PAGE, 0, &first));
	CHECK_RET(gem_create(gpu, pages / 3 * PAGE, 0, &second), -ENOMEM);
	CHECK_OK(gem_close(gpu, first));
	CHECK_OK(gem_create(gpu, pages / 3 * PAGE, 0, &second));
}

/* Those of all devices, as it is the same memory. */
static void limit_is_for_all(struct gpu *gpu)
{
	uint64_t size = (uint64_t)sysconf(_SC_PHYS_PAGES) * 2 / 5 * PAGE;
	uint32_t first, second;
	struct gpu other;

	CHECK_OK(gpu_open(&other, !gpu->index));
	CHECK_OK(gem_create(gpu, size, 0, &first));
	CHECK_RET(gem_create(&other, size, 0, &second), -ENOMEM);
	CHECK_OK(gem_close(gpu, first));
	CHECK_OK(gem_create(&other, size, 0, &second));
	CHECK_RET(gem_create(gpu, size, 0, &first), -ENOMEM);
}

static const struct test tests[] = {
	{ "use-system", use_system, 0, 0 },
	{ "use-vram", use_vram, NEED_VRAM, 0 },
	{ "map-system", map_system, 0, 0 },
	{ "map-vram", map_vram, NEED_VRAM, 0 },
	{ "parts", parts, 0, 0 },
	{ "close-early", close_early, 0, 0 },
	{ "own-import", own_import, 0, 0 },
	{ "two-devices", two_devices, NEED_TWO_DEVICES, 0 },
	{ "foreign-memory", foreign_memory, NEED_ROOT, 0 },
	{ "dumb", dumb, NEED_ROOT, 0 },
	{ "compete", compete, NEED_VRAM, 0 },
	{ "many", many, NEED_VRAM, 0 },
	{ "bad-arguments", bad_arguments, 0, 0 },
	{ "binding-limit", binding_limit, 0, 0 },
	{ "buffer-binding-limit", buffer_binding_limit, 0, 0 },
	{ "memory-limit", memory_limit, 0, 0 },
	{ "limit-is-for-all", limit_is_for_all, NEED_TWO_DEVICES, 0 },
	{ "unplug", unplug, NEED_ROOT | NEED_TWO_DEVICES, 0 },
	{ "unplug-closing", unplug_closing, NEED_ROOT | NEED_TWO_DEVICES, 0 },
};

HARNESS_MAIN(tests)
