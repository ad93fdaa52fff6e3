/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef GPUSVM_TEST_H
#define GPUSVM_TEST_H

#include <linux/ioctl.h>
#include <linux/types.h>

/* Devices that share each address space. */
#define GPUSVM_TEST_DEVICES	2

/* The device reads (or writes) and does not want to write. */
#define GPUSVM_TEST_READ_ONLY	0x01
/* The driver's lock is not taken. */
#define GPUSVM_TEST_PARALLEL	0x02
/* The device writes. */
#define GPUSVM_TEST_WRITE	0x04
/* As the bits of struct drm_gpusvm_ctx. */
#define GPUSVM_TEST_DEVMEM_ONLY	0x08
#define GPUSVM_TEST_MIXED	0x10
#define GPUSVM_TEST_MULTIPLE	0x20
/* The memory of the borrowed device's group is within reach. */
#define GPUSVM_TEST_OWNER	0x40
/* Borrow the reach of a device only, and go on as what the driver is. */
#define GPUSVM_TEST_REACH_ONLY	0x80

/* A new range is as large as it can be, whatever is there. */
#define GPUSVM_TEST_WHOLE	0x100

/* Of the module parameter trouble: allocations that fail, and how. */
#define GPUSVM_TEST_RANGE_NULL		0x01
#define GPUSVM_TEST_RANGE_ERROR		0x02
#define GPUSVM_TEST_NOTIFIER_NULL	0x04
#define GPUSVM_TEST_NOTIFIER_ERROR	0x08
/* Ranges that were unmapped stay. */
#define GPUSVM_TEST_NO_COLLECT		0x10

/**
 * struct gpusvm_test_args - one call
 * @addr: user address
 * @size: in: bytes to access; out: size of the range
 * @buffer: user address of the other side of an access
 * @window_start: of the device's own mapping
 * @window_end: likewise; 0 for no limit
 * @start: out: start of the range
 * @dma: DMA address of the page at @addr
 * @flags: GPUSVM_TEST_*
 * @device: which of the devices
 * @fd: file descriptor of a mock device
 * @entries: out: entries of the address array in use
 * @result: out: of a scan; whether an address leads anywhere
 * @linked: out: entries of device memory
 * @providers: out: pagemaps they are of; 99 when pages->dpagemap is not right
 * @pad: 0
 */
struct gpusvm_test_args {
	__u64 addr;
	__u64 size;
	__u64 buffer;
	__u64 window_start;
	__u64 window_end;
	__u64 start;
	__u64 dma;
	__u32 flags;
	__u32 device;
	__s32 fd;
	__u32 entries;
	__u32 result;
	__u32 linked;
	__u32 providers;
	__u32 pad;
};

/* Have all devices reach the range around @addr. */
#define GPUSVM_TEST_FAULT	_IOWR('g', 0, struct gpusvm_test_args)
/* One of them reads or writes, by the addresses it was given. */
#define GPUSVM_TEST_ACCESS	_IOWR('g', 1, struct gpusvm_test_args)
#define GPUSVM_TEST_REMOVE	_IOWR('g', 2, struct gpusvm_test_args)
#define GPUSVM_TEST_SCAN	_IOWR('g', 3, struct gpusvm_test_args)
#define GPUSVM_TEST_EVICT	_IOWR('g', 4, struct gpusvm_test_args)
/* Wait until what was unmapped is gone. */
#define GPUSVM_TEST_COLLECT	_IO('g', 5)
/* Tests that are made of calls in the kernel. */
#define GPUSVM_TEST_PAGES_ONLY	_IOWR('g', 6, struct gpusvm_test_args)
#define GPUSVM_TEST_ARGUMENTS	_IO('g', 7)
/* Device @device is the mock device of @fd, before anything else. */
#define GPUSVM_TEST_BORROW	_IOWR('g', 8, struct gpusvm_test_args)
/* Fill @entries, @linked, @providers and @dma for the range at @addr. */
#define GPUSVM_TEST_INSPECT	_IOWR('g', 9, struct gpusvm_test_args)
/* Does the IOMMU let the driver's own device go to @dma? */
#define GPUSVM_TEST_REACH	_IOWR('g', 10, struct gpusvm_test_args)
/* Keep the range at @addr, with which file and space may go; and no longer. */
#define GPUSVM_TEST_KEEP	_IOWR('g', 11, struct gpusvm_test_args)
#define GPUSVM_TEST_LET_GO	_IO('g', 12)

#endif
