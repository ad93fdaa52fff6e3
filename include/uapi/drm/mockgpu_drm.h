/* SPDX-License-Identifier: MIT */
/*
 * User interface of mockgpu, a DRM driver for a GPU that does not exist.
 *
 * Addresses and sizes of virtual ranges are in bytes. Unless a command says
 * otherwise they are multiples of the page size, not empty, do not wrap and
 * end at or below the top of user space (-EINVAL). Reserved fields ("pad",
 * unknown flag bits) are 0 (-EINVAL). A VM belongs to the address space that
 * created it: from any other process its commands answer -EPERM.
 */
#ifndef _UAPI_MOCKGPU_DRM_H_
#define _UAPI_MOCKGPU_DRM_H_

#include <drm/drm.h>

#if defined(__cplusplus)
extern "C" {
#endif

/* Grows with every addition to this file. */
#define MOCKGPU_UAPI_VERSION	6

#define DRM_MOCKGPU_QUERY	0x00
#define DRM_MOCKGPU_VM_CREATE	0x01
#define DRM_MOCKGPU_VM_DESTROY	0x02
#define DRM_MOCKGPU_POPULATE	0x03
#define DRM_MOCKGPU_ACCESS	0x04
#define DRM_MOCKGPU_EVICT	0x05
#define DRM_MOCKGPU_RESIDENCY	0x06
#define DRM_MOCKGPU_COUNTERS	0x07
#define DRM_MOCKGPU_QUEUE_CREATE	0x08
#define DRM_MOCKGPU_QUEUE_DESTROY	0x09
#define DRM_MOCKGPU_EXEC	0x0a
#define DRM_MOCKGPU_SET_ATTR	0x0b
#define DRM_MOCKGPU_GET_ATTR	0x0c
#define DRM_MOCKGPU_PREFETCH	0x0d
#define DRM_MOCKGPU_GEM_CREATE	0x10
#define DRM_MOCKGPU_GEM_MMAP_OFFSET	0x11
#define DRM_MOCKGPU_VM_BIND	0x12

/**
 * enum drm_mockgpu_tier - what kind of VRAM the device has
 * @MOCKGPU_TIER_SYSTEM: none
 * @MOCKGPU_TIER_COHERENT: the CPU reads and writes it in place
 * @MOCKGPU_TIER_PRIVATE: a CPU access brings the page home
 */
enum drm_mockgpu_tier {
	MOCKGPU_TIER_SYSTEM = 0,
	MOCKGPU_TIER_COHERENT = 1,
	MOCKGPU_TIER_PRIVATE = 2,
};

/**
 * enum drm_mockgpu_param - what can be asked for
 * @MOCKGPU_PARAM_UAPI_VERSION: MOCKGPU_UAPI_VERSION of the driver
 * @MOCKGPU_PARAM_TIER: an &enum drm_mockgpu_tier
 * @MOCKGPU_PARAM_VRAM_SIZE: bytes of VRAM
 * @MOCKGPU_PARAM_VRAM_USED: bytes of VRAM in use now
 * @MOCKGPU_PARAM_PAGE_SIZE: bytes per page
 * @MOCKGPU_PARAM_DEVICE_INDEX: 0 for the first device of the driver, ...
 * @MOCKGPU_PARAM_CAPS: MOCKGPU_CAP_* bits
 */
enum drm_mockgpu_param {
	MOCKGPU_PARAM_UAPI_VERSION = 0,
	MOCKGPU_PARAM_TIER = 1,
	MOCKGPU_PARAM_VRAM_SIZE = 2,
	MOCKGPU_PARAM_VRAM_USED = 3,
	MOCKGPU_PARAM_PAGE_SIZE = 4,
	MOCKGPU_PARAM_DEVICE_INDEX = 5,
	MOCKGPU_PARAM_CAPS = 6,
};

/* Pages can be put into VRAM. */
#define MOCKGPU_CAP_MIGRATION	(1ULL << 0)
/* The test knobs are on (module parameter test_knobs). */
#define MOCKGPU_CAP_TEST_KNOBS	(1ULL << 1)
/* Ranges can have MOCKGPU_ATOMIC_SYSTEM. */
#define MOCKGPU_CAP_ATOMIC_SYSTEM	(1ULL << 16)
/* The kernel can give the device a page of system memory for itself. */
#define MOCKGPU_CAP_EXCLUSIVE	(1ULL << 17)

/**
 * struct drm_mockgpu_query - one fact about the device
 * @param: an &enum drm_mockgpu_param; -EINVAL when unknown
 * @pad: 0
 * @value: out: the answer
 */
struct drm_mockgpu_query {
	__u32 param;
	__u32 pad;
	__u64 value;
};

/*
 * The VM shares the mirror's ranges with all others of the address space that have
 * this flag, also those of other devices: each still has a page table of its own.
 * At most 16 do.
 */
#define MOCKGPU_VM_SHARED	(1U << 0)

/**
 * struct drm_mockgpu_vm - a mirror of the caller's address space
 * @vm_id: out of VM_CREATE, into VM_DESTROY (-ENOENT when unknown)
 * @flags: for VM_CREATE MOCKGPU_VM_SHARED, the rest 0
 *
 * Queues of a VM that is destroyed are cancelled.
 *
 * Errors of VM_CREATE: -EBUSY the file has 4096 of them, the device has 16384, or 16
 * share their ranges, -ENOMEM, -ENODEV the device is gone, -EINTR a signal came.
 */
struct drm_mockgpu_vm {
	__u32 vm_id;
	__u32 flags;
};

/* Move what can be moved; pages that cannot are no error. */
#define MOCKGPU_POPULATE_PARTIAL	(1ULL << 0)

/**
 * struct drm_mockgpu_populate - move a range into VRAM
 * @vm_id: the VM
 * @timeslice_ms: how long accesses of user space's CPU leave private VRAM in place, in
 *	ms; more than 50 count as 50; coherent VRAM is used in place anyway
 * @addr: start of the range
 * @size: bytes
 * @flags: MOCKGPU_POPULATE_PARTIAL or 0
 * @moved: out: pages that were moved
 * @resident: out: pages that were in VRAM of this device before
 * @stayed: out: pages that are where they were
 *
 * The range may span several mappings. It is moved in pieces that start and
 * end at multiples of 2 MiB where the range allows. A piece moves as a whole or
 * stays as a whole, unless MOCKGPU_POPULATE_PARTIAL is set: then each page is
 * its own, and no more VRAM is used than there are pages that move.
 *
 * The counts are filled after an error too, up to where it came. Addresses
 * where nothing is mapped count nowhere. Another process or the CPU may have
 * moved a page on by the time the command returns.
 *
 * Errors: -EOPNOTSUPP the device has no VRAM, -ENOENT nothing is mapped at
 * some address, -EBUSY a page could not be moved (not anonymous, pinned, or
 * raced; with MOCKGPU_POPULATE_PARTIAL: not one page of the range is in VRAM
 * now), -ENOSPC VRAM is full and nothing in it can go, -ENOMEM, -ENODEV the
 * device is gone, -EINTR the caller was killed.
 *
 * When VRAM is full, what the device has not used for the longest time goes home,
 * whoever it belongs to. What the same command has moved stays: -ENOSPC is also
 * what comes of a range that does not fit as a whole.
 */
struct drm_mockgpu_populate {
	__u32 vm_id;
	__u32 timeslice_ms;
	__u64 addr;
	__u64 size;
	__u64 flags;
	__u64 moved;
	__u64 resident;
	__u64 stayed;
};

/**
 * enum drm_mockgpu_access_op - what the device does with a range
 * @MOCKGPU_ACCESS_READ: copy the range to @data
 * @MOCKGPU_ACCESS_WRITE: copy @data to the range
 * @MOCKGPU_ACCESS_FILL: store @value in every 64-bit word
 * @MOCKGPU_ACCESS_XOR: exclusive-or every 64-bit word with @value
 */
enum drm_mockgpu_access_op {
	MOCKGPU_ACCESS_READ = 0,
	MOCKGPU_ACCESS_WRITE = 1,
	MOCKGPU_ACCESS_FILL = 2,
	MOCKGPU_ACCESS_XOR = 3,
};

/**
 * struct drm_mockgpu_access - have the device work on a virtual range
 * @vm_id: the VM
 * @op: an &enum drm_mockgpu_access_op
 * @addr: start; any byte for READ and WRITE, a multiple of 8 for FILL and XOR
 * @size: bytes; a multiple of 8 for FILL and XOR
 * @data: buffer of @size bytes for READ and WRITE, else 0
 * @value: for FILL and XOR, else 0
 * @flags: 0
 * @done: out: bytes the device has worked on, also after an error
 *
 * The device reaches system pages through DMA mappings, its own VRAM directly
 * and that of a linked device over the link; a page in the memory of any other
 * device comes home, and one that is missing is faulted in, as a CPU access
 * would.
 *
 * Errors: -EFAULT no mapping, no permission, bad @data or a page of another
 * device that did not come home, -EBUSY the mapping kept changing for 2 s, -EIO
 * the device caught a bad address, -EOPNOTSUPP it would get a copy of the
 * memory (a bounce buffer) or it is coherent memory of a device whose driver
 * is not one of drm_gpusvm's, -ENOMEM, -ENODEV the device is gone, -EINTR the
 * caller was killed.
 */
struct drm_mockgpu_access {
	__u32 vm_id;
	__u32 op;
	__u64 addr;
	__u64 size;
	__u64 data;
	__u64 value;
	__u64 flags;
	__u64 done;
};

/* Evict the allocation behind the page at @addr. */
#define MOCKGPU_EVICT_ADDR	0
/* Evict all that was populated through the VM. */
#define MOCKGPU_EVICT_VM	1
/* Evict all VRAM of the device; needs CAP_SYS_ADMIN (-EPERM). */
#define MOCKGPU_EVICT_DEVICE	2

/**
 * struct drm_mockgpu_evict - bring device pages home
 * @vm_id: the VM
 * @scope: a MOCKGPU_EVICT_* value
 * @addr: for MOCKGPU_EVICT_ADDR: any address of the page, else 0
 * @evicted: out: allocations that left VRAM
 * @busy: out: allocations that somebody holds
 *
 * Errors: -ENOENT no page of this device at @addr, -EBUSY when @busy is not
 * 0 (whatever kept an allocation from leaving), -EOPNOTSUPP the device has no
 * VRAM, -ENOMEM, -EINTR the caller was killed.
 */
struct drm_mockgpu_evict {
	__u32 vm_id;
	__u32 scope;
	__u64 addr;
	__u32 evicted;
	__u32 busy;
};

/**
 * enum drm_mockgpu_residency_kind - where a page is
 * @MOCKGPU_PAGE_NONE: not populated, swapped out, or not mapped at all; for a moment
 *	also what the kernel is moving from one place to another
 * @MOCKGPU_PAGE_SYSTEM: system memory
 * @MOCKGPU_PAGE_DEVICE: VRAM of this device
 * @MOCKGPU_PAGE_OTHER: memory of another device
 */
enum drm_mockgpu_residency_kind {
	MOCKGPU_PAGE_NONE = 0,
	MOCKGPU_PAGE_SYSTEM = 1,
	MOCKGPU_PAGE_DEVICE = 2,
	MOCKGPU_PAGE_OTHER = 3,
};

/**
 * struct drm_mockgpu_residency - where the pages of a range are
 * @vm_id: the VM
 * @pad: 0
 * @addr: start of the range
 * @size: bytes
 * @data: buffer for one byte per page, an &enum drm_mockgpu_residency_kind
 *
 * A snapshot: nothing is faulted in and nothing moves.
 *
 * Errors: -EFAULT bad @data, -ENOMEM, -EBUSY, -EINTR.
 */
struct drm_mockgpu_residency {
	__u32 vm_id;
	__u32 pad;
	__u64 addr;
	__u64 size;
	__u64 data;
};

/**
 * enum drm_mockgpu_counter - index into the array of COUNTERS
 * @MOCKGPU_COUNTER_PAGES_TO_DEVICE: pages moved or cleared into VRAM
 * @MOCKGPU_COUNTER_PAGES_CLEARED: those of them that were cleared
 * @MOCKGPU_COUNTER_PAGES_TO_RAM: pages moved home
 * @MOCKGPU_COUNTER_CPU_FAULTS: CPU faults on device-private pages
 * @MOCKGPU_COUNTER_BYTES_COPIED_IN: bytes the copy engine put into VRAM
 * @MOCKGPU_COUNTER_BYTES_COPIED_OUT: bytes the copy engine took out of VRAM
 * @MOCKGPU_COUNTER_BYTES_ACCESSED: bytes ACCESS worked on
 * @MOCKGPU_COUNTER_DEVICE_ERRORS: accesses the device side caught as wrong
 * @MOCKGPU_COUNTER_LIVE_VRAM_PAGES: VRAM pages allocated now
 * @MOCKGPU_COUNTER_LIVE_ALLOCATIONS: VRAM allocations now
 * @MOCKGPU_COUNTER_LIVE_DMA_PAGES: pages mapped for DMA now
 * @MOCKGPU_COUNTER_LIVE_VMS: VMs now
 * @MOCKGPU_COUNTER_LIVE_DEVICE_PAGES: device pages in page tables now
 * @MOCKGPU_COUNTER_LIVE_ZDD: allocations device pages refer to now
 * @MOCKGPU_COUNTER_LIVE_PEER_PAGES: VRAM pages mapped for linked devices now
 * @MOCKGPU_COUNTER_LIVE_QUEUES: queues now
 * @MOCKGPU_COUNTER_LIVE_JOBS: jobs now that have not ended
 * @MOCKGPU_COUNTER_DEVICE_FAULTS: page faults of jobs that were handled
 * @MOCKGPU_COUNTER_STALE_FAULTS: those that nobody waited for any more
 * @MOCKGPU_COUNTER_EVICTIONS: allocations that left VRAM to make room for others
 * @MOCKGPU_COUNTER_LIVE_BUFFERS: GEM buffers now
 * @MOCKGPU_COUNTER_LIVE_BINDS: how often they are bound now
 * @MOCKGPU_COUNTER_COUNT: how many there are
 *
 * The page and fault counts, LIVE_DEVICE_PAGES and LIVE_ZDD come from the SVM
 * module and are sums over all its users; the others are the device's own.
 */
enum drm_mockgpu_counter {
	MOCKGPU_COUNTER_PAGES_TO_DEVICE = 0,
	MOCKGPU_COUNTER_PAGES_CLEARED = 1,
	MOCKGPU_COUNTER_PAGES_TO_RAM = 2,
	MOCKGPU_COUNTER_CPU_FAULTS = 3,
	MOCKGPU_COUNTER_BYTES_COPIED_IN = 4,
	MOCKGPU_COUNTER_BYTES_COPIED_OUT = 5,
	MOCKGPU_COUNTER_BYTES_ACCESSED = 6,
	MOCKGPU_COUNTER_DEVICE_ERRORS = 7,
	MOCKGPU_COUNTER_LIVE_VRAM_PAGES = 8,
	MOCKGPU_COUNTER_LIVE_ALLOCATIONS = 9,
	MOCKGPU_COUNTER_LIVE_DMA_PAGES = 10,
	MOCKGPU_COUNTER_LIVE_VMS = 11,
	MOCKGPU_COUNTER_LIVE_DEVICE_PAGES = 12,
	MOCKGPU_COUNTER_LIVE_ZDD = 13,
	MOCKGPU_COUNTER_LIVE_PEER_PAGES = 14,
	MOCKGPU_COUNTER_LIVE_QUEUES = 15,
	MOCKGPU_COUNTER_LIVE_JOBS = 16,
	MOCKGPU_COUNTER_DEVICE_FAULTS = 17,
	MOCKGPU_COUNTER_STALE_FAULTS = 18,
	MOCKGPU_COUNTER_EVICTIONS = 19,
	MOCKGPU_COUNTER_LIVE_BUFFERS = 20,
	MOCKGPU_COUNTER_LIVE_BINDS = 21,
	MOCKGPU_COUNTER_COUNT
};

/**
 * struct drm_mockgpu_counters - read the counters
 * @count: in: entries in @data; out: counters the driver has
 * @pad: 0
 * @data: array of __u64, filled up to the smaller of both
 *
 * Errors: -EFAULT bad @data.
 */
struct drm_mockgpu_counters {
	__u32 count;
	__u32 pad;
	__u64 data;
};

/**
 * struct drm_mockgpu_queue - an ordered queue of jobs
 * @vm_id: the VM whose addresses its commands use; 0 for QUEUE_DESTROY
 * @queue_id: out of QUEUE_CREATE, into QUEUE_DESTROY (-ENOENT when unknown)
 * @flags: 0
 * @pad: 0
 *
 * The jobs of a queue run one after the other, those of different queues at
 * the same time. A queue is cancelled when it or its VM is destroyed, when the
 * file is closed and when the device goes away: all of its jobs end within
 * moments, with -ECANCELED, and it takes no more.
 *
 * Errors of QUEUE_CREATE: -ENOENT no such VM, -EBUSY the file has 64 queues or
 * the device 256, to which those count that were destroyed while the kernel was
 * at a page fault of theirs, until it has done with that, -ENOMEM, -ENODEV the
 * device is gone.
 */
struct drm_mockgpu_queue {
	__u32 vm_id;
	__u32 queue_id;
	__u32 flags;
	__u32 pad;
};

/**
 * enum drm_mockgpu_command_op - what a command does
 * @MOCKGPU_CMD_FILL: store @value in every 64-bit word of the range
 * @MOCKGPU_CMD_COPY: copy the range at @other to the range at @addr; they must
 *	not overlap
 * @MOCKGPU_CMD_COMPARE: the job ends with -EBADMSG, at the first byte that
 *	differs, unless the ranges at @addr and @other have the same bytes
 * @MOCKGPU_CMD_CHECKSUM: store in the word at @other the sum of all words of
 *	the range, the first one times 1, the second one times 2, ...
 * @MOCKGPU_CMD_ADD: add @value to the word at @addr
 * @MOCKGPU_CMD_EXCHANGE: store @value in the word at @addr
 * @MOCKGPU_CMD_COMPARE_EXCHANGE: store @value in the word at @addr if it is
 *	@compare
 * @MOCKGPU_CMD_ADD_STRIDED: @count times add @value to a word of the range, the
 *	n-th time (n from 0) to the one at byte n * @step modulo @size
 * @MOCKGPU_CMD_ADD_RANDOM: @count times add @value to a word of the range, the
 *	n-th time (n from 0) to the one with the number r modulo their number,
 *	where r is the n-th output of the generator splitmix64 seeded with @step
 * @MOCKGPU_CMD_WAIT_EQUAL: wait until the word at @addr is @value
 * @MOCKGPU_CMD_WAIT_AT_LEAST: wait until the word at @addr is @value or more,
 *	without a sign
 *
 * ADD, EXCHANGE and COMPARE_EXCHANGE store in the word at @other what was at
 * @addr before, unless @other is 0. All additions, exchanges and waits are atomic
 * towards each other, other devices and the CPU, wherever the memory is.
 */
enum drm_mockgpu_command_op {
	MOCKGPU_CMD_FILL = 0,
	MOCKGPU_CMD_COPY = 1,
	MOCKGPU_CMD_COMPARE = 2,
	MOCKGPU_CMD_CHECKSUM = 3,
	MOCKGPU_CMD_ADD = 4,
	MOCKGPU_CMD_EXCHANGE = 5,
	MOCKGPU_CMD_COMPARE_EXCHANGE = 6,
	MOCKGPU_CMD_ADD_STRIDED = 7,
	MOCKGPU_CMD_ADD_RANDOM = 8,
	MOCKGPU_CMD_WAIT_EQUAL = 9,
	MOCKGPU_CMD_WAIT_AT_LEAST = 10,
};

/**
 * struct drm_mockgpu_command - a step of a job
 * @op: an &enum drm_mockgpu_command_op
 * @timeout_ms: for waits: how long at most, not 0; then the job ends with
 *	-ETIMEDOUT
 * @addr: of the range, or of the word
 * @other: of the other range, or of another word
 * @size: bytes of the range
 * @value: see the operations
 * @compare: for COMPARE_EXCHANGE
 * @count: for ADD_STRIDED and ADD_RANDOM, at most 2^24
 * @step: for ADD_STRIDED, a multiple of 8; for ADD_RANDOM, the seed
 *
 * What an operation does not use is 0. Ranges of COPY and COMPARE start and end
 * at any byte; other ranges and words are at multiples of 8.
 */
struct drm_mockgpu_command {
	__u32 op;
	__u32 timeout_ms;
	__u64 addr;
	__u64 other;
	__u64 size;
	__u64 value;
	__u64 compare;
	__u64 count;
	__u64 step;
};

/**
 * struct drm_mockgpu_sync - a DRM sync object
 * @handle: of the same file
 * @pad: 0
 * @point: of a timeline, or 0 for a binary one
 */
struct drm_mockgpu_sync {
	__u32 handle;
	__u32 pad;
	__u64 point;
};

/**
 * struct drm_mockgpu_result - what came of a job
 * @done: 1
 * @error: 0 or a negative errno, which is also that of the job's fence
 * @command: number of the command that failed, or of commands in all
 * @pad: 0
 * @addr: where it failed, or 0
 *
 * Errors: -EFAULT no mapping or no permission at @addr, -EACCES no atomic operation
 * is wanted there, -EBADMSG a COMPARE found a difference, -ETIMEDOUT a wait was in
 * vain, -ETIME the time of the job was over, -ECANCELED the queue was cancelled,
 * -EIO the device caught a bad address, -EOPNOTSUPP it would get a copy of the
 * memory (a bounce buffer), the memory is another driver's as with ACCESS or of a
 * kind that allows no atomic operation, -ENOSPC an atomic operation is wanted in
 * VRAM, which is full, -ENOMEM, -ENODEV the device is gone.
 */
struct drm_mockgpu_result {
	__u32 done;
	__s32 error;
	__u32 command;
	__u32 pad;
	__u64 addr;
};

/* How many commands a job has at most, and sync objects of either kind. */
#define MOCKGPU_EXEC_MAX_COMMANDS	256
#define MOCKGPU_EXEC_MAX_SYNCS		64
/* How long it may take at most, in ms, which is also what 0 stands for. */
#define MOCKGPU_EXEC_MAX_MS		10000

/**
 * struct drm_mockgpu_exec - put a job into a queue
 * @queue_id: the queue
 * @flags: 0
 * @timeout_ms: how long it may run, or 0; what it waits for before it runs does
 *	not count
 * @command_count: how many commands, not 0
 * @commands: array of struct drm_mockgpu_command
 * @in_syncs: array of struct drm_mockgpu_sync that must have been signalled
 *	before it runs, with or without an error
 * @out_syncs: array of struct drm_mockgpu_sync that are signalled after it, with
 *	its error if it has one
 * @in_count: how many
 * @out_count: how many
 * @result: address of a struct drm_mockgpu_result, a multiple of 8, or 0. The
 *	device stores the result there, @done last, before it signals. It does
 *	not if the job was cancelled, nothing is mapped there, no memory is to be
 *	had for that or a page fault there takes more than some seconds; the
 *	fence has the job's error all the same.
 *
 * The device reaches memory as with ACCESS; what is missing is faulted in while
 * the job runs. The commands run one after the other and each sees what those
 * before it did; the first one that fails ends the job. When the command returns
 * the job is queued and nothing that it was given is needed any more. It ends in
 * bounded time, whatever happens.
 *
 * Errors, after none of which a job is queued: -ENOENT no such queue or sync
 * object, -EINVAL also for an in-sync that nothing will signal yet, -EFAULT a bad
 * array, -EBUSY 256 jobs are queued already, -ECANCELED the queue was cancelled,
 * -ENOMEM, -ENODEV the device is gone.
 */
struct drm_mockgpu_exec {
	__u32 queue_id;
	__u32 flags;
	__u32 timeout_ms;
	__u32 command_count;
	__u64 commands;
	__u64 in_syncs;
	__u64 out_syncs;
	__u32 in_count;
	__u32 out_count;
	__u64 result;
};

/**
 * enum drm_mockgpu_attr - what can be wanted of a range of addresses
 * @MOCKGPU_ATTR_PREFERRED: where a fault of the device moves memory, an &enum
 *	drm_mockgpu_prefer; what cannot be moved is used where it is
 * @MOCKGPU_ATTR_GRANULARITY: how many bytes a fault moves to the device at once,
 *	a power of two from the page size to 2 MiB; 0 stands for 2 MiB
 * @MOCKGPU_ATTR_TIMESLICE_MS: the same as in struct drm_mockgpu_populate, for memory
 *	that was moved so
 * @MOCKGPU_ATTR_READ_ONLY: 1 when the device may not write
 * @MOCKGPU_ATTR_ATOMIC: where the device may do atomic additions and exchanges, an
 *	&enum drm_mockgpu_atomic
 * @MOCKGPU_ATTR_COUNT: how many there are
 */
enum drm_mockgpu_attr {
	MOCKGPU_ATTR_PREFERRED = 0,
	MOCKGPU_ATTR_GRANULARITY = 1,
	MOCKGPU_ATTR_TIMESLICE_MS = 2,
	MOCKGPU_ATTR_READ_ONLY = 3,
	MOCKGPU_ATTR_ATOMIC = 4,
	MOCKGPU_ATTR_COUNT
};

/**
 * enum drm_mockgpu_atomic - where the device may do atomic operations
 * @MOCKGPU_ATOMIC_ANY: wherever the memory is, with the CPU's help
 * @MOCKGPU_ATOMIC_NONE: nowhere; the job ends with -EACCES
 * @MOCKGPU_ATOMIC_DEVICE: in VRAM of this device: memory is moved there before.
 *	The job ends with -ETIME if it cannot be moved as long as the job may run,
 *	with -ENOSPC if VRAM is full, and with -EOPNOTSUPP if the device has none.
 * @MOCKGPU_ATOMIC_SYSTEM: where neither the CPU nor another device can come in
 *	between: in VRAM if that is preferred or the CPU can use it in place,
 *	otherwise in system memory, in a page that the device takes for itself
 *	until somebody wants it back. The job ends with -EOPNOTSUPP where memory
 *	is of a kind that cannot be taken, which is all but anonymous memory. What a
 *	private mapping of a file holds is that if the file is in memory or on a
 *	device of this machine, and not served by a process or over a network.
 */
enum drm_mockgpu_atomic {
	MOCKGPU_ATOMIC_ANY = 0,
	MOCKGPU_ATOMIC_NONE = 1,
	MOCKGPU_ATOMIC_DEVICE = 2,
	MOCKGPU_ATOMIC_SYSTEM = 3,
};

/**
 * enum drm_mockgpu_prefer - where memory is to be
 * @MOCKGPU_PREFER_NONE: where it is
 * @MOCKGPU_PREFER_SYSTEM: in system memory
 * @MOCKGPU_PREFER_DEVICE: in VRAM of this device
 */
enum drm_mockgpu_prefer {
	MOCKGPU_PREFER_NONE = 0,
	MOCKGPU_PREFER_SYSTEM = 1,
	MOCKGPU_PREFER_DEVICE = 2,
};

/**
 * struct drm_mockgpu_attr_range - an attribute of a range of a VM
 * @vm_id: the VM
 * @attr: an &enum drm_mockgpu_attr
 * @addr: start of the range; for GET_ATTR, in: any address, out: the start of
 *	the range around it in which all attributes are the same
 * @size: bytes; for GET_ATTR, in: 0, out: of that range
 * @value: of the attribute; for GET_ATTR, in: 0
 *
 * All attributes are 0 until they are set. They belong to the addresses: those of
 * what is unmapped are those of what is mapped there later, and those of VMs that
 * share their ranges are the same, also where a device has no VRAM: it uses memory
 * where it is, and its atomic operations end with -EOPNOTSUPP where they are wanted in
 * VRAM. They apply to what the
 * device faults in after SET_ATTR, also to what it had before.
 *
 * Errors: -EOPNOTSUPP the device has no VRAM to prefer or for atomic operations, or
 * neither coherent VRAM nor MOCKGPU_CAP_EXCLUSIVE for MOCKGPU_ATOMIC_SYSTEM, -EBUSY the
 * VM, or all that share its ranges together, would have more than 65536 ranges, of all
 * attributes, with a value that is not 0, -ENOMEM, -EINTR the caller was killed. After
 * an error all attributes are as before.
 */
struct drm_mockgpu_attr_range {
	__u32 vm_id;
	__u32 attr;
	__u64 addr;
	__u64 size;
	__u64 value;
};

/**
 * struct drm_mockgpu_prefetch - have a range ready before the device needs it
 * @vm_id: the VM
 * @location: an &enum drm_mockgpu_prefer; 0 stands for what the attributes say
 * @addr: start of the range
 * @size: bytes
 *
 * The range is moved, for as long as the attributes say, and mapped for the device
 * to read. What can be done is done, also after an error, but where memory does not
 * come for seconds, as of a file whose server is silent, nothing behind it.
 *
 * Errors: -EOPNOTSUPP the device has no VRAM, -ENOENT nothing is mapped at some
 * address, -EBUSY not one page of a piece could be moved, or some did not come, -EFAULT
 * some may not be read, -ENOSPC VRAM is full and nothing in it can go, as with POPULATE,
 * -ENOMEM, -ENODEV the device is gone, -EINTR the caller was killed.
 */
struct drm_mockgpu_prefetch {
	__u32 vm_id;
	__u32 location;
	__u64 addr;
	__u64 size;
};

/* The buffer is in VRAM whenever the device uses it and there is room. */
#define MOCKGPU_GEM_VRAM	(1ULL << 0)

/**
 * struct drm_mockgpu_gem_create - make a GEM buffer, all zeroes
 * @size: bytes, a multiple of the page size, not 0
 * @flags: MOCKGPU_GEM_VRAM or 0
 * @handle: out: its handle; in: 0
 * @pad: 0
 *
 * VRAM is taken when the device first uses the buffer. When others need it, or the
 * CPU or another device uses the buffer, it comes home as a whole. It goes back with
 * the first use by the device after it was bound again, after the last other device
 * has let it go or after others took its VRAM, but not within a tenth of a second
 * after a use by the CPU. What was exported stays at home for as long as somebody is
 * attached. At home its memory is charged to the process that made it, whoever
 * brings it there. Nobody is killed for want of it: what needs it fails, which for an
 * access of the CPU is SIGBUS, and can be tried again later. When others need the VRAM
 * or the device goes away it comes home without room in its maker's group, too, and
 * is then charged to nobody.
 *
 * Errors: -EOPNOTSUPP the device has no VRAM, -ENOSPC it has less than that,
 * -ENOMEM also when all buffers of all devices together would be more than half of
 * the memory, -ENODEV the device is gone.
 */
struct drm_mockgpu_gem_create {
	__u64 size;
	__u64 flags;
	__u32 handle;
	__u32 pad;
};

/**
 * struct drm_mockgpu_gem_mmap_offset - where in the file to map a buffer
 * @handle: the buffer
 * @pad: 0
 * @offset: out: for mmap(), which has to be shared (-EINVAL); in: 0
 *
 * A mapping stays good when the device goes away.
 *
 * Errors: -ENOENT no such buffer, -EOPNOTSUPP it comes from elsewhere: map it
 * there.
 */
struct drm_mockgpu_gem_mmap_offset {
	__u32 handle;
	__u32 pad;
	__u64 offset;
};

/**
 * enum drm_mockgpu_bind_op - what VM_BIND does
 * @MOCKGPU_BIND: the device finds the buffer at the addresses
 * @MOCKGPU_UNBIND: no longer
 */
enum drm_mockgpu_bind_op {
	MOCKGPU_BIND = 0,
	MOCKGPU_UNBIND = 1,
};

/**
 * struct drm_mockgpu_vm_bind - bind a part of a buffer at addresses of a VM
 * @vm_id: the VM
 * @op: an &enum drm_mockgpu_bind_op
 * @handle: the buffer; for UNBIND 0
 * @pad: 0
 * @offset: where the part begins, a multiple of the page size; for UNBIND 0
 * @addr: where to bind it
 * @size: bytes
 *
 * At the addresses the device finds the buffer, in all of its commands, and not
 * what the process has mapped there; attributes do not apply. The binding keeps the
 * buffer when its handle is closed, and goes with the VM. UNBIND takes the
 * addresses of one BIND, no more and no less.
 *
 * Errors: -ENOENT no such buffer or binding, -EEXIST something is bound at some of
 * the addresses, -EINVAL also for a part that is not in the buffer, -EBUSY the VM
 * has 4096 bindings, or the buffer 65536 in all VMs, -EOPNOTSUPP it is a VM with
 * MOCKGPU_VM_SHARED, -ENOMEM, -EINTR the caller was killed.
 */
struct drm_mockgpu_vm_bind {
	__u32 vm_id;
	__u32 op;
	__u32 handle;
	__u32 pad;
	__u64 offset;
	__u64 addr;
	__u64 size;
};

#define DRM_IOCTL_MOCKGPU_QUERY \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_MOCKGPU_QUERY, struct drm_mockgpu_query)
#define DRM_IOCTL_MOCKGPU_VM_CREATE \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_MOCKGPU_VM_CREATE, struct drm_mockgpu_vm)
#define DRM_IOCTL_MOCKGPU_VM_DESTROY \
	DRM_IOW(DRM_COMMAND_BASE + DRM_MOCKGPU_VM_DESTROY, struct drm_mockgpu_vm)
#define DRM_IOCTL_MOCKGPU_POPULATE \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_MOCKGPU_POPULATE, struct drm_mockgpu_populate)
#define DRM_IOCTL_MOCKGPU_ACCESS \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_MOCKGPU_ACCESS, struct drm_mockgpu_access)
#define DRM_IOCTL_MOCKGPU_EVICT \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_MOCKGPU_EVICT, struct drm_mockgpu_evict)
#define DRM_IOCTL_MOCKGPU_RESIDENCY \
	DRM_IOW(DRM_COMMAND_BASE + DRM_MOCKGPU_RESIDENCY, struct drm_mockgpu_residency)
#define DRM_IOCTL_MOCKGPU_COUNTERS \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_MOCKGPU_COUNTERS, struct drm_mockgpu_counters)
#define DRM_IOCTL_MOCKGPU_QUEUE_CREATE \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_MOCKGPU_QUEUE_CREATE, struct drm_mockgpu_queue)
#define DRM_IOCTL_MOCKGPU_QUEUE_DESTROY \
	DRM_IOW(DRM_COMMAND_BASE + DRM_MOCKGPU_QUEUE_DESTROY, struct drm_mockgpu_queue)
#define DRM_IOCTL_MOCKGPU_EXEC \
	DRM_IOW(DRM_COMMAND_BASE + DRM_MOCKGPU_EXEC, struct drm_mockgpu_exec)
#define DRM_IOCTL_MOCKGPU_SET_ATTR \
	DRM_IOW(DRM_COMMAND_BASE + DRM_MOCKGPU_SET_ATTR, struct drm_mockgpu_attr_range)
#define DRM_IOCTL_MOCKGPU_GET_ATTR \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_MOCKGPU_GET_ATTR, struct drm_mockgpu_attr_range)
#define DRM_IOCTL_MOCKGPU_PREFETCH \
	DRM_IOW(DRM_COMMAND_BASE + DRM_MOCKGPU_PREFETCH, struct drm_mockgpu_prefetch)
#define DRM_IOCTL_MOCKGPU_GEM_CREATE \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_MOCKGPU_GEM_CREATE, struct drm_mockgpu_gem_create)
#define DRM_IOCTL_MOCKGPU_GEM_MMAP_OFFSET \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_MOCKGPU_GEM_MMAP_OFFSET, struct drm_mockgpu_gem_mmap_offset)
#define DRM_IOCTL_MOCKGPU_VM_BIND \
	DRM_IOW(DRM_COMMAND_BASE + DRM_MOCKGPU_VM_BIND, struct drm_mockgpu_vm_bind)

#if defined(__cplusplus)
}
#endif

#endif
