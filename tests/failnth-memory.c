// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Memory of the process: files and VMs, moving it, and whoever touches it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "failnth.h"

/* Commands that change nothing. */

static int act_query(struct round *round)
{
	uint64_t value;

	return gpu_query(&round->gpu, MOCKGPU_PARAM_VRAM_USED, &value);
}

static int act_counters(struct round *round)
{
	uint64_t values[MOCKGPU_COUNTER_COUNT];

	return gpu_counters(&round->gpu, values);
}

static int act_residency(struct round *round)
{
	memset(round->map, 0xff, sizeof(round->map));
	return gpu_residency(&round->gpu, round->area.vm, round->area.mem, round->area.size,
			     round->map);
}

static void verify_residency(struct round *round, int ret)
{
	for (size_t i = 0; !ret && i < round->area.size / PAGE; i++)
		CHECK_EQ(round->map[i], MOCKGPU_PAGE_DEVICE);
	verify_data(round, ret);
}

/* Files and VMs. */

static int act_open(struct round *round)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/dev/dri/renderD%u", round->gpu.minor);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

int act_close(struct round *round)
{
	int ret = close(round->gpu.fd) ? -errno : 0;

	round->gpu.fd = -1;
	return ret;
}

void verify_closed(struct round *round, int ret)
{
	CHECK_OK(ret);
	area_check_cpu(&round->area);
}

static int act_vm_create(struct round *round)
{
	uint32_t vm;

	return gpu_vm_create(&round->gpu, &vm);
}

int act_vm_destroy(struct round *round)
{
	return gpu_vm_destroy(&round->gpu, round->area.vm);
}

static void verify_destroyed(struct round *round, int ret)
{
	area_check_cpu(&round->area);
	/* Refused is not done. */
	if (ret)
		CHECK_OK(act_vm_destroy(round));
	else
		CHECK_RET(act_vm_destroy(round), -ENOENT);
}

/* Into VRAM. */

static int populate(struct round *round, uint64_t flags)
{
	struct drm_mockgpu_populate args = {
		.vm_id = round->area.vm, .flags = flags,
		.addr = (uintptr_t)round->area.mem, .size = round->area.size,
	};

	return gpu_ioctl(&round->gpu, DRM_IOCTL_MOCKGPU_POPULATE, &args);
}

int act_populate(struct round *round)
{
	return populate(round, 0);
}

static int act_populate_partial(struct round *round)
{
	return populate(round, MOCKGPU_POPULATE_PARTIAL);
}

void verify_populated(struct round *round, int ret)
{
	if (!ret)
		CHECK_PLACE(&round->area, MOCKGPU_PAGE_DEVICE);
	verify_data(round, ret);
}

/* Some are somewhere, each may be anywhere. */
static void verify_partial(struct round *round, int ret)
{
	verify_data(round, ret);
}

/* Every other page was never touched; what is there is zeros. */
static void prepare_holes(struct round *round)
{
	for (size_t at = 0; at < round->area.size; at += 2 * PAGE)
		pattern_fill(round->area.mem + at, PAGE, at + 1);
}

static void verify_holes(struct round *round, int ret)
{
	struct mismatch bad;

	if (!ret)
		CHECK_PLACE(&round->area, MOCKGPU_PAGE_DEVICE);
	for (size_t at = 0; at < round->area.size; at += 2 * PAGE) {
		CHECK_DATA(pattern_matches(round->area.mem + at, PAGE, at + 1, 0, &bad), bad);
		CHECK_DATA(words_are(round->area.mem + at + PAGE, PAGE, 0, &bad), bad);
	}
}

/* What the other device has. */
static void fill_on_other(struct round *round)
{
	struct area theirs = round->area;

	theirs.gpu = &round->other;
	theirs.vm = round->other_vm;
	area_fill(&theirs);
	area_populate(&theirs);
	theirs.gpu = round->area.gpu;
	theirs.vm = round->area.vm;
	round->area = theirs;
}

/* And home again. */

static int act_evict_vm(struct round *round)
{
	return gpu_evict_vm(&round->gpu, round->area.vm);
}

static int act_evict_addr(struct round *round)
{
	return gpu_evict_at(&round->gpu, round->area.vm, round->area.mem);
}

int act_evict_device(struct round *round)
{
	return gpu_evict_device(&round->gpu, round->area.vm);
}

static void verify_evicted(struct round *round, int ret)
{
	if (!ret)
		CHECK_PLACE(&round->area, MOCKGPU_PAGE_SYSTEM);
	verify_data(round, ret);
}

/* A process that touches its memory gets it, however often that has to be tried. */
int act_cpu_read(struct round *round)
{
	const volatile char *mem = round->area.mem;

	for (size_t at = 0; at < round->area.size; at += PAGE)
		(void)mem[at];
	return 0;
}

int act_cpu_write(struct round *round)
{
	volatile uint64_t *mem = (uint64_t *)round->area.mem;

	for (size_t i = 0; i < round->area.size / 8; i += PAGE / 8)
		mem[i] = pattern_word(round->area.seed, i) ^ round->area.flip;
	return 0;
}

/* The kernel touches it for the process; a pipe has room for all of it. */
static void fill_and_pipe(struct round *round)
{
	fill_used(round);
	CHECK_SYS(pipe(round->fds));
}

int act_kernel_read(struct round *round)
{
	return write(round->fds[1], round->area.mem, round->area.size) < 0 ? -errno : 0;
}

static void verify_piped(struct round *round, int ret)
{
	close(round->fds[0]);
	close(round->fds[1]);
	verify_data(round, ret);
}

static void child_waits(void *arg)
{
	(void)arg;
	pause();
}

static void fill_and_fork(struct round *round)
{
	fill_used(round);
	round->child = test_fork(child_waits, NULL);
}

static void verify_and_reap(struct round *round, int ret)
{
	CHECK_SYS(kill(round->child, SIGKILL));
	CHECK_EQ(waitpid(round->child, NULL, 0), round->child);
	verify_data(round, ret);
}

/* The device works on it. */

int act_access(struct round *round, unsigned int op, const void *data)
{
	struct drm_mockgpu_access args = {
		.vm_id = round->area.vm, .op = op, .done = UNKNOWN,
		.value = op == MOCKGPU_ACCESS_XOR || op == MOCKGPU_ACCESS_FILL ? FLIP : 0,
		.addr = (uintptr_t)round->area.mem, .size = round->area.size,
		.data = (uintptr_t)data,
	};
	int ret = gpu_access(round->area.gpu, &args);

	round->done = args.done;
	return ret;
}

int act_xor(struct round *round)
{
	return act_access(round, MOCKGPU_ACCESS_XOR, NULL);
}

int act_fill(struct round *round)
{
	return act_access(round, MOCKGPU_ACCESS_FILL, NULL);
}

static char buffer[SMALL_SIZE];

static int act_device_read(struct round *round)
{
	return act_access(round, MOCKGPU_ACCESS_READ, buffer);
}

static int act_device_write(struct round *round)
{
	return act_access(round, MOCKGPU_ACCESS_WRITE, buffer);
}

/* With new data, as the old is not what it was. */
static void verify_progress(struct round *round, int ret,
			    uint64_t (*new_word)(const struct area *area, size_t i))
{
	check_progress(round, ret, new_word);
	verify_alive(round, ret);
}

static uint64_t written_word(const struct area *area, size_t i)
{
	(void)area;
	return pattern_word(99, i);
}

void verify_xor(struct round *round, int ret)
{
	verify_progress(round, ret, flipped_word);
}

static void verify_fill(struct round *round, int ret)
{
	verify_progress(round, ret, filled_word);
}

static void verify_written(struct round *round, int ret)
{
	verify_progress(round, ret, written_word);
}

static void verify_read(struct round *round, int ret)
{
	const uint64_t *words = (uint64_t *)buffer;
	size_t known = round->done == UNKNOWN ? 0 : round->done / 8;

	if (!ret)
		CHECK_EQ(round->done, SMALL_SIZE);
	for (size_t i = 0; i < known; i++)
		CHECK(words[i] == old_word(&round->area, i));
	verify_data(round, ret);
}

static void prepare_write(struct round *round)
{
	fill_device(round);
	pattern_fill(buffer, sizeof(buffer), 99);
}

/* Memory that nobody ever touched. */
static void verify_first_touch(struct round *round, int ret)
{
	const uint64_t *words = (uint64_t *)round->area.mem;
	size_t done = round->done == UNKNOWN ? 0 : round->done / 8;

	if (!ret)
		CHECK_EQ(done, round->area.size / 8);
	for (size_t i = 0; i < round->area.size / 8; i++)
		CHECK(words[i] == FLIP || (!words[i] && i >= done));
	area_fill(&round->area);
	verify_data(round, ret);
}

/* The process changes its mappings. */

int act_unmap_part(struct round *round)
{
	return munmap(round->area.mem + UNMAPPED_PAGE * PAGE, 3 * PAGE) ? -errno : 0;
}

/* What is left is as it was, and what is not is not there for the device either. */
void verify_unmapped(struct round *round, int ret)
{
	struct area low = area_part(&round->area, 0, UNMAPPED_PAGE * PAGE);
	char byte;

	if (ret) {
		verify_data(round, ret);
		return;
	}
	CHECK_RET(gpu_read(&round->gpu, low.vm, low.mem + low.size, 1, &byte), -EFAULT);
	verify_data(&(struct round){ .gpu = round->gpu, .area = low }, ret);
}

int act_protect(struct round *round)
{
	return mprotect(round->area.mem + PROTECTED_PAGE * PAGE, 2 * PAGE, PROT_READ) ? -errno : 0;
}

void verify_protected(struct round *round, int ret)
{
	uint64_t value = 1;
	int want = ret ? 0 : -EFAULT;

	area_check_device(&round->area);
	if (want)
		CHECK_RET(gpu_write(&round->gpu, round->area.vm, round->area.mem + PROTECTED_PAGE * PAGE,
				    sizeof(value), &value), want);
	CHECK_SYS(mprotect(round->area.mem, round->area.size, PROT_READ | PROT_WRITE));
	verify_data(round, ret);
}

static int act_remap(struct round *round)
{
	char *to = arena + HUGE_PAGE - SMALL_SIZE;

	if (mremap(arena, SMALL_SIZE, SMALL_SIZE, MREMAP_MAYMOVE | MREMAP_FIXED, to) != to)
		return -errno;
	round->area.mem = to;
	return 0;
}

static int act_discard(struct round *round)
{
	return madvise(round->area.mem, round->area.size, MADV_DONTNEED) ? -errno : 0;
}

static void verify_discarded(struct round *round, int ret)
{
	struct mismatch bad;

	if (!ret)
		CHECK_DATA(words_are(round->area.mem, round->area.size, 0, &bad), bad);
	verify_alive(round, ret);
}

/* The parent's words are what it has; the child is gone. */
static void verify_xor_forked(struct round *round, int ret)
{
	CHECK_SYS(kill(round->child, SIGKILL));
	CHECK_EQ(waitpid(round->child, NULL, 0), round->child);
	verify_xor(round, ret);
}

SCENE(query, .act = act_query, .verify = verify_alive)
SCENE(counters, .act = act_counters, .verify = verify_alive)
SCENE(residency, .prepare = fill_device, .act = act_residency, .verify = verify_residency)
SCENE(open_file, .act = act_open, .verify = verify_alive)
SCENE(close_file, .prepare = fill_used, .act = act_close, .verify = verify_closed)
SCENE(vm_create, .act = act_vm_create, .verify = verify_alive)
SCENE(vm_destroy, .prepare = fill_used, .act = act_vm_destroy, .verify = verify_destroyed)
SCENE(populate_small, .prepare = fill_system, .act = act_populate, .verify = verify_populated)
SCENE(populate_huge, .prepare = fill_system, .act = act_populate, .verify = verify_populated,
      .thp = MEM_HUGE)
SCENE(populate_partial, .prepare = fill_system, .act = act_populate_partial,
      .verify = verify_partial)
SCENE(populate_holes, .prepare = prepare_holes, .act = act_populate, .verify = verify_holes)
SCENE(populate_other, .prepare = fill_on_other, .act = act_populate, .verify = verify_populated,
      .two = true)
SCENE(evict_vm, .prepare = fill_used, .act = act_evict_vm, .verify = verify_evicted)
SCENE(evict_addr, .prepare = fill_used, .act = act_evict_addr, .verify = verify_evicted)
SCENE(evict_device, .prepare = fill_used, .act = act_evict_device, .verify = verify_evicted)
SCENE(evict_huge, .prepare = fill_used, .act = act_evict_vm, .verify = verify_evicted,
      .thp = MEM_HUGE)
SCENE(cpu_read, .prepare = fill_used, .act = act_cpu_read, .verify = verify_data)
SCENE(cpu_write, .prepare = fill_used, .act = act_cpu_write, .verify = verify_data)
SCENE(cpu_read_huge, .prepare = fill_used, .act = act_cpu_read, .verify = verify_data,
      .thp = MEM_HUGE)
SCENE(cpu_write_forked, .prepare = fill_and_fork, .act = act_cpu_write,
      .verify = verify_and_reap)
SCENE(kernel_read, .prepare = fill_and_pipe, .act = act_kernel_read, .verify = verify_piped)
SCENE(device_xor_system, .prepare = fill_system, .act = act_xor, .verify = verify_xor)
SCENE(device_xor_vram, .prepare = fill_device, .act = act_xor, .verify = verify_xor)
SCENE(device_xor_huge, .prepare = fill_system, .act = act_xor, .verify = verify_xor,
      .thp = MEM_HUGE)
SCENE(device_xor_other, .prepare = fill_on_other, .act = act_xor, .verify = verify_xor,
      .two = true)
SCENE(device_xor_forked, .prepare = fill_and_fork, .act = act_xor, .verify = verify_xor_forked)
SCENE(device_fill, .prepare = fill_device, .act = act_fill, .verify = verify_fill)
SCENE(device_fill_first, .act = act_fill, .verify = verify_first_touch)
SCENE(device_read, .prepare = fill_device, .act = act_device_read, .verify = verify_read)
SCENE(device_write, .prepare = prepare_write, .act = act_device_write,
      .verify = verify_written)
SCENE(unmap_part, .prepare = fill_used, .act = act_unmap_part, .verify = verify_unmapped)
SCENE(protect, .prepare = fill_used, .act = act_protect, .verify = verify_protected)
SCENE(remap, .prepare = fill_used, .act = act_remap, .verify = verify_data)
SCENE(discard, .prepare = fill_used, .act = act_discard, .verify = verify_discarded,
      .modest = true)

static const struct test tests[] = {
	{ "query", query, NEEDS, SECONDS },
	{ "counters", counters, NEEDS, SECONDS },
	{ "residency", residency, NEEDS, SECONDS },
	{ "open-file", open_file, NEEDS, SECONDS },
	{ "close-file", close_file, NEEDS, SECONDS },
	{ "vm-create", vm_create, NEEDS, SECONDS },
	{ "vm-destroy", vm_destroy, NEEDS, SECONDS },
	{ "populate-small", populate_small, NEEDS, SECONDS },
	{ "populate-huge", populate_huge, NEEDS | NEED_THP, SECONDS },
	{ "populate-partial", populate_partial, NEEDS, SECONDS },
	{ "populate-holes", populate_holes, NEEDS, SECONDS },
	{ "populate-other", populate_other, NEEDS_TWO, SECONDS },
	{ "evict-vm", evict_vm, NEEDS, SECONDS },
	{ "evict-addr", evict_addr, NEEDS, SECONDS },
	{ "evict-device", evict_device, NEEDS, SECONDS },
	{ "evict-huge", evict_huge, NEEDS | NEED_THP, SECONDS },
	{ "cpu-read", cpu_read, NEEDS | NEED_PRIVATE, SECONDS },
	{ "cpu-write", cpu_write, NEEDS | NEED_PRIVATE, SECONDS },
	{ "cpu-read-huge", cpu_read_huge, NEEDS | NEED_THP | NEED_PRIVATE, SECONDS },
	{ "cpu-write-forked", cpu_write_forked, NEEDS, SECONDS },
	{ "kernel-read", kernel_read, NEEDS, SECONDS },
	{ "device-xor-system", device_xor_system, NEEDS, SECONDS },
	{ "device-xor-vram", device_xor_vram, NEEDS, SECONDS },
	{ "device-xor-huge", device_xor_huge, NEEDS | NEED_THP, SECONDS },
	{ "device-xor-other", device_xor_other, NEEDS_TWO, SECONDS },
	{ "device-xor-forked", device_xor_forked, NEEDS, SECONDS },
	{ "device-fill", device_fill, NEEDS, SECONDS },
	{ "device-fill-first", device_fill_first, NEEDS, SECONDS },
	{ "device-read", device_read, NEEDS, SECONDS },
	{ "device-write", device_write, NEEDS, SECONDS },
	{ "unmap-part", unmap_part, NEEDS, SECONDS },
	{ "protect", protect, NEEDS, SECONDS },
	{ "remap", remap, NEEDS, SECONDS },
	{ "discard", discard, NEEDS, SECONDS },
};

const struct tests memory_tests = { tests, ARRAY_SIZE(tests) };
