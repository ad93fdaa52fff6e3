// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Arguments of every command: wrong ones are refused with the errno that
 * mockgpu_drm.h names, and nothing has changed then.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "buffer.h"
#include "queue.h"

/* Beyond user space whether page tables have four levels or five. */
#define BEYOND_USER	(1ULL << 56)
#define KERNEL_HALF	0xffff800000000000ULL

/* The fixture: two pieces, the first in VRAM where there is any. */
struct fixture {
	struct area area, device;
	uint64_t moved;
	size_t pages[4];
};

static void count_places(const struct area *area, size_t pages[4])
{
	for (unsigned int kind = 0; kind < 4; kind++)
		pages[kind] = area_pages(area, kind);
}

static struct fixture fixture_new(struct gpu *gpu)
{
	struct fixture fixture = { };

	fixture.area = area_filled(gpu, 2 * HUGE_PAGE, 0, MEM_SMALL);
	fixture.device = area_part(&fixture.area, 0, HUGE_PAGE);
	if (gpu_has_vram(gpu))
		area_populate(&fixture.device);
	count_places(&fixture.area, fixture.pages);
	fixture.moved = counter(gpu, MOCKGPU_COUNTER_PAGES_TO_DEVICE);
	return fixture;
}

/* Nothing moved, every word is as it was. */
static void fixture_check(const struct fixture *fixture)
{
	size_t pages[4];

	count_places(&fixture->area, pages);
	CHECK(!memcmp(pages, fixture->pages, sizeof(pages)));
	CHECK_EQ(counter(fixture->area.gpu, MOCKGPU_COUNTER_PAGES_TO_DEVICE), fixture->moved);
	area_check_device(&fixture->area);
	area_check_cpu(&fixture->area);
}

/* Ranges that no command takes; relative ones count from the fixture's start. */
static const struct bad_range {
	const char *what;
	uint64_t start;
	uint64_t size;
	int absolute;
} bad_ranges[] = {
	{ "no bytes", 0, 0, 0 },
	{ "size wraps", 0, ~0ULL & ~(PAGE - 1), 0 },
	{ "largest size", 0, 1ULL << 63, 0 },
	{ "beyond user space", 0, BEYOND_USER, 0 },
	{ "end is 2^64", ~0ULL & ~(PAGE - 1), PAGE, 1 },
	{ "start 0, size wraps", 0, ~0ULL & ~(PAGE - 1), 1 },
	{ "kernel half", KERNEL_HALF, PAGE, 1 },
	{ "all of the kernel half", KERNEL_HALF, 1ULL << 47, 1 },
	{ "not canonical", 1ULL << 62, PAGE, 1 },
};

/* Ranges that commands on whole pages do not take. */
static const struct bad_range unaligned_ranges[] = {
	{ "start inside a page", 1, PAGE, 0 },
	{ "start at a word", 8, PAGE, 0 },
	{ "one byte", 0, 1, 0 },
	{ "a byte more than a page", 0, PAGE + 1, 0 },
	{ "a byte less than a page", 0, PAGE - 1, 0 },
	{ "both", PAGE / 2, PAGE / 2, 0 },
};

/* A range on the device under test, by one command. */
typedef int (*range_call)(const struct area *area, uint64_t addr, uint64_t size);

static void check_ranges(const struct area *area, range_call call,
			 const struct bad_range *ranges, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		uint64_t base = ranges[i].absolute ? 0 : (uintptr_t)area->mem;
		int ret = call(area, base + ranges[i].start, ranges[i].size);

		if (ret != -EINVAL)
			FAIL("%s: %s, not -EINVAL", ranges[i].what, errno_name(ret));
	}
}

static int populate_range(const struct area *area, uint64_t addr, uint64_t size)
{
	struct drm_mockgpu_populate populate = { .vm_id = area->vm, .addr = addr, .size = size };

	return gpu_ioctl(area->gpu, DRM_IOCTL_MOCKGPU_POPULATE, &populate);
}

static int residency_range(const struct area *area, uint64_t addr, uint64_t size)
{
	static uint8_t map[64];
	struct drm_mockgpu_residency residency = {
		.vm_id = area->vm, .addr = addr, .size = size, .data = (uintptr_t)map,
	};

	return gpu_ioctl(area->gpu, DRM_IOCTL_MOCKGPU_RESIDENCY, &residency);
}

static int access_range(const struct area *area, unsigned int op, uint64_t addr, uint64_t size)
{
	static char buffer[2 * PAGE];
	struct drm_mockgpu_access access = { .vm_id = area->vm, .op = op, .addr = addr, .size = size };

	if (op == MOCKGPU_ACCESS_READ || op == MOCKGPU_ACCESS_WRITE)
		access.data = (uintptr_t)buffer;
	return gpu_access(area->gpu, &access);
}

static int read_range(const struct area *area, uint64_t addr, uint64_t size)
{
	return access_range(area, MOCKGPU_ACCESS_READ, addr, size);
}

static int write_range(const struct area *area, uint64_t addr, uint64_t size)
{
	return access_range(area, MOCKGPU_ACCESS_WRITE, addr, size);
}

static int fill_range(const struct area *area, uint64_t addr, uint64_t size)
{
	return access_range(area, MOCKGPU_ACCESS_FILL, addr, size);
}

static int xor_range(const struct area *area, uint64_t addr, uint64_t size)
{
	return access_range(area, MOCKGPU_ACCESS_XOR, addr, size);
}

static void populate_ranges(struct gpu *gpu)
{
	struct fixture fixture = fixture_new(gpu);

	check_ranges(&fixture.area, populate_range, bad_ranges, ARRAY_SIZE(bad_ranges));
	check_ranges(&fixture.area, populate_range, unaligned_ranges, ARRAY_SIZE(unaligned_ranges));
	fixture_check(&fixture);
}

static void residency_ranges(struct gpu *gpu)
{
	struct fixture fixture = fixture_new(gpu);

	check_ranges(&fixture.area, residency_range, bad_ranges, ARRAY_SIZE(bad_ranges));
	check_ranges(&fixture.area, residency_range, unaligned_ranges, ARRAY_SIZE(unaligned_ranges));
	fixture_check(&fixture);
}

static void access_ranges(struct gpu *gpu)
{
	static const range_call calls[] = { read_range, write_range, fill_range, xor_range };
	static const struct bad_range halves[] = {
		{ "start inside a word", 4, 8, 0 },
		{ "start at a byte", 1, PAGE, 0 },
		{ "half a word", 0, 4, 0 },
		{ "a page and a byte", 0, PAGE + 1, 0 },
	};
	struct fixture fixture = fixture_new(gpu);

	for (size_t i = 0; i < ARRAY_SIZE(calls); i++)
		check_ranges(&fixture.area, calls[i], bad_ranges, ARRAY_SIZE(bad_ranges));
	check_ranges(&fixture.area, fill_range, halves, ARRAY_SIZE(halves));
	check_ranges(&fixture.area, xor_range, halves, ARRAY_SIZE(halves));
	fixture_check(&fixture);
}

/* READ and WRITE take any byte. */
static void access_bytes(struct gpu *gpu)
{
	static const size_t sizes[] = { 1, 7, 8, 100, PAGE - 1, PAGE, PAGE + 1, 3 * PAGE + 5 };
	struct fixture fixture = fixture_new(gpu);
	const struct area *area = &fixture.area;
	size_t edge = HUGE_PAGE - PAGE - 3;
	static char want[4 * PAGE], got[4 * PAGE];

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		size_t size = sizes[i];

		memcpy(want, area->mem + edge, size);
		memset(got, 0x5a, sizeof(got));
		CHECK_OK(gpu_read(gpu, area->vm, area->mem + edge, size, got));
		CHECK(!memcmp(got, want, size));
		CHECK_EQ(got[size], 0x5a);
		memset(got, ~size, size);
		CHECK_OK(gpu_write(gpu, area->vm, area->mem + edge, size, got));
		CHECK(!memcmp(area->mem + edge, got, size));
		CHECK_OK(gpu_write(gpu, area->vm, area->mem + edge, size, want));
	}
	area_check_device(area);
	area_check_cpu(area);
}

static void access_fields(struct gpu *gpu)
{
	struct fixture fixture = fixture_new(gpu);
	const struct area *area = &fixture.area;
	static uint64_t word;
	const struct drm_mockgpu_access good = {
		.vm_id = area->vm, .op = MOCKGPU_ACCESS_FILL, .size = 8,
		.addr = (uintptr_t)area->mem,
	};
	struct drm_mockgpu_access bad[] = { good, good, good, good, good, good, good };

	bad[0].op = MOCKGPU_ACCESS_XOR + 1;
	bad[1].op = ~0U;
	bad[2].flags = 1;
	bad[3].flags = 1ULL << 63;
	bad[4].data = (uintptr_t)&word;
	bad[5].op = MOCKGPU_ACCESS_READ;
	bad[5].data = (uintptr_t)&word;
	bad[5].value = 1;
	bad[6] = bad[5];
	bad[6].op = MOCKGPU_ACCESS_WRITE;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		int ret = gpu_access(gpu, &bad[i]);

		if (ret != -EINVAL)
			FAIL("case %zu: %s, not -EINVAL", i, errno_name(ret));
	}
	fixture_check(&fixture);
}

/* Buffers that are not there, in part or at all. */
static void access_buffers(struct gpu *gpu)
{
	struct fixture fixture = fixture_new(gpu);
	const struct area *area = &fixture.area;
	char *short_buffer = mem_map(PAGE, 0, MEM_SMALL);
	void *buffers[] = {
		NULL, (void *)8, (void *)KERNEL_HALF, (void *)~0ULL,
		short_buffer + PAGE, short_buffer - 8,
	};

	for (size_t i = 0; i < ARRAY_SIZE(buffers); i++) {
		CHECK_RET(gpu_read(gpu, area->vm, area->mem, 64, buffers[i]), -EFAULT);
		CHECK_RET(gpu_write(gpu, area->vm, area->mem, 64, buffers[i]), -EFAULT);
	}
	CHECK_RET(gpu_read(gpu, area->vm, area->mem, 2 * PAGE, short_buffer), -EFAULT);
	fixture_check(&fixture);
}

/* What the device has done before it came to a hole is told, and no more is done. */
static void access_hole(struct gpu *gpu)
{
	struct area area = area_filled(gpu, 4 * PAGE, 0, MEM_SMALL), part;
	struct drm_mockgpu_access access = {
		.vm_id = area.vm, .op = MOCKGPU_ACCESS_XOR, .addr = (uintptr_t)area.mem,
		.size = area.size, .value = 0xff00ff00ff00ff00ULL,
	};
	struct mismatch bad;

	CHECK_SYS(munmap(area.mem + 3 * PAGE, PAGE));
	CHECK_RET(gpu_access(gpu, &access), -EFAULT);
	CHECK(access.done <= 3 * PAGE && access.done % 8 == 0);
	part = area_part(&area, 0, access.done);
	part.flip = access.value;
	area_check_cpu(&part);
	for (size_t i = access.done / 8; i < 3 * PAGE / 8; i++) {
		uint64_t got = ((uint64_t *)area.mem)[i];

		bad = (struct mismatch){ i * 8, got, pattern_word(area.seed, i) };
		CHECK_DATA(bad.got == bad.want, bad);
	}
}

static void access_unmapped(struct gpu *gpu)
{
	struct area area = area_filled(gpu, PAGE, 0, MEM_SMALL);
	char data[64] = "";

	CHECK_RET(gpu_read(gpu, area.vm, area.mem + PAGE, 64, data), -EFAULT);
	CHECK_RET(gpu_write(gpu, area.vm, area.mem + PAGE, 64, data), -EFAULT);
	CHECK_RET(gpu_read(gpu, area.vm, (void *)PAGE, 64, data), -EFAULT);
	CHECK_SYS(munmap(area.mem, PAGE));
	CHECK_RET(gpu_read(gpu, area.vm, area.mem, 64, data), -EFAULT);
	CHECK_RET(gpu_fill(gpu, area.vm, area.mem, 64, 1), -EFAULT);
}

/* The device has the rights of the mapping, wherever the page is. */
static void access_rights(struct gpu *gpu)
{
	struct fixture fixture = fixture_new(gpu);
	const struct area *area = &fixture.area;
	char data[64] = "";

	for (size_t at = 0; at < area->size; at += HUGE_PAGE) {
		char *mem = area->mem + at;

		CHECK_SYS(mprotect(mem, HUGE_PAGE, PROT_READ));
		CHECK_RET(gpu_fill(gpu, area->vm, mem, 64, 1), -EFAULT);
		CHECK_RET(gpu_write(gpu, area->vm, mem, 64, data), -EFAULT);
		CHECK_OK(gpu_read(gpu, area->vm, mem, 64, data));
		CHECK_SYS(mprotect(mem, HUGE_PAGE, PROT_NONE));
		CHECK_RET(gpu_read(gpu, area->vm, mem, 64, data), -EFAULT);
		CHECK_RET(gpu_fill(gpu, area->vm, mem, 64, 1), -EFAULT);
		CHECK_SYS(mprotect(mem, HUGE_PAGE, PROT_READ | PROT_WRITE));
	}
	area_check_device(area);
	area_check_cpu(area);
}

static void populate_fields(struct gpu *gpu)
{
	struct fixture fixture = fixture_new(gpu);
	struct drm_mockgpu_populate populate = {
		.vm_id = fixture.area.vm, .addr = (uintptr_t)fixture.area.mem,
		.size = fixture.area.size, .flags = MOCKGPU_POPULATE_PARTIAL << 1,
	};

	CHECK_RET(gpu_ioctl(gpu, DRM_IOCTL_MOCKGPU_POPULATE, &populate), -EINVAL);
	populate.flags = 1ULL << 63;
	CHECK_RET(gpu_ioctl(gpu, DRM_IOCTL_MOCKGPU_POPULATE, &populate), -EINVAL);
	fixture_check(&fixture);
}

static void populate_unmapped(struct gpu *gpu)
{
	struct area area = area_filled(gpu, 4 * PAGE, 0, MEM_SMALL), part;

	CHECK_SYS(munmap(area.mem + area.size, HUGE_PAGE));
	CHECK_SYS(munmap(area.mem - PAGE, PAGE));
	CHECK_RET(gpu_populate(gpu, area.vm, area.mem + area.size, HUGE_PAGE), -ENOENT);
	CHECK_RET(gpu_populate(gpu, area.vm, area.mem, area.size + PAGE), -ENOENT);
	CHECK_RET(gpu_populate(gpu, area.vm, area.mem - PAGE, area.size + PAGE), -ENOENT);
	CHECK_SYS(munmap(area.mem + 3 * PAGE, PAGE));
	CHECK_RET(gpu_populate(gpu, area.vm, area.mem, area.size), -ENOENT);
	part = area_part(&area, 0, 3 * PAGE);
	area_check_device(&part);
	area_check_cpu(&part);
}

/* No access is a kind of access: the memory may move, but cannot be used. */
static void populate_inaccessible(struct gpu *gpu)
{
	struct area area = area_filled(gpu, MIB, 0, MEM_SMALL);
	char byte;

	CHECK_SYS(mprotect(area.mem, area.size, PROT_NONE));
	area_move(&area, 0);
	CHECK_RET(gpu_read(gpu, area.vm, area.mem, 1, &byte), -EFAULT);
	CHECK_SYS(mprotect(area.mem, area.size, PROT_READ | PROT_WRITE));
	area_check_device(&area);
	area_check_cpu(&area);
}

/* Nearly all of user space: mostly holes, and it must end soon. */
static void populate_everything(struct gpu *gpu)
{
	struct area area = area_filled(gpu, HUGE_PAGE, 0, MEM_SMALL);
	double start = seconds_now();

	CHECK_RET(gpu_populate(gpu, area.vm, (void *)(1ULL << 21), 1ULL << 40), -ENOENT);
	CHECK(seconds_now() - start < patience(30));
	area_check_cpu(&area);
}

static void populate_system_tier(struct gpu *gpu)
{
	struct area area = area_filled(gpu, PAGE, 0, MEM_SMALL);

	if (gpu_has_vram(gpu))
		test_skip("the device has VRAM");
	CHECK_RET(gpu_populate(gpu, area.vm, area.mem, area.size), -EOPNOTSUPP);
	CHECK_RET(gpu_evict_vm(gpu, area.vm), -EOPNOTSUPP);
	area_device_flip(&area, 0x55);
	area_check_cpu(&area);
}

static void evict_fields(struct gpu *gpu)
{
	struct fixture fixture = fixture_new(gpu);
	uint64_t here = (uintptr_t)fixture.area.mem;
	const struct drm_mockgpu_evict bad[] = {
		{ .vm_id = fixture.area.vm, .scope = MOCKGPU_EVICT_DEVICE + 1 },
		{ .vm_id = fixture.area.vm, .scope = ~0U, .addr = here },
		{ .vm_id = fixture.area.vm, .scope = MOCKGPU_EVICT_VM, .addr = here },
		{ .vm_id = fixture.area.vm, .scope = MOCKGPU_EVICT_DEVICE, .addr = here },
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct drm_mockgpu_evict evict = bad[i];
		int ret = gpu_evict(gpu, &evict);

		if (ret != -EINVAL)
			FAIL("case %zu: %s, not -EINVAL", i, errno_name(ret));
	}
	fixture_check(&fixture);
}

static void evict_nothing(struct gpu *gpu)
{
	struct fixture fixture = fixture_new(gpu);
	const struct area *area = &fixture.area;
	struct drm_mockgpu_evict evict = { .vm_id = vm_new(gpu), .scope = MOCKGPU_EVICT_VM };

	CHECK_RET(gpu_evict_at(gpu, area->vm, area->mem + HUGE_PAGE), -ENOENT);
	CHECK_RET(gpu_evict_at(gpu, area->vm, area->mem + area->size), -ENOENT);
	CHECK_RET(gpu_evict_at(gpu, area->vm, NULL), -ENOENT);
	CHECK(gpu_evict_at(gpu, area->vm, (void *)KERNEL_HALF) < 0);
	CHECK(gpu_evict_at(gpu, area->vm, (void *)~0ULL) < 0);
	CHECK_OK(gpu_evict(gpu, &evict));
	CHECK_EQ(evict.evicted, 0);
	CHECK_EQ(evict.busy, 0);
	fixture_check(&fixture);
}

static void evict_as_user(void *arg)
{
	struct gpu *gpu = arg;
	uint32_t vm = vm_new(gpu);

	CHECK_SYS(setgid(65534));
	CHECK_SYS(setuid(65534));
	CHECK_RET(gpu_evict_device(gpu, vm), -EPERM);
	CHECK_OK(gpu_evict_vm(gpu, vm));
}

static void evict_device_user(struct gpu *gpu)
{
	struct fixture fixture = fixture_new(gpu);

	test_join(test_fork(evict_as_user, gpu));
	fixture_check(&fixture);
}

static void residency_fields(struct gpu *gpu)
{
	struct fixture fixture = fixture_new(gpu);
	const struct area *area = &fixture.area;
	static uint8_t map[2 * HUGE_PAGE / PAGE];
	struct drm_mockgpu_residency residency = {
		.vm_id = area->vm, .pad = 1, .addr = (uintptr_t)area->mem,
		.size = area->size, .data = (uintptr_t)map,
	};
	char *short_buffer = mem_map(PAGE, 0, MEM_SMALL);

	CHECK_RET(gpu_ioctl(gpu, DRM_IOCTL_MOCKGPU_RESIDENCY, &residency), -EINVAL);
	CHECK_RET(gpu_residency(gpu, area->vm, area->mem, area->size, NULL), -EFAULT);
	CHECK_RET(gpu_residency(gpu, area->vm, area->mem, area->size, (void *)KERNEL_HALF), -EFAULT);
	CHECK_RET(gpu_residency(gpu, area->vm, area->mem, area->size,
				(uint8_t *)short_buffer + PAGE - 8), -EFAULT);
	fixture_check(&fixture);
}

/* A snapshot: unmapped and untouched pages are none, and looking changes nothing. */
static void residency_none(struct gpu *gpu)
{
	struct area area = area_new(gpu, 8 * PAGE, 0, MEM_SMALL);

	area.mem[2 * PAGE] = 1;
	CHECK_SYS(munmap(area.mem + 4 * PAGE, PAGE));
	for (int i = 0; i < 2; i++) {
		CHECK_EQ(area_pages(&area, MOCKGPU_PAGE_NONE), 7);
		CHECK_EQ(area_pages(&area, MOCKGPU_PAGE_SYSTEM), 1);
	}
}

static void residency_huge_range(struct gpu *gpu)
{
	uint32_t vm = vm_new(gpu);
	double start = seconds_now();
	int ret = gpu_residency(gpu, vm, (void *)(1ULL << 21), 1ULL << 45, NULL);

	CHECK(ret == -EFAULT || ret == -ENOMEM);
	CHECK(seconds_now() - start < patience(30));
}

static void query_fields(struct gpu *gpu)
{
	struct drm_mockgpu_query query = { .param = MOCKGPU_PARAM_TIER, .pad = 1 };
	uint64_t value;

	CHECK_RET(gpu_query(gpu, MOCKGPU_PARAM_CAPS + 1, &value), -EINVAL);
	CHECK_RET(gpu_query(gpu, ~0U, &value), -EINVAL);
	CHECK_RET(gpu_ioctl(gpu, DRM_IOCTL_MOCKGPU_QUERY, &query), -EINVAL);
	CHECK_OK(gpu_query(gpu, MOCKGPU_PARAM_UAPI_VERSION, &value));
	CHECK(value >= MOCKGPU_UAPI_VERSION);
	CHECK_OK(gpu_query(gpu, MOCKGPU_PARAM_PAGE_SIZE, &value));
	CHECK_EQ(value, sysconf(_SC_PAGESIZE));
	CHECK_EQ(!!(gpu->caps & MOCKGPU_CAP_MIGRATION), gpu_has_vram(gpu));
	CHECK_EQ(gpu->vram_size % HUGE_PAGE, 0);
	CHECK_EQ(gpu->vram_size != 0, gpu_has_vram(gpu));
}

/* VRAM_USED follows what is populated. */
static void query_used(struct gpu *gpu)
{
	struct area area = area_new(gpu, HUGE_PAGE, 0, MEM_SMALL);
	uint64_t before, used;

	CHECK_OK(gpu_query(gpu, MOCKGPU_PARAM_VRAM_USED, &before));
	area_populate(&area);
	CHECK_OK(gpu_query(gpu, MOCKGPU_PARAM_VRAM_USED, &used));
	CHECK_EQ(used - before, area.size);
	area_evict(&area);
	CHECK_OK(gpu_query(gpu, MOCKGPU_PARAM_VRAM_USED, &used));
	CHECK_EQ(used, before);
}

static void counters_fields(struct gpu *gpu)
{
	uint64_t data[MOCKGPU_COUNTER_COUNT + 2];
	struct drm_mockgpu_counters counters = { .count = 2, .pad = 1, .data = (uintptr_t)data };

	CHECK_RET(gpu_ioctl(gpu, DRM_IOCTL_MOCKGPU_COUNTERS, &counters), -EINVAL);
	counters.pad = 0;
	memset(data, 0x5a, sizeof(data));
	CHECK_OK(gpu_ioctl(gpu, DRM_IOCTL_MOCKGPU_COUNTERS, &counters));
	CHECK(counters.count >= MOCKGPU_COUNTER_COUNT);
	CHECK(data[1] != 0x5a5a5a5a5a5a5a5aULL && data[2] == 0x5a5a5a5a5a5a5a5aULL);
	counters.count = 0;
	counters.data = 0;
	CHECK_OK(gpu_ioctl(gpu, DRM_IOCTL_MOCKGPU_COUNTERS, &counters));
	CHECK_RET(gpu_ioctl(gpu, DRM_IOCTL_MOCKGPU_COUNTERS, &counters), -EFAULT);
	counters.data = KERNEL_HALF;
	CHECK_RET(gpu_ioctl(gpu, DRM_IOCTL_MOCKGPU_COUNTERS, &counters), -EFAULT);
	counters.count = ~0U;
	counters.data = (uintptr_t)data;
	CHECK_OK(gpu_ioctl(gpu, DRM_IOCTL_MOCKGPU_COUNTERS, &counters));
}

static void vm_fields(struct gpu *gpu)
{
	struct drm_mockgpu_vm vm = { .flags = ~MOCKGPU_VM_SHARED };
	uint64_t live = counter(gpu, MOCKGPU_COUNTER_LIVE_VMS);

	CHECK_RET(gpu_ioctl(gpu, DRM_IOCTL_MOCKGPU_VM_CREATE, &vm), -EINVAL);
	vm.vm_id = vm_new(gpu);
	CHECK_EQ(counter(gpu, MOCKGPU_COUNTER_LIVE_VMS), live + 1);
	CHECK_RET(gpu_ioctl(gpu, DRM_IOCTL_MOCKGPU_VM_DESTROY, &vm), -EINVAL);
	CHECK_RET(gpu_vm_destroy(gpu, vm.vm_id + 1), -ENOENT);
	CHECK_OK(gpu_vm_destroy(gpu, vm.vm_id));
	CHECK_RET(gpu_vm_destroy(gpu, vm.vm_id), -ENOENT);
	CHECK_RET(gpu_vm_destroy(gpu, 0), -ENOENT);
	CHECK_RET(gpu_vm_destroy(gpu, ~0U), -ENOENT);
}

static int get_attr(const struct area *area, unsigned int attr)
{
	struct drm_mockgpu_attr_range args = {
		.vm_id = area->vm, .attr = attr, .addr = (uintptr_t)area->mem,
	};

	return gpu_ioctl(area->gpu, DRM_IOCTL_MOCKGPU_GET_ATTR, &args);
}

/* Those that name something else as well, which is as it should be. */
static void with_more_refused(const struct area *area, int want)
{
	const struct area page = area_part(area, 0, PAGE);
	uint32_t handle, queue;

	CHECK_RET(area_prefetch(&page, MOCKGPU_PREFER_SYSTEM), want);
	CHECK_RET(area_set_attr(&page, MOCKGPU_ATTR_READ_ONLY, 1), want);
	CHECK_RET(get_attr(area, MOCKGPU_ATTR_READ_ONLY), want);
	CHECK_RET(gpu_queue_create(area->gpu, area->vm, &queue), want);
	CHECK_OK(gem_create(area->gpu, PAGE, 0, &handle));
	CHECK_RET(gem_bind(area->gpu, area->vm, handle, 0, area->mem, PAGE), want);
	CHECK_RET(gem_unbind(area->gpu, area->vm, area->mem, PAGE), want);
	CHECK_OK(gem_close(area->gpu, handle));
}

/* All commands that name a VM, on one that is not for us. */
static void refused_everywhere(const struct area *area, int want)
{
	uint8_t map[1];
	uint64_t word = 0;

	with_more_refused(area, want);
	CHECK_RET(gpu_populate(area->gpu, area->vm, area->mem, PAGE), want);
	CHECK_RET(gpu_read(area->gpu, area->vm, area->mem, 8, &word), want);
	CHECK_RET(gpu_fill(area->gpu, area->vm, area->mem, 8, 1), want);
	CHECK_RET(gpu_evict_vm(area->gpu, area->vm), want);
	CHECK_RET(gpu_evict_at(area->gpu, area->vm, area->mem), want);
	CHECK_RET(gpu_residency(area->gpu, area->vm, area->mem, PAGE, map), want);
	CHECK_RET(gpu_vm_destroy(area->gpu, area->vm), want);
}

static void vm_unknown(struct gpu *gpu)
{
	struct fixture fixture = fixture_new(gpu);
	struct area other = fixture.area;
	struct gpu second;

	other.vm = fixture.area.vm + 1000;
	refused_everywhere(&other, -ENOENT);
	other.vm = 0;
	refused_everywhere(&other, -ENOENT);
	/* An identifier belongs to the file that made it. */
	CHECK_OK(gpu_open(&second, gpu->index));
	other = fixture.area;
	other.gpu = &second;
	refused_everywhere(&other, -ENOENT);
	fixture_check(&fixture);
}

static void use_foreign_vm(void *arg)
{
	refused_everywhere(arg, -EPERM);
}

static void vm_other_process(struct gpu *gpu)
{
	struct fixture fixture = fixture_new(gpu);

	test_join(test_fork(use_foreign_vm, &fixture.area));
	fixture_check(&fixture);
}

/* What is bound is counted, once for each time, whatever becomes of the handle. */
static void binds_counted(struct gpu *gpu)
{
	struct area area = area_new(gpu, 4 * PAGE, 0, MEM_SMALL);
	uint32_t handle;

	CHECK_OK(gem_create(gpu, PAGE, 0, &handle));
	CHECK_EQ(counter(gpu, MOCKGPU_COUNTER_LIVE_BINDS), 0);
	CHECK_OK(gem_bind(gpu, area.vm, handle, 0, area.mem, PAGE));
	CHECK_EQ(counter(gpu, MOCKGPU_COUNTER_LIVE_BINDS), 1);
	CHECK_OK(gem_bind(gpu, area.vm, handle, 0, area.mem + 2 * PAGE, PAGE));
	CHECK_OK(gem_close(gpu, handle));
	CHECK_EQ(counter(gpu, MOCKGPU_COUNTER_LIVE_BINDS), 2);
	CHECK_OK(gem_unbind(gpu, area.vm, area.mem, PAGE));
	CHECK_EQ(counter(gpu, MOCKGPU_COUNTER_LIVE_BINDS), 1);
	CHECK_OK(gem_unbind(gpu, area.vm, area.mem + 2 * PAGE, PAGE));
	CHECK_EQ(counter(gpu, MOCKGPU_COUNTER_LIVE_BINDS), 0);
}

static void vm_many(struct gpu *gpu)
{
	uint32_t vms[64];

	for (size_t i = 0; i < ARRAY_SIZE(vms); i++)
		vms[i] = vm_new(gpu);
	for (size_t i = 0; i < ARRAY_SIZE(vms); i += 2)
		CHECK_OK(gpu_vm_destroy(gpu, vms[i]));
	/* The rest goes when the file is closed. */
	gpu_close(gpu);
}

static void bad_pointer(struct gpu *gpu)
{
	static const unsigned long requests[] = {
		DRM_IOCTL_MOCKGPU_QUERY, DRM_IOCTL_MOCKGPU_VM_CREATE,
		DRM_IOCTL_MOCKGPU_VM_DESTROY, DRM_IOCTL_MOCKGPU_POPULATE,
		DRM_IOCTL_MOCKGPU_ACCESS, DRM_IOCTL_MOCKGPU_EVICT,
		DRM_IOCTL_MOCKGPU_RESIDENCY, DRM_IOCTL_MOCKGPU_COUNTERS,
	};

	for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
		CHECK_RET(gpu_ioctl(gpu, requests[i], NULL), -EFAULT);
		CHECK_RET(gpu_ioctl(gpu, requests[i], (void *)KERNEL_HALF), -EFAULT);
	}
	CHECK_RET(gpu_ioctl(gpu, DRM_IO(DRM_COMMAND_BASE + 0x3f), NULL), -EINVAL);
}

/* A VM_CREATE whose answer cannot be delivered leaves no VM behind that counts. */
static void create_undeliverable(struct gpu *gpu)
{
	struct drm_mockgpu_vm *vm = mem_map(PAGE, 0, MEM_SMALL);

	vm->vm_id = 0;
	CHECK_SYS(mprotect(vm, PAGE, PROT_READ));
	CHECK_RET(gpu_ioctl(gpu, DRM_IOCTL_MOCKGPU_VM_CREATE, vm), -EFAULT);
}

static const uint64_t extremes[] = {
	0, 1, 2, 7, 8, PAGE - 1, PAGE, PAGE + 1, 1ULL << 31, (1ULL << 32) - 1, 1ULL << 32,
	1ULL << 46, 1ULL << 47, BEYOND_USER, (1ULL << 63) - 1, 1ULL << 63, ~0ULL << 12, ~0ULL,
};

/* One or two words of a good command replaced by something extreme. */
static void spoil(uint64_t *words, size_t count, uint64_t *state)
{
	for (size_t i = random_next(state) % 2 + 1; i; i--)
		words[random_next(state) % count] = extremes[random_next(state) % ARRAY_SIZE(extremes)];
}

union command {
	struct drm_mockgpu_query query;
	struct drm_mockgpu_vm vm;
	struct drm_mockgpu_populate populate;
	struct drm_mockgpu_access access;
	struct drm_mockgpu_evict evict;
	struct drm_mockgpu_residency residency;
	struct drm_mockgpu_counters counters;
	uint64_t words[16];
};

static unsigned long good_command(const struct area *area, unsigned int kind, void *buffer,
				  union command *command)
{
	uint64_t addr = (uintptr_t)area->mem, data = (uintptr_t)buffer;
	uint32_t vm = area->vm;

	*command = (union command){ };
	switch (kind % 6) {
	case 0:
		command->populate = (struct drm_mockgpu_populate){
			.vm_id = vm, .addr = addr, .size = area->size,
		};
		return DRM_IOCTL_MOCKGPU_POPULATE;
	case 1:
		command->access = (struct drm_mockgpu_access){
			.vm_id = vm, .op = kind / 6 % 4, .addr = addr, .size = area->size,
			.data = kind / 6 % 4 < 2 ? data : 0,
		};
		return DRM_IOCTL_MOCKGPU_ACCESS;
	case 2:
		command->evict = (struct drm_mockgpu_evict){ .vm_id = vm, .addr = addr };
		return DRM_IOCTL_MOCKGPU_EVICT;
	case 3:
		command->residency = (struct drm_mockgpu_residency){ vm, 0, addr, area->size, data };
		return DRM_IOCTL_MOCKGPU_RESIDENCY;
	case 4:
		command->query = (struct drm_mockgpu_query){ .param = kind / 6 % 8 };
		return DRM_IOCTL_MOCKGPU_QUERY;
	default:
		command->counters = (struct drm_mockgpu_counters){ .count = 4, .data = data };
		return DRM_IOCTL_MOCKGPU_COUNTERS;
	}
}

static bool is_defined_error(int ret)
{
	static const int defined[] = {
		0, EINVAL, EPERM, ENOENT, EFAULT, EBUSY, ENOSPC, ENOMEM, EIO, EOPNOTSUPP,
	};

	for (size_t i = 0; i < ARRAY_SIZE(defined); i++)
		if (ret == -defined[i])
			return true;
	return false;
}

/* Whatever is asked for: a defined answer, and the command after it works. */
static void extreme_values(struct gpu *gpu)
{
	struct area area = area_filled(gpu, 8 * PAGE, 0, MEM_SMALL);
	/* With 4 GiB of nothing behind it, so that a range cannot reach other memory. */
	char *space = mmap(NULL, 1ULL << 33, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
			   -1, 0);
	char *buffer = mem_map(HUGE_PAGE, 0, MEM_SMALL);
	uint64_t state = 1;

	CHECK(space != MAP_FAILED && buffer);
	CHECK(mremap(area.mem, area.size, area.size, MREMAP_MAYMOVE | MREMAP_FIXED,
		     space + (1ULL << 32)) != MAP_FAILED);
	area.mem = space + (1ULL << 32);
	/* To look at gigabytes of nothing takes the kernel a while. */
	for (unsigned int i = 0; i < 1500; i++) {
		union command command;
		unsigned long request = good_command(&area, i, buffer, &command);
		int ret;

		spoil(command.words, _IOC_SIZE(request) / 8, &state);
		ret = gpu_ioctl(gpu, request, &command);
		if (!is_defined_error(ret))
			FAIL("round %u, command %#lx: %s", i, request, errno_name(ret));
	}
	area_fill(&area);
	area_device_flip(&area, 0xaa);
	area_check_cpu(&area);
}

static const struct test tests[] = {
	{ "populate-ranges", populate_ranges, NEED_VRAM, 0 },
	{ "populate-fields", populate_fields, NEED_VRAM, 0 },
	{ "populate-unmapped", populate_unmapped, NEED_VRAM, 0 },
	{ "populate-inaccessible", populate_inaccessible, NEED_VRAM, 0 },
	{ "populate-everything", populate_everything, NEED_VRAM, 0 },
	{ "populate-system-tier", populate_system_tier, 0, 0 },
	{ "access-ranges", access_ranges, 0, 0 },
	{ "access-bytes", access_bytes, 0, 0 },
	{ "access-fields", access_fields, 0, 0 },
	{ "access-buffers", access_buffers, 0, 0 },
	{ "access-hole", access_hole, 0, 0 },
	{ "access-unmapped", access_unmapped, 0, 0 },
	{ "access-rights", access_rights, 0, 0 },
	{ "evict-fields", evict_fields, NEED_VRAM, 0 },
	{ "evict-nothing", evict_nothing, NEED_VRAM, 0 },
	{ "evict-device-user", evict_device_user, NEED_VRAM | NEED_ROOT, 0 },
	{ "residency-ranges", residency_ranges, 0, 0 },
	{ "residency-fields", residency_fields, 0, 0 },
	{ "residency-none", residency_none, 0, 0 },
	{ "residency-huge-range", residency_huge_range, 0, 0 },
	{ "query-fields", query_fields, 0, 0 },
	{ "query-used", query_used, NEED_VRAM, 0 },
	{ "counters-fields", counters_fields, 0, 0 },
	{ "vm-fields", vm_fields, 0, 0 },
	{ "vm-unknown", vm_unknown, 0, 0 },
	{ "vm-other-process", vm_other_process, 0, 0 },
	{ "binds-counted", binds_counted, 0, 0 },
	{ "vm-many", vm_many, 0, 0 },
	{ "bad-pointer", bad_pointer, 0, 0 },
	{ "create-undeliverable", create_undeliverable, 0, 0 },
	{ "extreme-values", extreme_values, 0, 0 },
};

HARNESS_MAIN(tests)
