// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Device memory in the ranges of other devices: with three mock devices that are
 * linked and one that is not. The driver borrows the last linked one.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common.h"

#define SYSTEM		'.'
/* The device without links. */
#define FOREIGN		3
#define DEVICES		4

/* A range is as large as one of the driver's chunks. */
#define PIECES		4
#define PIECE		(4 * PAGE)
#define SIZE		(PIECES * PIECE)
#define PAGES		(SIZE / PAGE)

#define MIXED		GPUSVM_TEST_MIXED
#define MULTIPLE	GPUSVM_TEST_MULTIPLE
#define ONLY		GPUSVM_TEST_DEVMEM_ONLY
#define OWNER		GPUSVM_TEST_OWNER

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL	102
#define MADV_GUARD_REMOVE	103
#endif

static struct gpu gpus[DEVICES];
static uint32_t vms[DEVICES];
static char *mem;

static void open_devices(void)
{
	for (unsigned int i = 0; i < DEVICES; i++) {
		int err = gpu_open(&gpus[i], i);

		if (err == -ENODEV)
			test_skip("needs %u devices", DEVICES);
		CHECK_OK(err);
		vms[i] = vm_new(&gpus[i]);
	}
}

static void borrow(unsigned int slot, unsigned int device)
{
	struct gpusvm_test_args args = { .device = slot, .fd = gpus[device].fd };

	CHECK_OK(svm_ioctl(GPUSVM_TEST_BORROW, &args));
}

static void borrow_two(unsigned int first, unsigned int second)
{
	open_devices();
	svm_open();
	borrow(0, first);
	borrow(1, second);
	mem = mem_map(SIZE, 0, MEM_SMALL);
	pattern_fill(mem, SIZE, 5);
}

/* Each piece goes where its letter says. */
static void place(const char *where)
{
	for (unsigned int i = 0; i < PIECES; i++) {
		unsigned int to = where[i] - '0', tries;
		struct drm_mockgpu_populate populate = {
			.addr = (uintptr_t)mem + i * PIECE,
			.size = PIECE,
		};

		if (where[i] == SYSTEM)
			continue;
		populate.vm_id = vms[to];
		CHECK_OK(gpu_populate_patiently(&gpus[to], &populate, &tries));
	}
}

/* Not beyond what is looked at. */
static int fault(unsigned int flags)
{
	struct gpusvm_test_args args = {
		.addr = (uintptr_t)mem,
		.flags = flags | GPUSVM_TEST_WHOLE,
		.window_start = (uintptr_t)mem,
		.window_end = (uintptr_t)mem + SIZE,
	};
	int err = svm_ioctl(GPUSVM_TEST_FAULT, &args);

	CHECK_EQ(args.size, (long long)SIZE);
	return err;
}

static int inspect(unsigned int slot, struct gpusvm_test_args *args)
{
	*args = (struct gpusvm_test_args) { .addr = (uintptr_t)mem, .device = slot };
	return svm_ioctl(GPUSVM_TEST_INSPECT, args);
}

static uint32_t scan(void)
{
	struct gpusvm_test_args args;

	CHECK_OK(svm_call(GPUSVM_TEST_SCAN, mem, 0, &args));
	return args.result;
}

static void remove_range(void)
{
	struct gpusvm_test_args args;

	CHECK_OK(svm_call(GPUSVM_TEST_REMOVE, mem, 0, &args));
}

static void check_unmapped(void)
{
	CHECK_NOTHING_MAPPED();
	for (unsigned int i = 0; i < DEVICES; i++) {
		CHECK_EQ(counter(&gpus[i], MOCKGPU_COUNTER_LIVE_DMA_PAGES), 0);
		CHECK_EQ(counter(&gpus[i], MOCKGPU_COUNTER_LIVE_PEER_PAGES), 0);
	}
}

static void check_data(void)
{
	struct mismatch bad;

	CHECK_DATA(pattern_matches(mem, SIZE, 5, 0, &bad), bad);
}

/*
 * What comes of each set of kinds with each policy: columns are none, MIXED,
 * MULTIPLE, both; and the same with ONLY. 0 works, F is -EFAULT: there is system
 * memory; X is -EOPNOTSUPP: the mix is refused.
 */
static const char * const results[8] = {
	/* . for system memory, 0 and 1 for the devices */
	[1 /* .   */] = "0000" "FFFF",
	[2 /* 0   */] = "0000" "0000",
	[3 /* .0  */] = "X0X0" "FFFF",
	[4 /* 1   */] = "0000" "0000",
	[5 /* .1  */] = "X0X0" "FFFF",
	[6 /* 01  */] = "XX00" "XX00",
	[7 /* .01 */] = "XXX0" "FFFF",
};

static unsigned int policy_flags(unsigned int policy)
{
	return (policy & 1 ? MIXED : 0) | (policy & 2 ? MULTIPLE : 0) | (policy & 4 ? ONLY : 0);
}

static int wanted_result(const char *where, unsigned int policy)
{
	unsigned int kinds = 0;

	for (unsigned int i = 0; i < PIECES; i++)
		kinds |= where[i] == '0' ? 2 : where[i] == '1' ? 4 : 1;
	switch (results[kinds][policy]) {
	case 'F':
		return -EFAULT;
	case 'X':
		return -EOPNOTSUPP;
	default:
		return 0;
	}
}

static void check_mapped(const char *where)
{
	unsigned int changes = 0, linked = 0;
	struct gpusvm_test_args args;
	char last = SYSTEM;

	for (unsigned int i = 0; i < PIECES; i++) {
		if (where[i] != '0' && where[i] != '1')
			continue;
		linked++;
		changes += where[i] != last;
		last = where[i];
	}
	for (unsigned int slot = 0; slot < GPUSVM_TEST_DEVICES; slot++) {
		CHECK_OK(inspect(slot, &args));
		CHECK_EQ(args.providers, changes);
		CHECK_EQ(args.linked > 0, linked > 0);
	}
	CHECK_EQ(svm_stat("live_mapped"), (long long)(2 * PAGES));
}

/* What is out of reach comes home first, and nothing else does. */
static void bring_home(char *where)
{
	for (unsigned int i = 0; i < PIECES; i++)
		if (where[i] == '0' + FOREIGN)
			where[i] = SYSTEM;
}

static void check_policy(const char *where, unsigned int policy)
{
	int want = wanted_result(where, policy), got = fault(policy_flags(policy) | OWNER);

	if (got != want)
		FAIL("%s, policy %u: %s, not %s", where, policy, errno_name(got),
		     errno_name(want));
	if (got)
		check_unmapped();
	else
		check_mapped(where);
	remove_range();
	check_unmapped();
}

/* The n-th way to put four pieces into @letters. */
static void nth_place(unsigned int n, const char *letters, char *where)
{
	unsigned int count = strlen(letters);

	for (unsigned int i = 0; i < PIECES; i++, n /= count)
		where[i] = letters[n % count];
	where[PIECES] = '\0';
}

static void come_home(void)
{
	for (unsigned int i = 0; i < DEVICES; i++)
		CHECK_OK(gpu_evict_vm(&gpus[i], vms[i]));
}

/* All ways to put system memory and two devices' into one range, all policies. */
static void policies(struct gpu *gpu)
{
	char where[PIECES + 1];

	(void)gpu;
	borrow_two(2, 2);
	for (unsigned int n = 0; n < 3 * 3 * 3 * 3; n++) {
		nth_place(n, ".01", where);
		place(where);
		for (unsigned int policy = 0; policy < 8; policy++)
			check_policy(where, policy);
		come_home();
	}
	check_data();
}

/* The same with memory that the devices do not reach: it comes home. */
static void out_of_reach(struct gpu *gpu)
{
	char where[PIECES + 1];

	(void)gpu;
	borrow_two(2, 2);
	for (unsigned int n = 0; n < 4 * 4 * 4 * 4; n++) {
		nth_place(n, ".013", where);
		if (!strchr(where, '0' + FOREIGN))
			continue;
		place(where);
		bring_home(where);
		check_policy(where, n % 8);
		come_home();
	}
	check_data();
}

/* A device that reaches no device memory gets all of it as system memory. */
static void without_reach(struct gpu *gpu)
{
	struct gpusvm_test_args args;

	(void)gpu;
	borrow_two(2, 2);
	place("0.13");
	CHECK_OK(fault(0));
	CHECK_OK(inspect(0, &args));
	CHECK_EQ(args.linked, 0);
	for (unsigned int i = 0; i < DEVICES; i++)
		CHECK_EQ(counter(&gpus[i], MOCKGPU_COUNTER_LIVE_VRAM_PAGES), 0);
	remove_range();
	check_data();
}

static void evicted(struct gpu *gpu)
{
	struct gpusvm_test_args args;

	(void)gpu;
	borrow_two(2, 2);
	place("0.1.");
	CHECK_OK(fault(MIXED | MULTIPLE | OWNER));
	CHECK_EQ(scan(), 5);
	CHECK_OK(svm_call(GPUSVM_TEST_EVICT, mem, 0, &args));
	CHECK_RET(inspect(0, &args), -ENXIO);
	CHECK_RET(inspect(1, &args), -ENXIO);
	CHECK_EQ(scan(), 3);
	CHECK_RET(fault(ONLY | OWNER), -EFAULT);
	CHECK_OK(fault(OWNER));
	check_data();

	place("0011");
	CHECK_OK(fault(MULTIPLE | OWNER));
	CHECK_EQ(scan(), 4);
	place("1111");
	CHECK_OK(fault(OWNER));
	CHECK_EQ(scan(), 2);
	/* What is mapped does not do for who wants something else. */
	CHECK_OK(fault(0));
	CHECK_OK(inspect(0, &args));
	CHECK_EQ(args.linked, 0);
	check_data();
}

/* What cannot be accessed does not keep what is behind it in the device. */
static void evicted_behind_guard(struct gpu *gpu)
{
	struct gpusvm_test_args args;
	int ret;

	borrow_two(2, 2);
	place("0000");
	CHECK_OK(fault(OWNER));
	if (madvise(mem, PAGE, MADV_GUARD_INSTALL)) {
		CHECK_EQ(errno, EINVAL);
		test_skip("the kernel has no guard pages");
	}
	ret = svm_call(GPUSVM_TEST_EVICT, mem, 0, &args);
	CHECK(!ret || ret == -EFAULT);
	CHECK_EQ(counter(gpu, MOCKGPU_COUNTER_LIVE_VRAM_PAGES), 0);
	CHECK_SYS(madvise(mem, PAGE, MADV_GUARD_REMOVE));
}

/* A page that somebody is to deliver is not in a device, and not waited for. */
static void evicted_behind_hole(struct gpu *gpu)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register area = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	struct gpusvm_test_args args;

	if (fd < 0)
		test_skip("no userfaultfd: %s", errno_name(errno));
	borrow_two(2, 2);
	place("0000");
	CHECK_OK(fault(OWNER));
	CHECK_SYS(madvise(mem, PAGE, MADV_DONTNEED));
	area.range = (struct uffdio_range){ (uintptr_t)mem, SIZE };
	CHECK_SYS(ioctl(fd, UFFDIO_API, &api));
	CHECK_SYS(ioctl(fd, UFFDIO_REGISTER, &area));
	CHECK_OK(svm_call(GPUSVM_TEST_EVICT, mem, 0, &args));
	CHECK_EQ(counter(gpu, MOCKGPU_COUNTER_LIVE_VRAM_PAGES), 0);
	close(fd);
}

/* Every mapping in turn fails, and nothing of the others stays. */
static void fail_each(const struct gpu *gpu, const char *knob)
{
	unsigned int nth;

	for (nth = 1; nth < 100; nth++) {
		struct gpusvm_test_args args;
		bool first;
		int err;

		CHECK_OK(knob_set(gpu, knob, nth));
		err = fault(MIXED | MULTIPLE | OWNER);
		if (!err)
			break;
		CHECK_RET(err, -ENOMEM);
		/* The other device's, which came before, stay: both are one call. */
		first = !inspect(0, &args);
		CHECK_RET(inspect(1, &args), -ENXIO);
		CHECK_EQ(svm_stat("live_mapped"), first ? (long long)PAGES : 0);
		remove_range();
		check_unmapped();
	}
	printf("# %s of device %u: %u times\n", knob, gpu->index, nth - 1);
	CHECK(nth > 2);
	CHECK_OK(knob_set(gpu, knob, 0));
	remove_range();
	check_unmapped();
}

static void map_fails(struct gpu *gpu)
{
	(void)gpu;
	borrow_two(2, 2);
	place("0.1.");
	fail_each(&gpus[0], "fail_device_map");
	fail_each(&gpus[1], "fail_device_map");
	fail_each(&gpus[2], "fail_dma_map");
	come_home();
	place(".0.1");
	fail_each(&gpus[0], "fail_device_map");
	fail_each(&gpus[1], "fail_device_map");
	fail_each(&gpus[2], "fail_dma_map");
	check_data();
}

/* The CPU takes one page while the devices have them. */
static void invalidated(struct gpu *gpu)
{
	struct gpusvm_test_args args;

	(void)gpu;
	borrow_two(2, 2);
	place("0011");
	CHECK_OK(fault(MULTIPLE | OWNER));
	CHECK_SYS(madvise(mem + PAGE, PAGE, MADV_DONTNEED));
	CHECK_RET(inspect(0, &args), -ENXIO);
	CHECK_RET(inspect(1, &args), -ENXIO);
	check_unmapped();
	pattern_fill(mem, SIZE, 5);
	CHECK_OK(fault(MIXED | MULTIPLE | OWNER));
	CHECK_OK(gpu_evict_device(&gpus[0], vms[0]));
	CHECK_OK(fault(MIXED | MULTIPLE | OWNER));
	check_data();
}

/* Two devices, one range: for one of them it is its own memory. */
static void two_devices(struct gpu *gpu)
{
	struct gpusvm_test_args args;

	(void)gpu;
	borrow_two(2, 1);
	place("11..");
	CHECK_OK(fault(MIXED | OWNER));
	for (unsigned int slot = 0; slot < 2; slot++) {
		CHECK_OK(inspect(slot, &args));
		CHECK(args.linked > 0);
		CHECK_EQ(args.providers, 1);
	}
	CHECK_EQ(counter(&gpus[1], MOCKGPU_COUNTER_LIVE_PEER_PAGES), (long long)PAGES / 2);
	CHECK_EQ(counter(&gpus[1], MOCKGPU_COUNTER_LIVE_DMA_PAGES), (long long)PAGES / 2);
	CHECK_EQ(counter(&gpus[2], MOCKGPU_COUNTER_LIVE_DMA_PAGES), (long long)PAGES / 2);
	check_data();
	CHECK_OK(fault(MIXED | OWNER));
	CHECK_SYS(madvise(mem + SIZE - PAGE, PAGE, MADV_DONTNEED));
	check_unmapped();
	pattern_fill(mem, SIZE, 5);
	CHECK_OK(fault(MIXED | OWNER));
	remove_range();
	check_unmapped();
}

/* The second device's mapping fails: the first keeps what it has. */
static void one_of_two_fails(struct gpu *gpu)
{
	struct gpusvm_test_args args;

	(void)gpu;
	borrow_two(2, 1);
	CHECK_OK(knob_set(&gpus[1], "fail_dma_map", 1));
	CHECK_RET(fault(0), -ENOMEM);
	CHECK_OK(inspect(0, &args));
	CHECK_RET(inspect(1, &args), -ENXIO);
	CHECK_EQ(counter(&gpus[1], MOCKGPU_COUNTER_LIVE_DMA_PAGES), 0);
	CHECK_EQ(counter(&gpus[2], MOCKGPU_COUNTER_LIVE_DMA_PAGES), (long long)PAGES);
	CHECK_OK(fault(0));
	CHECK_OK(inspect(1, &args));
	check_data();
}

/* A part of the range is unmapped: that is so for both. */
static void unmapped_for_both(struct gpu *gpu)
{
	struct gpusvm_test_args args;

	(void)gpu;
	borrow_two(2, 1);
	place("1.0.");
	CHECK_OK(fault(MIXED | MULTIPLE | OWNER));
	CHECK_SYS(munmap(mem + SIZE - PAGE, PAGE));
	CHECK_RET(inspect(0, &args), -ENXIO);
	CHECK_RET(inspect(1, &args), -ENXIO);
	check_unmapped();
	svm_collect();
	CHECK_EQ(svm_stat("live_ranges"), 0);
}

/* A command whose arguments, and what it reads, lie in VRAM. */
static int command_in_vram(unsigned long command)
{
	struct gpusvm_test_args *args = (void *)mem;

	*args = (struct gpusvm_test_args) {
		.addr = (uintptr_t)mem + 2 * PIECE,
		.size = sizeof(uint64_t),
		.buffer = (uintptr_t)mem + PIECE,
		.flags = WRITES,
	};
	place("01..");
	return svm_ioctl(command, args);
}

static void commands_in_vram(struct gpu *gpu)
{
	int err;

	(void)gpu;
	open_devices();
	svm_open();
	mem = mem_map(SIZE, 0, MEM_SMALL);
	for (uint64_t round = 1; round < 20; round++) {
		set_word(mem + PIECE, round);
		do {
			CHECK_OK(command_in_vram(GPUSVM_TEST_FAULT));
			err = command_in_vram(GPUSVM_TEST_ACCESS);
		} while (err == -ENXIO);
		CHECK_OK(err);
		CHECK_EQ(word_at(mem + 2 * PIECE), (long long)round);
		place(".123");
		CHECK_RET(command_in_vram(GPUSVM_TEST_INSPECT), -ENXIO);
	}
}

#define NEEDS	(NEED_ROOT | NEED_VRAM)

static const struct test tests[] = {
	{ "policies", policies, NEEDS, 0 },
	{ "out-of-reach", out_of_reach, NEEDS, 0 },
	{ "without-reach", without_reach, NEEDS, 0 },
	{ "evicted", evicted, NEEDS, 0 },
	{ "evicted-behind-guard", evicted_behind_guard, NEEDS, 0 },
	{ "evicted-behind-hole", evicted_behind_hole, NEEDS, 0 },
	{ "map-fails", map_fails, NEEDS | NEED_KNOBS, 0 },
	{ "invalidated", invalidated, NEEDS, 0 },
	{ "two-devices", two_devices, NEEDS, 0 },
	{ "one-of-two-fails", one_of_two_fails, NEED_ROOT | NEED_KNOBS, 0 },
	{ "unmapped-for-both", unmapped_for_both, NEEDS, 0 },
	{ "commands-in-vram", commands_in_vram, NEEDS, 0 },
};

HARNESS_MAIN(tests)
