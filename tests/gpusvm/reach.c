// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Whether a device reaches memory at all, and no longer than it may. The suite
 * gives the driver devices for that: behind an IOMMU, with too few address bits,
 * or with bounce buffers forced upon them. No device is right for all of these.
 */
#include <errno.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common.h"

/* It would work on a copy: there is no sharing with such a device. */
static void refused(struct gpu *gpu)
{
	char *mem = mem_map(4 * MIB, 0, MEM_HUGE), *file;

	(void)gpu;
	svm_open();
	memset(mem, 1, 2 * MIB);
	CHECK_RET(svm_fault(mem, 0), -EOPNOTSUPP);
	CHECK_RET(svm_fault(mem, READS), -EOPNOTSUPP);
	CHECK_RET(svm_fault(mem + 3 * MIB, 0), -EOPNOTSUPP);
	file = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK_RET(svm_fault(file, 0), -EOPNOTSUPP);
	CHECK(!svm_has(mem));
	CHECK_NOTHING_MAPPED();
}

static uint64_t address(char *mem)
{
	struct gpusvm_test_args args = { .addr = (uintptr_t)mem, .flags = 0 };
	uint64_t value;

	args.size = sizeof(value);
	args.buffer = (uintptr_t)&value;
	CHECK_OK(svm_fault(mem, 0));
	CHECK_OK(svm_ioctl(GPUSVM_TEST_ACCESS, &args));
	return args.dma;
}

/* Does the IOMMU let it go there? */
static bool leads_somewhere(uint64_t dma)
{
	struct gpusvm_test_args args = { .dma = dma };
	int err = svm_ioctl(GPUSVM_TEST_REACH, &args);

	if (err == -ENODEV)
		test_skip("the device is not behind an IOMMU");
	CHECK_OK(err);
	return args.result;
}

static void unmap_all(char *mem)
{
	CHECK_SYS(munmap(mem, 4 * MIB));
}

static void drop_all(char *mem)
{
	CHECK_SYS(madvise(mem, 4 * MIB, MADV_DONTNEED));
}

static void protect_all(char *mem)
{
	CHECK_SYS(mprotect(mem, 4 * MIB, PROT_READ));
}

static void move_all(char *mem)
{
	CHECK(mremap(mem, 4 * MIB, 4 * MIB, MREMAP_MAYMOVE | MREMAP_FIXED,
		     mem_map(4 * MIB, 0, MEM_SMALL)) != MAP_FAILED);
}

static void remove_all(char *mem)
{
	struct gpusvm_test_args args;

	CHECK_OK(svm_call(GPUSVM_TEST_REMOVE, mem, 0, &args));
	CHECK_OK(svm_call(GPUSVM_TEST_REMOVE, mem + 3 * MIB, 0, &args));
}

/* When such a call returns, the old addresses lead nowhere. */
static void cut_off(struct gpu *gpu)
{
	static void (*const ways[])(char *mem) = {
		unmap_all, drop_all, protect_all, move_all, remove_all,
	};

	(void)gpu;
	svm_open();
	for (size_t way = 0; way < ARRAY_SIZE(ways); way++) {
		char *mem = mem_map(4 * MIB, 0, way % 2 ? MEM_HUGE : MEM_SMALL);
		uint64_t first, last;

		memset(mem, 1, 4 * MIB);
		first = address(mem);
		last = address(mem + 4 * MIB - PAGE);
		CHECK(leads_somewhere(first) && leads_somewhere(last));
		ways[way](mem);
		if (leads_somewhere(first) || leads_somewhere(last))
			FAIL("way %zu: the device still reaches it", way);
	}
}

/* Removes the range, and says when it is about to. */
struct remover {
	char *mem;
	atomic_uint round, done;
	atomic_bool stop;
};

static void *remove_when_told(void *arg)
{
	struct remover *remover = arg;
	struct gpusvm_test_args args;
	unsigned int round = 0;

	while (!atomic_load(&remover->stop)) {
		if (atomic_load(&remover->round) == round)
			continue;
		svm_call(GPUSVM_TEST_REMOVE, remover->mem, PARALLEL, &args);
		atomic_store(&remover->done, ++round);
	}
	return NULL;
}

/*
 * A range is removed at the moment its memory is unmapped: whoever comes second must not
 * take the first one's word for it that the device is cut off. The address is one that
 * the device had before, as a device's own table has it.
 */
static void cut_off_while_removed(struct gpu *gpu)
{
	struct remover remover = { };
	double end = seconds_now() + brief_seconds();
	unsigned int rounds = 0, state = 1;
	pthread_t thread;

	(void)gpu;
	svm_open();
	CHECK_EQ(pthread_create(&thread, NULL, remove_when_told, &remover), 0);
	for (; rounds < 20 || seconds_now() < end; rounds++) {
		char *mem = mem_map(4 * MIB, 0, MEM_SMALL);
		uint64_t dma = address(mem);

		CHECK(leads_somewhere(dma));
		remover.mem = mem;
		atomic_store(&remover.round, rounds + 1);
		state = state * 1103515245 + 12345;
		for (volatile unsigned int i = 0; i < state / 65536 % 8 * 1000; i++)
			continue;
		CHECK_SYS(munmap(mem, 4 * MIB));
		if (leads_somewhere(dma))
			FAIL("round %u: the device still reaches it", rounds);
		while (atomic_load(&remover.done) != rounds + 1)
			sched_yield();
	}
	atomic_store(&remover.stop, true);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	printf("# %u rounds\n", rounds);
}

/* The file goes, and a new one must not reach what the old one did. */
static void cut_off_by_close(struct gpu *gpu)
{
	char *mem = mem_map(4 * MIB, 0, MEM_SMALL);
	uint64_t dma;

	(void)gpu;
	svm_open();
	dma = address(mem);
	CHECK(leads_somewhere(dma));
	svm_close();
	svm_open();
	CHECK(!leads_somewhere(dma));
}

#define ROOM	2048

/*
 * Some of a range in VRAM that is mapped through the provider, the rest by the
 * kernel. With 32 bits of address there is room for that many: what is not given
 * back is missed.
 */
static char *partly_in_vram(struct gpu *gpu)
{
	char *mem = mem_map(HUGE_PAGE, 0, MEM_SMALL);
	struct gpusvm_test_args args = { .fd = gpu->fd, .flags = GPUSVM_TEST_REACH_ONLY };
	uint32_t vm = vm_new(gpu);

	svm_open();
	for (args.device = 0; args.device < GPUSVM_TEST_DEVICES; args.device++)
		CHECK_OK(svm_ioctl(GPUSVM_TEST_BORROW, &args));
	pattern_fill(mem, HUGE_PAGE, 4);
	CHECK_OK(gpu_populate(gpu, vm, mem + 64 * PAGE, 64 * PAGE));
	CHECK_OK(gpu_populate(gpu, vm, mem + 300 * PAGE, 3 * PAGE));
	return mem;
}

static void check_partly_linked(char *mem)
{
	struct gpusvm_test_args args;

	CHECK_OK(svm_call(GPUSVM_TEST_INSPECT, mem, 0, &args));
	CHECK(args.linked > 0 && args.linked < args.entries);
}

static void given_back(struct gpu *gpu)
{
	const unsigned int flags = GPUSVM_TEST_MIXED | GPUSVM_TEST_OWNER;
	char *mem = partly_in_vram(gpu);
	struct gpusvm_test_args args;

	leads_somewhere(0);
	/* Two devices. */
	for (unsigned int round = 0; round < ROOM / 2 + 100; round++) {
		int err = svm_fault(mem, flags);

		if (err)
			FAIL("round %u: %s", round, errno_name(err));
		check_partly_linked(mem);
		CHECK_OK(svm_call(GPUSVM_TEST_REMOVE, mem, 0, &args));
	}
	CHECK_NOTHING_MAPPED();
}

static void given_back_after_error(struct gpu *gpu)
{
	const unsigned int flags = GPUSVM_TEST_MIXED | GPUSVM_TEST_OWNER;
	char *mem = partly_in_vram(gpu);
	struct gpusvm_test_args args;

	leads_somewhere(0);
	for (unsigned int round = 0; round < ROOM + 100; round++) {
		/* For the first device or for the second, at the first entry or later. */
		CHECK_OK(knob_set(gpu, "fail_device_map", 1 + round % 4));
		CHECK_RET(svm_fault(mem, flags), -ENOMEM);
		CHECK_OK(svm_call(GPUSVM_TEST_REMOVE, mem, 0, &args));
		CHECK_NOTHING_MAPPED();
	}
	CHECK_OK(knob_set(gpu, "fail_device_map", 0));
	CHECK_OK(svm_fault(mem, flags));
	check_partly_linked(mem);
}

static const struct test tests[] = {
	{ "refused", refused, NEED_ROOT, 0 },
	{ "cut-off", cut_off, NEED_ROOT, 0 },
	{ "cut-off-while-removed", cut_off_while_removed, NEED_ROOT, 0 },
	{ "cut-off-by-close", cut_off_by_close, NEED_ROOT, 0 },
	{ "given-back", given_back, NEED_ROOT | NEED_VRAM | NEED_KNOBS, 300 },
	{ "given-back-after-error", given_back_after_error,
	  NEED_ROOT | NEED_VRAM | NEED_KNOBS, 300 },
};

HARNESS_MAIN(tests)
