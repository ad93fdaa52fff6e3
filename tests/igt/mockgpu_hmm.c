// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The scenarios of the kernel's own HMM tests, under their names, as far as a GPU
 * driver's users see them.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../lib/buffer.h"
#include "../pagemap/common.h"
#include "kinds.h"
#include "suite.h"

#define PAGES	32
#define SIZE	(PAGES * PAGE)

#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP	4
#endif

static const enum mem_thp small_pages = MEM_SMALL, huge_pages = MEM_HUGE;

static size_t size_of(enum mem_thp thp)
{
	return thp == MEM_HUGE ? HUGE_PAGE : SIZE;
}

static void flip(const struct buffer *buffer)
{
	buffer_dev_xor(buffer, 0, buffer->size, new_value());
}

/* In VRAM if there is any, with data that the device wrote. */
static struct buffer migrated(struct gpu *gpu, enum mem_thp thp)
{
	struct buffer buffer = buffer_filled(gpu, size_of(thp), thp);

	buffer_populate(&buffer);
	flip(&buffer);
	return buffer;
}

/* Pages that were never there, were only read, were written: each reads as it must. */
static void anon_read(struct gpu *gpu, const void *arg)
{
	struct buffer buffer = buffer_new(gpu, SIZE, MEM_SMALL);
	struct buffer part = buffer_part(&buffer, SIZE / 2, SIZE / 2);

	(void)arg;
	for (size_t at = 0; at < SIZE / 4; at += PAGE)
		CHECK(!((volatile char *)buffer.mem)[at]);
	buffer_cpu_write(&part);
	buffer_check(&buffer);
}

static void anon_read_prot(struct gpu *gpu, const void *arg)
{
	struct buffer buffer = buffer_filled(gpu, SIZE, MEM_SMALL);

	(void)arg;
	CHECK_SYS(mprotect(buffer.mem, SIZE, PROT_NONE));
	buffer_dev_denied(&buffer, 0, MOCKGPU_ACCESS_READ, -EFAULT);
	CHECK_SYS(mprotect(buffer.mem, SIZE, PROT_READ));
	buffer_check_dev(&buffer);
	CHECK_SYS(mprotect(buffer.mem, SIZE, PROT_READ | PROT_WRITE));
	buffer_check(&buffer);
}

static void anon_write(struct gpu *gpu, const void *arg)
{
	enum mem_thp thp = *(const enum mem_thp *)arg;
	struct buffer buffer = buffer_new(gpu, size_of(thp), thp);

	buffer_dev_fill(&buffer, 0, buffer.size, new_value());
	buffer_check(&buffer);
}

static void anon_write_prot(struct gpu *gpu, const void *arg)
{
	struct buffer buffer = buffer_new(gpu, SIZE, MEM_SMALL);

	(void)arg;
	CHECK_SYS(mprotect(buffer.mem, SIZE, PROT_READ));
	buffer_check_dev(&buffer);
	buffer_dev_denied(&buffer, PAGE, MOCKGPU_ACCESS_FILL, -EFAULT);
	buffer_check(&buffer);
	CHECK_SYS(mprotect(buffer.mem, SIZE, PROT_READ | PROT_WRITE));
	flip(&buffer);
	buffer_check(&buffer);
}

struct child {
	struct buffer buffer;
	unsigned int index;
};

static void write_by_own_device(void *arg)
{
	struct child *child = arg;
	struct gpu gpu;
	struct buffer mine;

	CHECK_OK(gpu_open(&gpu, child->index));
	mine = buffer_as_seen_by(&child->buffer, &gpu);
	buffer_check(&mine);
	buffer_cpu_touch(&mine);
	flip(&mine);
	buffer_check(&mine);
}

static void write_child(struct gpu *gpu, struct buffer buffer)
{
	struct child child = { buffer, gpu->index };

	test_join(test_fork(write_by_own_device, &child));
	buffer_check(&buffer);
}

static void anon_write_child(struct gpu *gpu, const void *arg)
{
	enum mem_thp thp = *(const enum mem_thp *)arg;

	write_child(gpu, buffer_filled(gpu, size_of(thp), thp));
	if (gpu_has_vram(gpu))
		write_child(gpu, migrated(gpu, thp));
}

static void fill_shared(void *arg)
{
	struct child *child = arg;
	struct gpu gpu;
	struct buffer mine;

	CHECK_OK(gpu_open(&gpu, child->index));
	mine = buffer_as_seen_by(&child->buffer, &gpu);
	buffer_dev_fill(&mine, 0, mine.size, 0x77);
}

static void anon_write_child_shared(struct gpu *gpu, const void *arg)
{
	struct child child = { kind_buffer(kind_find("mmap-shared"), gpu, SIZE, NULL),
			       gpu->index };

	(void)arg;
	flip(&child.buffer);
	test_join(test_fork(fill_shared, &child));
	for (size_t i = 0; i < SIZE / 8; i++)
		((uint64_t *)child.buffer.shadow)[i] = 0x77;
	buffer_check(&child.buffer);
}

static void anon_write_hugetlbfs(struct gpu *gpu, const void *arg)
{
	struct buffer buffer = kind_buffer(kind_find("hugetlb"), gpu, HUGE_PAGE, NULL);

	(void)arg;
	flip(&buffer);
	buffer_check(&buffer);
}

static void file_read(struct gpu *gpu, const void *arg)
{
	struct buffer buffer;
	int fd;

	(void)arg;
	buffer = kind_buffer(kind_find("file-shared"), gpu, SIZE, &fd);
	for (size_t i = 0; i < SIZE; i++)
		buffer.shadow[i] = i * 31;
	CHECK_EQ(pwrite(fd, buffer.shadow, SIZE, 0), (long long)SIZE);
	buffer_check(&buffer);
}

static void file_write_through(struct gpu *gpu, const void *arg)
{
	struct buffer buffer;
	char *copy = malloc(SIZE);
	int fd;

	(void)arg;
	buffer = kind_buffer(kind_find("file-shared"), gpu, SIZE, &fd);
	buffer_dev_write(&buffer, 3, SIZE - 3);
	CHECK_EQ(pread(fd, copy, SIZE, 0), (long long)SIZE);
	CHECK(!memcmp(copy, buffer.shadow, SIZE));
	buffer_check(&buffer);
}

static void migrate(struct gpu *gpu, const void *arg)
{
	struct buffer buffer = migrated(gpu, *(const enum mem_thp *)arg);

	buffer_check(&buffer);
}

/* A private file's pages stay where they are, also those that are the process's own. */
static void migrate_file_private(struct gpu *gpu, const void *arg)
{
	struct buffer buffer = kind_buffer(kind_find("file-private"), gpu, SIZE, NULL);
	int ret = buffer_try_populate(&buffer);

	(void)arg;
	CHECK(!ret || ret == -EBUSY);
	flip(&buffer);
	buffer_check(&buffer);
}

static void migrate_fault(struct gpu *gpu, const void *arg)
{
	struct buffer buffer = migrated(gpu, *(const enum mem_thp *)arg);
	struct buffer half = buffer_part(&buffer, 0, buffer.size / 2);

	buffer_check_cpu(&half);
	buffer_cpu_touch(&half);
	buffer_populate(&buffer);
	buffer_check(&buffer);
}

/* The file is closed while the process has memory in its VRAM. */
static void migrate_release(struct gpu *gpu, const void *arg)
{
	struct gpu mine;
	struct buffer buffer;

	(void)arg;
	CHECK_OK(gpu_open(&mine, gpu->index));
	buffer = migrated(&mine, MEM_SMALL);
	gpu_close(&mine);
	buffer_check_cpu(&buffer);
	buffer_cpu_write(&buffer);
	buffer.gpu = gpu;
	buffer.vm = vm_new(gpu);
	buffer_check_dev(&buffer);
}

static void migrate_shared(struct gpu *gpu, const void *arg)
{
	struct buffer buffer = kind_buffer(kind_find("mmap-shared"), gpu, SIZE, NULL);

	(void)arg;
	CHECK_RET(buffer_try_populate(&buffer), -EBUSY);
	CHECK_EQ(buffer_pages(&buffer, MOCKGPU_PAGE_DEVICE), 0);
	buffer_check(&buffer);
}

static void migrate_multiple(struct gpu *gpu, const void *arg)
{
	(void)arg;
	for (int round = 0; round < 10; round++) {
		struct buffer buffer = migrated(gpu, MEM_SMALL);

		if (round % 2)
			buffer_evict(&buffer);
		buffer_check_cpu(&buffer);
		buffer_end(&buffer);
	}
}

/* Holes, no rights, the page of zeros, read-only, written, another device's. */
static void migrate_mixed(struct gpu *gpu, const void *arg)
{
	struct buffer buffer = buffer_new(gpu, 6 * PAGE, MEM_SMALL), last, other;
	struct gpu second;
	struct drm_mockgpu_populate populate = {
		.vm_id = buffer.vm, .flags = MOCKGPU_POPULATE_PARTIAL,
		.addr = (uintptr_t)buffer.mem, .size = buffer.size,
	};
	unsigned int tries;

	(void)arg;
	CHECK_OK(gpu_open(&second, gpu->index ? 0 : 1));
	CHECK(!((volatile char *)buffer.mem)[2 * PAGE]);
	last = buffer_part(&buffer, 3 * PAGE, 3 * PAGE);
	buffer_cpu_write(&last);
	last = buffer_part(&buffer, 5 * PAGE, PAGE);
	other = buffer_as_seen_by(&last, &second);
	buffer_populate(&other);
	CHECK_SYS(mprotect(buffer.mem + 3 * PAGE, PAGE, PROT_READ));
	CHECK_OK(gpu_populate_patiently(gpu, &populate, &tries));
	buffer_check_dev(&buffer);
	CHECK_SYS(munmap(buffer.mem, PAGE));
	CHECK_RET(gpu_ioctl(gpu, DRM_IOCTL_MOCKGPU_POPULATE, &populate), -ENOENT);
	last = buffer_part(&buffer, PAGE, 5 * PAGE);
	buffer_check(&last);
}

/* The memory goes away while the device reads it. */
static void *tear_down(void *arg)
{
	struct buffer *buffer = arg;

	sleep_ms(1);
	CHECK_SYS(munmap(buffer->mem, buffer->size));
	return NULL;
}

static void anon_teardown(struct gpu *gpu, const void *arg)
{
	(void)arg;
	for (int round = 0; round < 10; round++) {
		struct buffer buffer = buffer_filled(gpu, 8 * SIZE, MEM_SMALL);
		char *copy = malloc(buffer.size);
		struct crew crew;
		int ret;

		crew_start(&crew, 1, tear_down, &buffer);
		ret = gpu_read(gpu, buffer.vm, buffer.mem, buffer.size, copy);
		if (!ret)
			CHECK(!memcmp(copy, buffer.shadow, buffer.size));
		else
			CHECK_RET(ret, -EFAULT);
		crew_join(&crew);
		free(copy);
	}
}

/* A mapped GEM buffer, which is no memory of the process, touched or not. */
static void mixedmap(struct gpu *gpu, const void *arg)
{
	struct buffer mapped = { .gpu = gpu, .vm = vm_new(gpu), .size = PAGE };
	uint32_t handle;

	(void)arg;
	CHECK_OK(gem_create(gpu, PAGE, 0, &handle));
	mapped.mem = gem_map(gpu, handle, PAGE);
	buffer_dev_denied(&mapped, 0, MOCKGPU_ACCESS_READ, -EFAULT);
	*(volatile char *)mapped.mem = 1;
	buffer_dev_denied(&mapped, 0, MOCKGPU_ACCESS_READ, -EFAULT);
	buffer_dev_denied(&mapped, 0, MOCKGPU_ACCESS_FILL, -EFAULT);
	CHECK_EQ(*(volatile char *)mapped.mem, 1);
	CHECK_OK(gem_close(gpu, handle));
}

/* Where each kind of page is, without moving one. */
static void snapshot(struct gpu *gpu, const void *arg)
{
	struct buffer buffer = buffer_new(gpu, 5 * PAGE, MEM_SMALL), part;
	static const uint8_t want[] = {
		MOCKGPU_PAGE_NONE, MOCKGPU_PAGE_SYSTEM, MOCKGPU_PAGE_SYSTEM, MOCKGPU_PAGE_DEVICE,
		MOCKGPU_PAGE_OTHER,
	};
	uint8_t map[5];
	struct gpu second;

	(void)arg;
	CHECK_OK(gpu_open(&second, gpu->index ? 0 : 1));
	part = buffer_part(&buffer, PAGE, 4 * PAGE);
	buffer_cpu_write(&part);
	CHECK_SYS(mprotect(buffer.mem + 2 * PAGE, PAGE, PROT_READ));
	part = buffer_part(&buffer, 3 * PAGE, PAGE);
	buffer_populate(&part);
	part = buffer_part(&buffer, 4 * PAGE, PAGE);
	part = buffer_as_seen_by(&part, &second);
	buffer_populate(&part);
	for (int round = 0; round < 2; round++) {
		CHECK_OK(gpu_residency(gpu, buffer.vm, buffer.mem, 5 * PAGE, map));
		for (size_t i = 0; i < ARRAY_SIZE(map); i++)
			CHECK_EQ(map[i], want[i]);
	}
	CHECK_EQ(buffer_pages(&part, MOCKGPU_PAGE_DEVICE), 1);
	buffer_check(&buffer);
}

/* A page of 2 MiB that the device has as one follows its rights. */
static void compound(struct gpu *gpu, const void *arg)
{
	struct buffer buffer = kind_buffer(kind_find(arg), gpu, HUGE_PAGE, NULL);

	flip(&buffer);
	CHECK_EQ(buffer_pages(&buffer, MOCKGPU_PAGE_SYSTEM), HUGE_PAGE / PAGE);
	CHECK_SYS(mprotect(buffer.mem, HUGE_PAGE, PROT_READ));
	buffer_check_dev(&buffer);
	buffer_dev_denied(&buffer, HUGE_PAGE / 2, MOCKGPU_ACCESS_FILL, -EFAULT);
	CHECK_SYS(mprotect(buffer.mem, HUGE_PAGE, PROT_READ | PROT_WRITE));
	flip(&buffer);
	buffer_check(&buffer);
}

/* Two devices have read-only pages mapped, then one takes them. */
static void double_map(struct gpu *gpu, const void *arg)
{
	struct buffer buffer = buffer_filled(gpu, SIZE, MEM_SMALL), seen;
	struct gpu second;

	(void)arg;
	CHECK_OK(gpu_open(&second, gpu->index ? 0 : 1));
	seen = buffer_as_seen_by(&buffer, &second);
	CHECK_SYS(mprotect(buffer.mem, SIZE, PROT_READ));
	buffer_check_dev(&buffer);
	buffer_check_dev(&seen);
	buffer_populate(&seen);
	buffer_check_dev(&buffer);
	buffer_check_dev(&seen);
	buffer_check_cpu(&buffer);
}

/* The device changes words and the CPU does; none gets lost. */
static void exclusive(struct gpu *gpu, const void *arg)
{
	struct buffer buffer = buffer_filled(gpu, SIZE, MEM_SMALL);
	uint64_t *words = (uint64_t *)buffer.mem, *shadow = (uint64_t *)buffer.shadow;

	if (arg)
		buffer_populate(&buffer);
	for (int round = 0; round < 4; round++) {
		flip(&buffer);
		for (size_t i = 0; i < SIZE / 8; i++) {
			words[i]++;
			shadow[i]++;
		}
		buffer_check_dev(&buffer);
	}
	buffer_check_cpu(&buffer);
}

static void exclusive_mprotect(struct gpu *gpu, const void *arg)
{
	struct buffer buffer = buffer_filled(gpu, SIZE, MEM_SMALL);

	if (arg)
		buffer_populate(&buffer);
	flip(&buffer);
	CHECK_SYS(mprotect(buffer.mem, SIZE, PROT_READ));
	buffer_dev_denied(&buffer, 0, MOCKGPU_ACCESS_XOR, -EFAULT);
	buffer_check(&buffer);
}

static void increment(void *arg)
{
	struct child *child = arg;

	buffer_cpu_touch(&child->buffer);
	buffer_check_cpu(&child->buffer);
}

static void exclusive_cow(struct gpu *gpu, const void *arg)
{
	struct child child = { buffer_filled(gpu, SIZE, MEM_SMALL), gpu->index };
	pid_t pid;

	if (arg)
		buffer_populate(&child.buffer);
	flip(&child.buffer);
	pid = test_fork(increment, &child);
	buffer_cpu_touch(&child.buffer);
	flip(&child.buffer);
	test_join(pid);
	buffer_check(&child.buffer);
}

/* Somebody takes references on pages in VRAM: read and written through them. */
static void hmm_gup_test(struct gpu *gpu, const void *arg)
{
	struct buffer buffer = migrated(gpu, MEM_SMALL);
	int fd = open("/var/tmp", O_TMPFILE | O_RDWR | O_DIRECT, 0600);
	struct pins pins = pins_new();

	(void)arg;
	if (fd < 0)
		test_skip("there is no direct I/O in /var/tmp");
	pins_add(&pins, buffer.mem);
	CHECK_EQ(pwrite(fd, buffer.mem, SIZE, 0), (long long)SIZE);
	flip(&buffer);
	buffer_check(&buffer);
	/* What was written before comes back over what the device has done. */
	flip(&buffer);
	CHECK_EQ(pwrite(fd, buffer.mem, SIZE, 0), (long long)SIZE);
	CHECK_OK(gpu_fill(gpu, buffer.vm, buffer.mem, SIZE, 1));
	CHECK_EQ(pread(fd, buffer.mem, SIZE, 0), (long long)SIZE);
	buffer_check(&buffer);
	pins_drop(&pins);
}

/* The parent writes to what it shares in VRAM with a child. */
static void wait_and_check(void *arg)
{
	struct child *child = arg;

	buffer_check_cpu(&child->buffer);
}

static void hmm_cow_in_device(struct gpu *gpu, const void *arg)
{
	struct child child = { migrated(gpu, *(const enum mem_thp *)arg), gpu->index };
	pid_t pid = test_fork(wait_and_check, &child);

	buffer_cpu_touch(&child.buffer);
	if (gpu->tier == MOCKGPU_TIER_PRIVATE)
		CHECK_EQ(buffer_pages(&child.buffer, MOCKGPU_PAGE_DEVICE), 0);
	buffer_check(&child.buffer);
	test_join(pid);
	buffer_check(&child.buffer);
}

static void huge_empty(struct gpu *gpu, const void *arg)
{
	struct buffer buffer = buffer_new(gpu, HUGE_PAGE, MEM_HUGE);

	(void)arg;
	buffer_populate(&buffer);
	buffer_check(&buffer);
}

/* Reading it makes it the huge page of zeros. */
static void huge_zero(struct gpu *gpu, const void *arg)
{
	struct buffer buffer = buffer_new(gpu, HUGE_PAGE, MEM_HUGE);

	(void)arg;
	CHECK(!((volatile char *)buffer.mem)[HUGE_PAGE / 2]);
	buffer_populate(&buffer);
	flip(&buffer);
	buffer_check(&buffer);
}

static void huge_free(struct gpu *gpu, const void *arg)
{
	struct buffer buffer = migrated(gpu, MEM_HUGE);

	(void)arg;
	CHECK_SYS(madvise(buffer.mem, HUGE_PAGE, MADV_FREE));
	CHECK_SYS(munmap(buffer.mem, HUGE_PAGE));
	wait_for_counter(gpu, MOCKGPU_COUNTER_LIVE_VRAM_PAGES, 0);
}

static void knob(const struct gpu *gpu, const char *name, uint32_t value)
{
	CHECK_OK(knob_set(gpu, name, value));
}

/* No VRAM, or no copy, for a huge page; then for its way home. */
static void huge_error(struct gpu *gpu, const void *arg)
{
	struct buffer buffer = buffer_filled(gpu, HUGE_PAGE, MEM_HUGE);
	const char *name = arg;
	int ret;

	knob(gpu, name, 1);
	ret = gpu_populate(gpu, buffer.vm, buffer.mem, HUGE_PAGE);
	CHECK(ret < 0);
	knob(gpu, name, 0);
	CHECK_EQ(buffer_pages(&buffer, MOCKGPU_PAGE_DEVICE), 0);
	buffer_check_cpu(&buffer);
	buffer_populate(&buffer);
	flip(&buffer);
	knob(gpu, name, 1);
	gpu_evict_vm(gpu, buffer.vm);
	knob(gpu, name, 0);
	buffer_check(&buffer);
}

static void huge_zero_error(struct gpu *gpu, const void *arg)
{
	struct buffer buffer = buffer_new(gpu, HUGE_PAGE, MEM_HUGE);

	(void)arg;
	CHECK(!((volatile char *)buffer.mem)[0]);
	knob(gpu, "fail_populate", 1);
	CHECK(gpu_populate(gpu, buffer.vm, buffer.mem, HUGE_PAGE) < 0);
	knob(gpu, "fail_populate", 0);
	buffer_check(&buffer);
	buffer_populate(&buffer);
	buffer_check(&buffer);
}

/* Part of what is in VRAM is unmapped, at the start, behind a quarter, behind half. */
static void partial_unmap(struct gpu *gpu, const void *arg)
{
	enum mem_thp thp = *(const enum mem_thp *)arg;

	for (size_t quarters = 0; quarters < 3; quarters++) {
		struct buffer buffer = migrated(gpu, thp), before, behind;
		size_t at = buffer.size / 4 * quarters, size = buffer.size / 4;

		CHECK_SYS(munmap(buffer.mem + at, size));
		behind = buffer_part(&buffer, at + size, buffer.size - at - size);
		if (at) {
			before = buffer_part(&buffer, 0, at);
			buffer_check_cpu(&before);
			flip(&before);
			buffer_check(&before);
		}
		buffer_check_cpu(&behind);
		flip(&behind);
		buffer_check(&behind);
	}
}

/* To where huge pages do not fit what was one is mapped page by page. */
static void populate_torn(const struct buffer *buffer, bool was_huge)
{
	if (was_huge && !torn_pages_move()) {
		CHECK_RET(buffer_try_populate(buffer), -EBUSY);
		CHECK_EQ(buffer_pages(buffer, MOCKGPU_PAGE_DEVICE), 0);
	} else {
		buffer_populate(buffer);
	}
}

static void remap_fault(struct gpu *gpu, const void *arg)
{
	enum mem_thp thp = *(const enum mem_thp *)arg;

	for (int way = 0; way < 4; way++) {
		struct buffer buffer = way % 2 ? migrated(gpu, thp) :
						 buffer_filled(gpu, size_of(thp), thp);
		/* One that is aligned as a huge page and one that is not. */
		char *to = mem_map(buffer.size, way < 2 ? 0 : PAGE, thp);
		bool tears = way >= 2 && huge_kib(buffer.mem) > 0;

		CHECK(to && mremap(buffer.mem, buffer.size, buffer.size,
				   MREMAP_MAYMOVE | MREMAP_FIXED |
				   (way == 3 ? MREMAP_DONTUNMAP : 0), to) == to);
		buffer.mem = to;
		if (way % 2 == 0)
			populate_torn(&buffer, tears);
		flip(&buffer);
		buffer_check(&buffer);
	}
}

struct scenario {
	const char *name;
	const char *describe;
	body_fn body;
	unsigned int needs;
	/* The sizes of pages to try, or what else is tried. */
	bool sizes;
	const void *arg;
};

static const struct scenario scenarios[] = {
	{ "anon_read", "Pages that are nowhere, zeros, written", anon_read, 0, false, NULL },
	{ "anon_read_prot", "Reads without the right to", anon_read_prot, 0, false, NULL },
	{ "anon_write", "The device is first to write", anon_write, 0, true, NULL },
	{ "anon_write_prot", "Writes without the right to", anon_write_prot, 0, false, NULL },
	{ "anon_write_child", "A child's device writes", anon_write_child, 0, true, NULL },
	{ "anon_write_child_shared", "A child's device writes to shared memory",
	  anon_write_child_shared, 0, false, NULL },
	{ "anon_write_hugetlbfs", "The device writes to hugetlbfs", anon_write_hugetlbfs, 0,
	  false, NULL },
	{ "file_read", "The device reads a file", file_read, 0, false, NULL },
	{ "file_write", "The device writes to a file", file_write_through, 0, false, NULL },
	{ "migrate", "Memory moves into VRAM", migrate, NEED_VRAM, true, NULL },
	{ "migrate_file_private", "A private file stays", migrate_file_private, NEED_VRAM, false,
	  NULL },
	{ "migrate_fault", "Half of it comes home and goes again", migrate_fault, NEED_VRAM, true,
	  NULL },
	{ "migrate_release", "The device's file is closed", migrate_release, NEED_VRAM, false,
	  NULL },
	{ "migrate_shared", "Shared memory stays", migrate_shared, NEED_VRAM, false, NULL },
	{ "migrate_multiple", "New memory moves ten times", migrate_multiple, NEED_VRAM, false,
	  NULL },
	{ "migrate_mixed", "Each page of a range is of another kind", migrate_mixed,
	  NEED_VRAM | NEED_TWO_DEVICES, false, NULL },
	{ "anon_teardown", "Memory goes while the device reads", anon_teardown, 0, false, NULL },
	{ "mixedmap", "A mapping of the device's own memory", mixedmap, 0, false, NULL },
	{ "snapshot", "Where each page is", snapshot, NEED_VRAM | NEED_TWO_DEVICES, false,
	  NULL },
	{ "compound", "A page of hugetlbfs follows its rights", compound, 0, false, "hugetlb" },
	{ "compound_thp", "A huge page follows its rights", compound, NEED_THP, false, "thp" },
	{ "double_map", "Two devices have the same pages", double_map,
	  NEED_VRAM | NEED_TWO_DEVICES, false, NULL },
	{ "exclusive", "Device and CPU change words in turn", exclusive, 0, false, NULL },
	{ "exclusive_vram", "The same in VRAM", exclusive, NEED_VRAM, false, &small_pages },
	{ "exclusive_mprotect", "The device loses the right to write", exclusive_mprotect, 0,
	  false, NULL },
	{ "exclusive_mprotect_vram", "The same in VRAM", exclusive_mprotect, NEED_VRAM, false,
	  &small_pages },
	{ "exclusive_cow", "Parent and child write after a fork", exclusive_cow, 0, false, NULL },
	{ "exclusive_cow_vram", "The same in VRAM", exclusive_cow, NEED_VRAM, false,
	  &small_pages },
	{ "hmm_gup_test", "Others hold pages that are in VRAM", hmm_gup_test, NEED_VRAM, false,
	  NULL },
	{ "hmm_cow_in_device", "The parent writes to what it shares", hmm_cow_in_device,
	  NEED_VRAM, true, NULL },
	{ "migrate_anon_huge_empty", "A huge page that is not there", huge_empty,
	  NEED_VRAM | NEED_THP, false, NULL },
	{ "migrate_anon_huge_zero", "The huge page of zeros", huge_zero, NEED_VRAM | NEED_THP,
	  false, NULL },
	{ "migrate_anon_huge_free", "MADV_FREE of one in VRAM", huge_free, NEED_VRAM | NEED_THP,
	  false, NULL },
	{ "migrate_anon_huge_err", "There is no VRAM for it", huge_error,
	  NEED_VRAM | NEED_THP | NEED_KNOBS, false, "fail_populate" },
	{ "migrate_anon_huge_copy_err", "It cannot be copied", huge_error,
	  NEED_VRAM | NEED_THP | NEED_KNOBS, false, "fail_copy" },
	{ "migrate_anon_huge_map_err", "It cannot be mapped", huge_error,
	  NEED_VRAM | NEED_THP | NEED_KNOBS, false, "fail_dma_map" },
	{ "migrate_anon_huge_zero_err", "There is no VRAM for the huge page of zeros",
	  huge_zero_error, NEED_VRAM | NEED_THP | NEED_KNOBS, false, NULL },
	{ "migrate_partial_unmap_fault", "Part of it is unmapped in VRAM", partial_unmap,
	  NEED_VRAM, true, NULL },
	{ "migrate_remap_fault", "It moves to another address in VRAM", remap_fault, NEED_VRAM,
	  true, NULL },
};

static void sizes(const void *arg)
{
	const struct scenario *scenario = arg;

	dynamic(scenario->needs, scenario->body, &small_pages, "small-pages");
	dynamic(scenario->needs | NEED_THP, scenario->body, &huge_pages, "huge-pages");
}

static void subtests(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(scenarios); i++) {
		const struct scenario *scenario = &scenarios[i];

		if (scenario->sizes)
			subtest_of(scenario->describe, sizes, scenario, "%s", scenario->name);
		else
			subtest(scenario->describe, scenario->needs, scenario->body,
				scenario->arg, "%s", scenario->name);
	}
}

SUITE("What the kernel's own HMM tests do, with a GPU", subtests)
