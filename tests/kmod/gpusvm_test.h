/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef GPUSVM_TEST_H
#define GPUSVM_TEST_H

#include <linux/ioctl.h>
#include <linux/types.h>

/* The device reads (or writes) and does not want to write. */
#define GPUSVM_TEST_READ_ONLY	(1 << 0)
/* The driver's lock is not taken. */
#define GPUSVM_TEST_PARALLEL	(1 << 1)
/* The device writes. */
#define GPUSVM_TEST_WRITE	(1 << 2)
/* As the bits of struct drm_gpusvm_ctx. */
#define GPUSVM_TEST_DEVMEM_ONLY	(1 << 3)
#define GPUSVM_TEST_MIXED	(1 << 4)
#define GPUSVM_TEST_MULTIPLE	(1 << 5)
/* The memory of the borrowed device's group is within reach. */
#define GPUSVM_TEST_OWNER	(1 << 6)

/**
 * struct gpusvm_test_args - one call
 * @addr: user address
 * @size: in: bytes to access; out: size of the range
 * @buffer: user address of the other side of an access
 * @window_start: of the device's own mapping
 * @window_end: likewise; 0 for no limit
 * @start: out: start of the range
 * @flags: GPUSVM_TEST_*
 * @device: which of the two devices
 * @entries: out: entries of the address array in use
 * @result: out: of a scan
 * @linked: out: entries of device memory
 * @providers: out: pagemaps they are of; 99 when pages->dpagemap is not right
 */
struct gpusvm_test_args {
	__u64 addr;
	__u64 size;
	__u64 buffer;
	__u64 window_start;
	__u64 window_end;
	__u64 start;
	__u32 flags;
	__u32 device;
	__u32 entries;
	__u32 result;
	__u32 linked;
	__u32 providers;
};

#define GPUSVM_TEST_FAULT	_IOWR('g', 0, struct gpusvm_test_args)
#define GPUSVM_TEST_ACCESS	_IOWR('g', 1, struct gpusvm_test_args)
#define GPUSVM_TEST_REMOVE	_IOWR('g', 2, struct gpusvm_test_args)
#define GPUSVM_TEST_SCAN	_IOWR('g', 3, struct gpusvm_test_args)
#define GPUSVM_TEST_EVICT	_IOWR('g', 4, struct gpusvm_test_args)
#define GPUSVM_TEST_COLLECT	_IO('g', 5)
#define GPUSVM_TEST_PAGES_ONLY	_IOWR('g', 6, struct gpusvm_test_args)
#define GPUSVM_TEST_ARGUMENTS	_IO('g', 7)
/* Be the mock device whose file descriptor @device is, before anything else. */
#define GPUSVM_TEST_BORROW	_IOWR('g', 8, struct gpusvm_test_args)
/* Fill @entries, @linked and @providers for the range at @addr. */
#define GPUSVM_TEST_INSPECT	_IOWR('g', 9, struct gpusvm_test_args)

#endif
