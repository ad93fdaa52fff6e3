// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Device memory in the ranges of another device: with gpusvm_test.ko and three
 * linked mock devices, of which it borrows the last.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "gpu.h"
#include "gpusvm_test.h"
#include "knob.h"
#include "mem.h"

#define SYSTEM	'.'
#define NONE	'-'
#define PIECE	(2 * PAGE)
#define PIECES	8
#define MIXED		GPUSVM_TEST_MIXED
#define MULTIPLE	GPUSVM_TEST_MULTIPLE
#define ONLY		GPUSVM_TEST_DEVMEM_ONLY
#define OWNER		GPUSVM_TEST_OWNER

static struct gpu gpus[3];
static uint32_t vms[3];
static int fd, failed;

static void report(int line, const char *what, long got)
{
	printf("# line %d: not so: %s (%ld)\n", line, what, got);
	failed = 1;
}

#define IS(call, wanted)						\
do {									\
	long got___ = (call);						\
									\
	if (got___ != (long)(wanted))					\
		report(__LINE__, #call " == " #wanted, got___);		\
} while (0)

static int call(unsigned long cmd, void *addr, unsigned int flags, struct gpusvm_test_args *args)
{
	memset(args, 0, sizeof(*args));
	args->addr = (uintptr_t)addr;
	args->flags = flags;
	/* Not beyond what is looked at. */
	args->window_start = (uintptr_t)addr;
	args->window_end = (uintptr_t)addr + PIECES * PIECE;
	return ioctl(fd, cmd, args) ? -errno : 0;
}

static int fault(void *addr, unsigned int flags)
{
	struct gpusvm_test_args args;

	return call(GPUSVM_TEST_FAULT, addr, flags, &args);
}

static unsigned long stat(const char *name)
{
	FILE *f = fopen("/sys/kernel/debug/drm_gpusvm_backport/stats", "r");
	unsigned long value, found = -1UL;
	char word[64];

	if (!f)
		return found;
	while (fscanf(f, "%63s %lu", word, &value) == 2)
		if (!strcmp(word, name))
			found = value;
	fclose(f);
	return found;
}

static uint64_t counter(const struct gpu *gpu, unsigned int which)
{
	uint64_t values[MOCKGPU_COUNTER_COUNT] = { 0 };

	gpu_counters(gpu, values);
	return values[which];
}

static void expect_unmapped(int line)
{
	if (stat("live_mapped"))
		report(line, "nothing is mapped", stat("live_mapped"));
	if (counter(&gpus[2], MOCKGPU_COUNTER_LIVE_DMA_PAGES))
		report(line, "nothing is in the IOMMU",
		       counter(&gpus[2], MOCKGPU_COUNTER_LIVE_DMA_PAGES));
	if (counter(&gpus[0], MOCKGPU_COUNTER_LIVE_PEER_PAGES) ||
	    counter(&gpus[1], MOCKGPU_COUNTER_LIVE_PEER_PAGES))
		report(line, "no window is open", 0);
}

static char *memory;

static void setup(const char *where)
{
	int i;

	memory = mem_map(PIECES * PIECE, 0, MEM_SMALL);
	pattern_fill(memory, PIECES * PIECE, 5);
	for (i = 0; i < PIECES; i++) {
		char *piece = memory + i * PIECE;
		int to = where[i] - '0';

		if (where[i] != SYSTEM)
			IS(gpu_populate(&gpus[to], vms[to], piece, PIECE), 0);
	}
}

static void teardown(void)
{
	struct mismatch bad;

	if (!pattern_matches(memory, PIECES * PIECE, 5, 0, &bad))
		report(__LINE__, "the data is what it was", bad.offset);
	munmap(memory, PIECES * PIECE);
	ioctl(fd, GPUSVM_TEST_COLLECT);
	expect_unmapped(__LINE__);
}

static const struct {
	const char *where;
	unsigned int flags;
	int result;
	unsigned int linked;	/* pieces, or 1 if any */
	unsigned int providers;	/* changes of provider */
} policies[] = {
	{ "........", 0, 0, 0, 0 },
	{ "........", ONLY, -EFAULT, 0, 0 },
	{ "........", MIXED | MULTIPLE, 0, 0, 0 },
	{ "00000000", 0, 0, 1, 1 },
	{ "00000000", ONLY, 0, 1, 1 },
	{ "11111111", MIXED, 0, 1, 1 },
	{ "0000....", 0, -EOPNOTSUPP, 0, 0 },
	{ "....0000", 0, -EOPNOTSUPP, 0, 0 },
	{ "....0000", MULTIPLE, -EOPNOTSUPP, 0, 0 },
	{ "....0000", MIXED, 0, 1, 1 },
	{ "0000....", MIXED, 0, 1, 1 },
	{ "0.0.0.0.", MIXED, 0, 1, 1 },
	{ "0.0.0.0.", MIXED | ONLY, -EFAULT, 0, 0 },
	{ "0000....", ONLY, -EFAULT, 0, 0 },
	{ "00001111", 0, -EOPNOTSUPP, 0, 0 },
	{ "00001111", MIXED, -EOPNOTSUPP, 0, 0 },
	{ "00001111", ONLY, -EOPNOTSUPP, 0, 0 },
	{ "00001111", MULTIPLE, 0, 1, 2 },
	{ "00001111", MULTIPLE | ONLY, 0, 1, 2 },
	{ "0.1.0.1.", MULTIPLE, -EOPNOTSUPP, 0, 0 },
	{ "0.1.0.1.", MIXED, -EOPNOTSUPP, 0, 0 },
	{ "0.1.0.1.", MULTIPLE | MIXED, 0, 1, 4 },
	{ ".1.0.1.0", MULTIPLE | MIXED | ONLY, -EFAULT, 0, 0 },
};

static void test_policy(void)
{
	struct gpusvm_test_args args;
	unsigned int i;

	for (i = 0; i < sizeof(policies) / sizeof(*policies); i++) {
		int before = failed;

		setup(policies[i].where);
		IS(fault(memory, policies[i].flags | OWNER), policies[i].result);
		if (policies[i].result) {
			expect_unmapped(__LINE__);
		} else {
			IS(call(GPUSVM_TEST_INSPECT, memory, 0, &args), 0);
			IS(args.linked > 0, policies[i].linked);
			IS(args.providers, policies[i].providers);
			IS(stat("live_mapped"), 2 * PIECES * PIECE / PAGE);
		}
		teardown();
		if (failed > before)
			printf("# in case %u: %s %x\n", i, policies[i].where, policies[i].flags);
	}
}

/* Without reach the memory comes home first. */
static void test_no_reach(void)
{
	struct gpusvm_test_args args;

	setup("0.1.0.1.");
	IS(fault(memory, 0), 0);
	IS(call(GPUSVM_TEST_INSPECT, memory, 0, &args), 0);
	IS(args.linked, 0);
	teardown();
}

static void test_evict(void)
{
	struct gpusvm_test_args args;

	setup("0.1.0.1.");
	IS(fault(memory, MIXED | MULTIPLE | OWNER), 0);
	IS(call(GPUSVM_TEST_SCAN, memory, 0, &args), 0);
	IS(args.result, 5);
	IS(call(GPUSVM_TEST_EVICT, memory, 0, &args), 0);
	IS(call(GPUSVM_TEST_INSPECT, memory, 0, &args), -ENXIO);
	IS(call(GPUSVM_TEST_SCAN, memory, 0, &args), 0);
	IS(args.result, 3);
	IS(fault(memory, ONLY | OWNER), -EFAULT);
	IS(fault(memory, OWNER), 0);
	teardown();

	setup("00001111");
	IS(fault(memory, MULTIPLE | OWNER), 0);
	IS(call(GPUSVM_TEST_SCAN, memory, 0, &args), 0);
	IS(args.result, 4);
	teardown();

	setup("11111111");
	IS(fault(memory, OWNER), 0);
	IS(call(GPUSVM_TEST_SCAN, memory, 0, &args), 0);
	IS(args.result, 2);
	/* What is mapped does not do for who wants something else. */
	IS(fault(memory, 0), 0);
	IS(call(GPUSVM_TEST_INSPECT, memory, 0, &args), 0);
	IS(args.linked, 0);
	teardown();
}

/* Every mapping in turn fails, and nothing of the others stays. */
static void test_failures(void)
{
	static const char * const knobs[] = {
		"fail_device_map", "fail_device_map", "fail_dma_map",
	};
	unsigned int which, i;
	int err;

	for (which = 0; which < 3; which++) {
		setup("0.1.0.1.");
		for (i = 1; i < 200; i++) {
			knob_set(&gpus[which], knobs[which], i);
			err = fault(memory, MIXED | MULTIPLE | OWNER);
			if (!err)
				break;
			IS(err, -ENOMEM);
			/* The other device's may be mapped: both are one call. */
			if (stat("live_mapped"))
				IS(stat("live_mapped"), PIECES * PIECE / PAGE);
		}
		printf("# %s of device %u: %u times\n", knobs[which], which, i - 1);
		if (i == 1)
			report(__LINE__, "it failed at all", 0);
		knobs_off(&gpus[which]);
		teardown();
	}
}

/* The CPU takes one page while the device has them. */
static void test_invalidated(void)
{
	struct gpusvm_test_args args;

	setup("00001111");
	IS(fault(memory, MULTIPLE | OWNER), 0);
	madvise(memory + PAGE, PAGE, MADV_DONTNEED);
	IS(call(GPUSVM_TEST_INSPECT, memory, 0, &args), -ENXIO);
	expect_unmapped(__LINE__);
	pattern_fill(memory, PIECES * PIECE, 5);
	IS(fault(memory, MIXED | MULTIPLE | OWNER), 0);
	IS(gpu_evict_device(&gpus[0], vms[0]), 0);
	IS(fault(memory, MIXED | MULTIPLE | OWNER), 0);
	teardown();
}

static const struct {
	const char *name;
	void (*run)(void);
} tests[] = {
	{ "policy", test_policy },
	{ "no-reach", test_no_reach },
	{ "evict", test_evict },
	{ "failures", test_failures },
	{ "invalidated", test_invalidated },
};

int main(void)
{
	struct gpusvm_test_args args = { 0 };
	unsigned int i, bad = 0;

	setvbuf(stdout, NULL, _IONBF, 0);
	for (i = 0; i < 3; i++) {
		if (gpu_open(&gpus[i], i) || gpu_vm_create(&gpus[i], &vms[i])) {
			printf("no device %u\n", i);
			return 1;
		}
	}
	printf("# tier %s\n", gpu_tier_name(gpus[0].tier));
	for (i = 0; i < sizeof(tests) / sizeof(*tests); i++) {
		failed = 0;
		fd = open("/dev/gpusvm_test", O_RDWR);
		args.device = gpus[2].fd;
		IS(ioctl(fd, GPUSVM_TEST_BORROW, &args), 0);
		tests[i].run();
		close(fd);
		printf("%s %s\n", failed ? "FAIL" : "PASS", tests[i].name);
		bad += failed;
	}
	return bad > 0;
}
