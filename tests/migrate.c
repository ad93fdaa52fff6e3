// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Memory moves into VRAM and back, in all sizes and shapes, and stays right. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "check.h"

#define FLIP	0x0f1e2d3c4b5a6978ULL
/* Less than the most that counts, and what it is at least, for all that time is in ticks. */
#define TIMESLICE_MS	40
#define LEAST_SECONDS	0.030

/* After CPU accesses: home where the CPU cannot touch VRAM, else still there. */
static void check_touched(const struct area *area)
{
	unsigned int kind = area->gpu->tier == MOCKGPU_TIER_PRIVATE ? MOCKGPU_PAGE_SYSTEM :
								       MOCKGPU_PAGE_DEVICE;

	CHECK_PLACE(area, kind);
}

/* Into VRAM, both sides read and write, and home again. */
static void round_trip(struct area *area)
{
	area_populate(area);
	area_check_device(area);
	area_device_flip(area, FLIP);
	CHECK_PLACE(area, MOCKGPU_PAGE_DEVICE);
	area_check_cpu(area);
	check_touched(area);
	area_fill(area);
	check_touched(area);
	area_check_device(area);
	area_populate(area);
	area_check_device(area);
	area_evict(area);
	area_check_cpu(area);
}

static void all_sizes(struct gpu *gpu, enum mem_thp thp)
{
	static const size_t sizes[] = {
		PAGE, 3 * PAGE, 64 * KIB, HUGE_PAGE - PAGE, HUGE_PAGE, HUGE_PAGE + PAGE,
		3 * MIB + 5 * PAGE, 8 * MIB,
	};
	static const size_t offsets[] = { 0, PAGE, MIB + 3 * PAGE, HUGE_PAGE - PAGE };

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		for (size_t j = 0; j < ARRAY_SIZE(offsets); j++) {
			struct area area = area_filled(gpu, sizes[i], offsets[j], thp);

			round_trip(&area);
			CHECK_OK(gpu_vm_destroy(gpu, area.vm));
			CHECK_SYS(munmap(area.mem, area.size));
		}
	}
}

static void sizes_small(struct gpu *gpu)
{
	all_sizes(gpu, MEM_SMALL);
}

static void sizes_huge(struct gpu *gpu)
{
	all_sizes(gpu, MEM_HUGE);
}

static void repeated(struct gpu *gpu)
{
	struct area area = area_filled(gpu, HUGE_PAGE, 0, MEM_SMALL);

	for (int i = 0; i < 30; i++) {
		area_populate(&area);
		area_device_flip(&area, FLIP + i);
		area_evict(&area);
		area_check_cpu(&area);
	}
}

static void populate_twice(struct gpu *gpu)
{
	struct area area = area_filled(gpu, 4 * MIB, 0, MEM_SMALL);
	struct area part = area_part(&area, MIB, 2 * MIB);
	uint64_t moved;

	area_populate(&part);
	CHECK_EQ(area_pages(&area, MOCKGPU_PAGE_DEVICE), part.size / PAGE);
	area_populate(&area);
	moved = counter(gpu, MOCKGPU_COUNTER_PAGES_TO_DEVICE);
	area_populate(&area);
	CHECK_EQ(counter(gpu, MOCKGPU_COUNTER_PAGES_TO_DEVICE), moved);
	area_check_device(&area);
	area_evict(&area);
	area_check_cpu(&area);
}

/* The counters tell exactly what moved. */
static void counters(struct gpu *gpu)
{
	struct area area = area_filled(gpu, 4 * MIB, 0, MEM_SMALL);
	uint64_t before[MOCKGPU_COUNTER_COUNT], now[MOCKGPU_COUNTER_COUNT];
	uint64_t pages = area.size / PAGE;
	int attempts = 5;

	/* What went home again at once because somebody held a page counts, too. */
	do {
		CHECK_OK(gpu_evict_vm(gpu, area.vm));
		CHECK_OK(gpu_counters(gpu, before));
	} while (area_populate(&area) > 1 && --attempts);
	CHECK_OK(gpu_counters(gpu, now));
	CHECK_EQ(now[MOCKGPU_COUNTER_PAGES_TO_DEVICE] - before[MOCKGPU_COUNTER_PAGES_TO_DEVICE],
		 pages);
	CHECK_EQ(now[MOCKGPU_COUNTER_BYTES_COPIED_IN] - before[MOCKGPU_COUNTER_BYTES_COPIED_IN],
		 area.size);
	CHECK_EQ(now[MOCKGPU_COUNTER_PAGES_CLEARED], before[MOCKGPU_COUNTER_PAGES_CLEARED]);
	CHECK_EQ(now[MOCKGPU_COUNTER_LIVE_DEVICE_PAGES], pages);
	CHECK_EQ(now[MOCKGPU_COUNTER_LIVE_VRAM_PAGES], pages);
	area_evict(&area);
	CHECK_OK(gpu_counters(gpu, now));
	CHECK_EQ(now[MOCKGPU_COUNTER_PAGES_TO_RAM] - before[MOCKGPU_COUNTER_PAGES_TO_RAM], pages);
	CHECK_EQ(now[MOCKGPU_COUNTER_BYTES_COPIED_OUT] - before[MOCKGPU_COUNTER_BYTES_COPIED_OUT],
		 area.size);
	area_check_cpu(&area);
}

static void evict_address(struct gpu *gpu)
{
	struct area area = area_filled(gpu, 6 * MIB, 0, MEM_SMALL);
	struct area middle = area_part(&area, 2 * MIB, 2 * MIB);
	struct drm_mockgpu_evict evict = {
		.vm_id = area.vm, .addr = (uintptr_t)middle.mem + 5 * PAGE + 17,
	};

	area_populate(&area);
	CHECK_OK(gpu_evict(gpu, &evict));
	CHECK_EQ(evict.evicted, 1);
	CHECK_EQ(evict.busy, 0);
	CHECK_PLACE(&middle, MOCKGPU_PAGE_SYSTEM);
	CHECK_EQ(area_pages(&area, MOCKGPU_PAGE_DEVICE), 4 * MIB / PAGE);
	area_check_device(&area);
	CHECK_RET(gpu_evict(gpu, &evict), -ENOENT);
	area_evict(&area);
	area_check_cpu(&area);
}

/* The scope of a VM is what was populated through it, that of a device is all. */
static void evict_scopes(struct gpu *gpu)
{
	struct area one = area_filled(gpu, 4 * MIB, 0, MEM_SMALL);
	struct area two = area_filled(gpu, 4 * MIB, MIB, MEM_SMALL);

	area_populate(&one);
	area_populate(&two);
	area_evict(&one);
	CHECK_PLACE(&two, MOCKGPU_PAGE_DEVICE);
	area_populate(&one);
	CHECK_OK(gpu_evict_device(gpu, one.vm));
	CHECK_PLACE(&one, MOCKGPU_PAGE_SYSTEM);
	CHECK_PLACE(&two, MOCKGPU_PAGE_SYSTEM);
	CHECK_EQ(counter(gpu, MOCKGPU_COUNTER_LIVE_DEVICE_PAGES), 0);
	area_check_cpu(&one);
	area_check_cpu(&two);
}

/* Several VMs see the same memory. */
static void two_vms(struct gpu *gpu)
{
	struct area one = area_filled(gpu, 4 * MIB, 0, MEM_SMALL), two = one;

	two.vm = vm_new(gpu);
	area_populate(&one);
	CHECK_PLACE(&two, MOCKGPU_PAGE_DEVICE);
	area_check_device(&two);
	area_device_flip(&two, FLIP);
	one.flip = two.flip;
	area_check_device(&one);
	CHECK_OK(gpu_vm_destroy(gpu, one.vm));
	area_check_device(&two);
	area_check_cpu(&two);
}

/* The device is the first to touch memory: it faults pages in and finds zeros. */
static void device_first(struct gpu *gpu)
{
	struct area area = area_new(gpu, MIB, 0, MEM_SMALL);
	char *copy = malloc(area.size);
	struct mismatch bad;

	CHECK(copy);
	CHECK_OK(gpu_read(gpu, area.vm, area.mem, area.size, copy));
	CHECK_DATA(words_are(copy, area.size, 0, &bad), bad);
	CHECK_OK(gpu_fill(gpu, area.vm, area.mem, area.size, FLIP));
	CHECK_DATA(words_are(area.mem, area.size, FLIP, &bad), bad);
	CHECK_EQ(area_pages(&area, MOCKGPU_PAGE_DEVICE), 0);
	CHECK_PLACE(&area, MOCKGPU_PAGE_SYSTEM);
}

/* One command over pages in system memory, in VRAM and nowhere yet. */
static void access_mixed(struct gpu *gpu)
{
	struct area area = area_new(gpu, 6 * MIB, 0, MEM_SMALL);
	struct area middle = area_part(&area, MIB + PAGE, 2 * MIB);
	struct area front = area_part(&area, 0, 3 * MIB);
	struct mismatch bad;

	front.seed = 77;
	pattern_fill(front.mem, front.size, front.seed);
	area_populate(&middle);
	CHECK_OK(gpu_xor(gpu, area.vm, area.mem, area.size, FLIP));
	front.flip = FLIP;
	area_check_device(&front);
	area_check_cpu(&front);
	CHECK_DATA(words_are(area.mem + front.size, area.size - front.size, FLIP, &bad), bad);
}

/* The command's own buffer may be in VRAM too, even the range itself. */
static void access_own_buffer(struct gpu *gpu)
{
	struct area area = area_filled(gpu, 4 * MIB, 0, MEM_SMALL);
	struct area low = area_part(&area, 0, 2 * MIB), high = area_part(&area, 2 * MIB, 2 * MIB);
	struct mismatch bad;

	area_populate(&area);
	CHECK_OK(gpu_read(gpu, area.vm, low.mem, low.size, high.mem));
	high.seed = low.seed;
	area_check_device(&high);
	area_populate(&area);
	pattern_fill(high.mem, high.size, 5);
	area_populate(&area);
	CHECK_OK(gpu_write(gpu, area.vm, low.mem, low.size, high.mem));
	CHECK_DATA(pattern_matches(low.mem, low.size, 5, 0, &bad), bad);
	area_populate(&area);
	CHECK_OK(gpu_read(gpu, area.vm, low.mem, low.size, low.mem));
	CHECK_DATA(pattern_matches(low.mem, low.size, 5, 0, &bad), bad);
}

/* Mappings of different rights side by side in one range. */
static void several_mappings(struct gpu *gpu)
{
	struct area area = area_filled(gpu, 6 * MIB, 0, MEM_SMALL);

	CHECK_SYS(mprotect(area.mem + MIB, MIB, PROT_READ));
	CHECK_SYS(mprotect(area.mem + 3 * MIB, PAGE, PROT_READ));
	area_populate(&area);
	area_check_device(&area);
	area_check_cpu(&area);
	area_populate(&area);
	area_evict(&area);
	area_check_cpu(&area);
}

static void read_only(struct gpu *gpu)
{
	struct area area = area_filled(gpu, 2 * MIB, 0, MEM_SMALL);

	CHECK_SYS(mprotect(area.mem, area.size, PROT_READ));
	area_populate(&area);
	area_check_device(&area);
	CHECK_RET(gpu_xor(gpu, area.vm, area.mem, area.size, FLIP), -EFAULT);
	area_check_device(&area);
	area_check_cpu(&area);
	CHECK_SYS(mprotect(area.mem, area.size, PROT_READ | PROT_WRITE));
	area_device_flip(&area, FLIP);
	area_check_cpu(&area);
}

static int file_new(size_t size)
{
	int fd = open("/var/tmp", O_TMPFILE | O_RDWR, 0600);

	CHECK_SYS(fd);
	CHECK_SYS(ftruncate(fd, size));
	return fd;
}

/* Memory with a file behind it stays where it is, but the device can use it. */
static void check_refused(struct gpu *gpu, int flags, int fd)
{
	struct area area = { .gpu = gpu, .vm = vm_new(gpu), .size = MIB };

	area.mem = mmap(NULL, area.size, PROT_READ | PROT_WRITE, flags, fd, 0);
	CHECK(area.mem != MAP_FAILED);
	area_fill(&area);
	CHECK_RET(gpu_populate(gpu, area.vm, area.mem, area.size), -EBUSY);
	CHECK_EQ(area_pages(&area, MOCKGPU_PAGE_DEVICE), 0);
	area_check_device(&area);
	area_device_flip(&area, FLIP);
	area_check_cpu(&area);
}

static void not_anonymous(struct gpu *gpu)
{
	int memfd = memfd_create("test", 0);

	CHECK_SYS(memfd);
	CHECK_SYS(ftruncate(memfd, MIB));
	check_refused(gpu, MAP_SHARED | MAP_ANONYMOUS, -1);
	check_refused(gpu, MAP_SHARED, memfd);
	check_refused(gpu, MAP_SHARED, file_new(MIB));
	check_refused(gpu, MAP_PRIVATE, file_new(MIB));
}

/* What the device writes to a shared file mapping is in the file. */
static void file_written(struct gpu *gpu)
{
	int fd = file_new(MIB);
	uint32_t vm = vm_new(gpu);
	char *mem = mmap(NULL, MIB, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	char *copy = malloc(MIB);
	struct mismatch bad;

	CHECK(mem != MAP_FAILED && copy);
	CHECK_OK(gpu_fill(gpu, vm, mem, MIB, FLIP));
	CHECK_EQ(pread(fd, copy, MIB, 0), (long long)MIB);
	CHECK_DATA(words_are(copy, MIB, FLIP, &bad), bad);
}

/* A range of anonymous and shared memory: refused, what can move may have moved. */
static void mixed_kinds(struct gpu *gpu)
{
	struct area area = area_filled(gpu, 6 * MIB, 0, MEM_SMALL);
	struct area shared = area_part(&area, 2 * MIB, 2 * MIB);

	CHECK(mmap(shared.mem, shared.size, PROT_READ | PROT_WRITE,
		   MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == shared.mem);
	pattern_fill(area.mem, area.size, area.seed);
	CHECK_RET(gpu_populate(gpu, area.vm, area.mem, area.size), -EBUSY);
	CHECK_EQ(area_pages(&shared, MOCKGPU_PAGE_DEVICE), 0);
	area_check_device(&area);
	area_check_cpu(&area);
}

/* Pages that somebody holds stay, the others may go; nothing is lost. */
static void pinned_pages(struct gpu *gpu)
{
	struct area area = area_filled(gpu, 32 * PAGE, 0, MEM_SMALL);
	size_t held = 0;
	int pipes[2];

	CHECK_SYS(pipe(pipes));
	/* A pipe has 16 places. */
	for (size_t page = 0; page < 32; page += 3, held++) {
		struct iovec piece = { area.mem + page * PAGE, PAGE };

		CHECK_EQ(vmsplice(pipes[1], &piece, 1, 0), (long long)PAGE);
	}
	CHECK_RET(gpu_populate(gpu, area.vm, area.mem, area.size), -EBUSY);
	CHECK(area_pages(&area, MOCKGPU_PAGE_SYSTEM) >= held);
	area_check_device(&area);
	area_check_cpu(&area);
	close(pipes[0]);
	close(pipes[1]);
	area_populate(&area);
	area_check_device(&area);
	area_evict(&area);
	area_check_cpu(&area);
}

/* System calls use memory that is in VRAM. */
static void system_calls(struct gpu *gpu)
{
	struct area area = area_filled(gpu, MIB, 0, MEM_SMALL);
	int fd = file_new(MIB);

	area_populate(&area);
	CHECK_EQ(pwrite(fd, area.mem, area.size, 0), (long long)area.size);
	area_device_flip(&area, FLIP);
	area_populate(&area);
	CHECK_EQ(pread(fd, area.mem, area.size, 0), (long long)area.size);
	area.flip = 0;
	area_check_device(&area);
	area_check_cpu(&area);
}

/* Direct I/O takes references to the pages themselves. */
static void direct_io(struct gpu *gpu)
{
	struct area area = area_filled(gpu, MIB, 0, MEM_SMALL);
	int fd = file_new(MIB);

	if (fcntl(fd, F_SETFL, O_DIRECT))
		test_skip("the file system of /var/tmp has no direct I/O");
	area_populate(&area);
	CHECK_EQ(pwrite(fd, area.mem, area.size, 0), (long long)area.size);
	area_device_flip(&area, FLIP);
	area_populate(&area);
	CHECK_EQ(pread(fd, area.mem, area.size, 0), (long long)area.size);
	area.flip = 0;
	area_check_device(&area);
	area_check_cpu(&area);
}

/* A huge page of which a part is gone cannot move as one. */
static void torn_huge_page(struct gpu *gpu)
{
	struct area area = area_filled(gpu, 2 * HUGE_PAGE, 0, MEM_HUGE);
	struct area part = area_part(&area, 0, MIB);
	int ret;

	CHECK_SYS(munmap(area.mem + MIB, PAGE));
	ret = gpu_populate(gpu, area.vm, part.mem, part.size);
	CHECK(!ret || ret == -EBUSY);
	area_check_device(&part);
	area_check_cpu(&part);
	CHECK_OK(gpu_evict_vm(gpu, area.vm));
	area_check_cpu(&part);
}

/* Half of a huge page goes to the device. */
static void half_huge_page(struct gpu *gpu)
{
	struct area area = area_filled(gpu, HUGE_PAGE, 0, MEM_HUGE);
	struct area half = area_part(&area, MIB, MIB);
	int ret = gpu_populate(gpu, half.vm, half.mem, half.size);

	CHECK(!ret || ret == -EBUSY);
	area_check_device(&area);
	area_device_flip(&area, FLIP);
	area_check_cpu(&area);
	area_fill(&area);
	CHECK_OK(gpu_evict_vm(gpu, area.vm));
	area_check_cpu(&area);
}

static void locked_memory(struct gpu *gpu)
{
	struct area area = area_filled(gpu, MIB, 0, MEM_SMALL);

	if (mlock(area.mem, area.size))
		test_skip("mlock: %s", errno_name(errno));
	round_trip(&area);
	CHECK_SYS(munlock(area.mem, area.size));
	round_trip(&area);
}

/* More than there is: refused at some point, nothing lost, and free again after. */
static void full(struct gpu *gpu)
{
	size_t vram = vram_bytes(gpu, 512 * MIB);
	struct area area;

	if (vram != gpu->vram_size)
		test_skip("the device has more than 512 MiB of VRAM");
	area = area_filled(gpu, vram + 4 * MIB, 0, MEM_SMALL);
	CHECK_RET(gpu_populate(gpu, area.vm, area.mem, area.size), -ENOSPC);
	CHECK(area_pages(&area, MOCKGPU_PAGE_DEVICE) <= vram / PAGE);
	area_check_device(&area);
	area_evict(&area);
	area_check_cpu(&area);
	area.size = vram;
	area_populate(&area);
	area_evict(&area);
	area_check_cpu(&area);
}

/* Pages that shall stay for a while: the CPU gets at its data all the same. */
static void timeslice(struct gpu *gpu)
{
	struct area area = area_filled(gpu, MIB, 0, MEM_SMALL);
	double start;

	area_move(&area, 300);
	start = seconds_now();
	area_check_cpu(&area);
	CHECK(seconds_now() - start < patience(10));
	check_touched(&area);
}

/* How long the CPU waits for a page that was brought to the device, and that took in all. */
struct stay {
	double waited, all;
};

static struct stay stay_by_attr(const struct area *area, bool ahead)
{
	double begin = seconds_now(), there;
	uint64_t word;

	if (ahead)
		CHECK_OK(area_prefetch(area, MOCKGPU_PREFER_DEVICE));
	else
		CHECK_OK(gpu_read(area->gpu, area->vm, area->mem, sizeof(word), &word));
	there = seconds_now();
	CHECK_PLACE(area, MOCKGPU_PAGE_DEVICE);
	(void)*(volatile char *)area->mem;
	return (struct stay){ seconds_now() - there, seconds_now() - begin };
}

/*
 * What the attribute says holds for what a fault of the device moves, and for what is
 * moved ahead of it. A slow machine may need most of the time to tell that the page is
 * there: the longest wait counts, and never is all of it shorter.
 */
static void timeslice_attr(struct gpu *gpu)
{
	struct area area = area_filled(gpu, PAGE, 0, MEM_SMALL);

	CHECK_OK(area_set_attr(&area, MOCKGPU_ATTR_PREFERRED, MOCKGPU_PREFER_DEVICE));
	CHECK_OK(area_set_attr(&area, MOCKGPU_ATTR_TIMESLICE_MS, TIMESLICE_MS));
	for (int ahead = 0; ahead < 2; ahead++) {
		double longest = 0;

		for (int i = 0; i < 10; i++) {
			struct stay stay = stay_by_attr(&area, ahead);

			longest = stay.waited > longest ? stay.waited : longest;
			CHECK(stay.all >= LEAST_SECONDS);
			CHECK(stay.waited < patience(1));
		}
		printf("# the CPU waited up to %.1f ms\n", longest * 1000);
		CHECK(longest >= LEAST_SECONDS);
	}
	area_check_cpu(&area);
}

/* The first CPU access brings pages home and is counted. */
static void cpu_fault(struct gpu *gpu)
{
	struct area area = area_filled(gpu, 4 * MIB, 0, MEM_SMALL);
	struct area low = area_part(&area, 0, 2 * MIB), high = area_part(&area, 2 * MIB, 2 * MIB);
	uint64_t faults = counter(gpu, MOCKGPU_COUNTER_CPU_FAULTS);

	area_populate(&area);
	*(volatile char *)(low.mem + 5 * PAGE) ^= 0;
	CHECK(counter(gpu, MOCKGPU_COUNTER_CPU_FAULTS) > faults);
	CHECK(area_pages(&low, MOCKGPU_PAGE_SYSTEM) >= 1);
	CHECK_PLACE(&high, MOCKGPU_PAGE_DEVICE);
	area_check_cpu(&area);
	CHECK_PLACE(&area, MOCKGPU_PAGE_SYSTEM);
}

/* The CPU reads and writes VRAM in place. */
static void cpu_in_place(struct gpu *gpu)
{
	struct area area = area_filled(gpu, 4 * MIB, 0, MEM_SMALL);
	uint64_t home = counter(gpu, MOCKGPU_COUNTER_PAGES_TO_RAM);

	area_populate(&area);
	area_check_cpu(&area);
	area_fill(&area);
	area_check_device(&area);
	CHECK_PLACE(&area, MOCKGPU_PAGE_DEVICE);
	CHECK_EQ(counter(gpu, MOCKGPU_COUNTER_PAGES_TO_RAM), home);
	CHECK_EQ(counter(gpu, MOCKGPU_COUNTER_CPU_FAULTS), 0);
}

/*
 * Memory in the VRAM of one device, used by another: that brings it home where
 * the CPU cannot touch it, else the other device may refuse.
 */
static void other_device(struct gpu *gpu)
{
	struct area area = area_filled(gpu, 2 * MIB, 0, MEM_SMALL), seen = area;
	struct gpu other;
	int ret;

	CHECK_OK(gpu_open(&other, gpu->index ? 0 : 1));
	seen.gpu = &other;
	seen.vm = vm_new(&other);
	area_populate(&area);
	CHECK_PLACE(&seen, MOCKGPU_PAGE_OTHER);
	ret = gpu_xor(&other, seen.vm, seen.mem, seen.size, FLIP);
	if (gpu->tier == MOCKGPU_TIER_COHERENT && ret == -EFAULT)
		printf("# the other device cannot reach it\n");
	else
		CHECK_OK(ret);
	if (!ret)
		area.flip = seen.flip = FLIP;
	area_check_device(&area);
	area_populate(&area);
	ret = gpu_populate(&other, seen.vm, seen.mem, seen.size);
	CHECK(!ret || ret == -EBUSY);
	CHECK_EQ(area_pages(&area, MOCKGPU_PAGE_DEVICE) + area_pages(&area, MOCKGPU_PAGE_OTHER) +
		 area_pages(&area, MOCKGPU_PAGE_SYSTEM), area.size / PAGE);
	CHECK_OK(gpu_evict_vm(gpu, area.vm));
	CHECK_OK(gpu_evict_vm(&other, seen.vm));
	area_check_device(&area);
	area_check_device(&seen);
	area_check_cpu(&area);
}

static const struct test tests[] = {
	{ "sizes-small", sizes_small, NEED_VRAM, 240 },
	{ "sizes-huge", sizes_huge, NEED_VRAM | NEED_THP, 240 },
	{ "repeated", repeated, NEED_VRAM, 0 },
	{ "populate-twice", populate_twice, NEED_VRAM, 0 },
	{ "counters", counters, NEED_VRAM, 0 },
	{ "evict-address", evict_address, NEED_VRAM, 0 },
	{ "evict-scopes", evict_scopes, NEED_VRAM | NEED_ROOT, 0 },
	{ "two-vms", two_vms, NEED_VRAM, 0 },
	{ "device-first", device_first, 0, 0 },
	{ "access-mixed", access_mixed, NEED_VRAM, 0 },
	{ "access-own-buffer", access_own_buffer, NEED_VRAM, 0 },
	{ "several-mappings", several_mappings, NEED_VRAM, 0 },
	{ "read-only", read_only, NEED_VRAM, 0 },
	{ "not-anonymous", not_anonymous, NEED_VRAM, 0 },
	{ "file-written", file_written, 0, 0 },
	{ "mixed-kinds", mixed_kinds, NEED_VRAM, 0 },
	{ "pinned-pages", pinned_pages, NEED_VRAM, 0 },
	{ "system-calls", system_calls, NEED_VRAM, 0 },
	{ "direct-io", direct_io, NEED_VRAM, 0 },
	{ "torn-huge-page", torn_huge_page, NEED_VRAM | NEED_THP, 0 },
	{ "half-huge-page", half_huge_page, NEED_VRAM | NEED_THP, 0 },
	{ "locked-memory", locked_memory, NEED_VRAM, 0 },
	{ "full", full, NEED_VRAM, 300 },
	{ "timeslice", timeslice, NEED_VRAM, 0 },
	{ "timeslice-attr", timeslice_attr, NEED_PRIVATE, 0 },
	{ "cpu-fault", cpu_fault, NEED_PRIVATE, 0 },
	{ "cpu-in-place", cpu_in_place, NEED_COHERENT, 0 },
	{ "other-device", other_device, NEED_VRAM | NEED_TWO_DEVICES, 0 },
};

HARNESS_MAIN(tests)
