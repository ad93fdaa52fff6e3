/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The device: everything a driver of it may know.
 *
 * A mock GPU has an IOMMU of its own, VRAM, links to other mock GPUs, a copy
 * engine, a command engine and an access unit. They know addresses, bytes and nothing of the
 * driver's structures, and they trust nobody: whatever the driver gets wrong is
 * caught, counted and printed.
 */
#ifndef MOCKGPU_HW_H
#define MOCKGPU_HW_H

#include <linux/atomic.h>
#include <linux/bits.h>
#include <linux/dma-direction.h>
#include <linux/list.h>
#include <linux/types.h>

struct device;
struct mockgpu_hw;
struct xarray;

/* How many devices can have links. */
#define MOCKGPU_HW_PORTS	16

/**
 * struct mockgpu_hw_knobs - ways to make the device misbehave
 * @fail_dma_map: the n-th DMA mapping from now on is refused; 0 is off
 * @fail_copy: the n-th page from now on cannot be copied or cleared; 0 is off
 * @copies_held: commands of the copy engine that wait because of @hold_copy
 * @copy_delay_us: how long each command of the copy engine takes at least
 * @poison: overwrite VRAM when it is freed
 * @vram_loses_power: overwrite all of it when it has none, in any sleep
 * @skip_dma_unmap: mistake of the driver: its unmap calls get lost
 * @hold_copy: commands of the copy engine wait, at most 600 s; set by
 *	mockgpu_hw_hold_copy()
 */
struct mockgpu_hw_knobs {
	atomic_t fail_dma_map;
	atomic_t fail_copy;
	atomic_t copies_held;
	u32 copy_delay_us;
	bool poison;
	bool vram_loses_power;
	bool skip_dma_unmap;
	bool hold_copy;
};

/**
 * struct mockgpu_hw_stats - what the device has done
 * @bytes_copied_in: by the copy engine, into VRAM
 * @bytes_copied_out: by the copy engine, out of VRAM
 * @bytes_accessed: by the access unit
 * @errors: mistakes of the driver that were caught
 * @live_dma_pages: pages mapped for DMA now
 * @live_peer_pages: VRAM pages mapped for linked devices now
 */
struct mockgpu_hw_stats {
	u64 bytes_copied_in;
	u64 bytes_copied_out;
	u64 bytes_accessed;
	u64 errors;
	u64 live_dma_pages;
	u64 live_peer_pages;
};

/**
 * enum mockgpu_hw_error_kind - what the device catches its driver at
 * @MOCKGPU_HW_STALE_TRANSLATION: use of a translation that was still in the TLB
 *	when what it leads to was gone
 * @MOCKGPU_HW_WRONG_GENERATION: use of a translation in the page table that was
 *	made for what was there before
 * @MOCKGPU_HW_DMA_UNMAPPED: use of a DMA address that is not mapped
 * @MOCKGPU_HW_DMA_DIRECTION: use of one against its direction, such as a write to
 *	what was mapped to be read
 * @MOCKGPU_HW_DMA_TAKEN_AWAY: unmap of one while it was in use
 * @MOCKGPU_HW_DMA_NO_MEMORY: map of what the device cannot reach
 * @MOCKGPU_HW_DMA_BAD_UNMAP: unmap of what was not mapped just so
 * @MOCKGPU_HW_DMA_LEFT_MAPPED: no unmap: the page was freed, or the device unplugged
 * @MOCKGPU_HW_VRAM_OUTSIDE: there is no such VRAM
 * @MOCKGPU_HW_VRAM_NOT_ALLOCATED: use of VRAM that is nobody's
 * @MOCKGPU_HW_VRAM_NOT_CLEARED: read of what the last owner left behind
 * @MOCKGPU_HW_VRAM_FREED_MAPPED: free of VRAM that a page table leads to
 * @MOCKGPU_HW_LINK_UNMAPPED: use of a link address that is not mapped for that
 * @MOCKGPU_HW_LINK_TAKEN_AWAY: unmap of one while it was in use
 * @MOCKGPU_HW_LINK_BAD_UNMAP: unmap of what was not mapped just so
 * @MOCKGPU_HW_SPACE_LEFT_MAPPED: end of an address space with translations in it
 * @MOCKGPU_HW_ERROR_KINDS: how many there are
 */
enum mockgpu_hw_error_kind {
	MOCKGPU_HW_STALE_TRANSLATION,
	MOCKGPU_HW_WRONG_GENERATION,
	MOCKGPU_HW_DMA_UNMAPPED,
	MOCKGPU_HW_DMA_DIRECTION,
	MOCKGPU_HW_DMA_TAKEN_AWAY,
	MOCKGPU_HW_DMA_NO_MEMORY,
	MOCKGPU_HW_DMA_BAD_UNMAP,
	MOCKGPU_HW_DMA_LEFT_MAPPED,
	MOCKGPU_HW_VRAM_OUTSIDE,
	MOCKGPU_HW_VRAM_NOT_ALLOCATED,
	MOCKGPU_HW_VRAM_NOT_CLEARED,
	MOCKGPU_HW_VRAM_FREED_MAPPED,
	MOCKGPU_HW_LINK_UNMAPPED,
	MOCKGPU_HW_LINK_TAKEN_AWAY,
	MOCKGPU_HW_LINK_BAD_UNMAP,
	MOCKGPU_HW_SPACE_LEFT_MAPPED,
	MOCKGPU_HW_ERROR_KINDS
};

/* How many of the last mistakes are kept in detail. */
#define MOCKGPU_HW_ERROR_RECORDS	32U

/**
 * struct mockgpu_hw_error_record - a mistake in detail
 * @time_ns: when it was, since boot
 * @space: number of the address space, 0 for none
 * @addr: user address, if there is an address space
 * @kind: what it was
 * @pid: who ran into it
 * @text: what was printed
 */
struct mockgpu_hw_error_record {
	u64 time_ns;
	u64 space;
	u64 addr;
	enum mockgpu_hw_error_kind kind;
	pid_t pid;
	char text[96];
};

/**
 * enum mockgpu_hw_bus - the ways to memory
 * @MOCKGPU_HW_BUS_VRAM: to the device's own
 * @MOCKGPU_HW_BUS_DMA: to system memory, through the IOMMU
 * @MOCKGPU_HW_BUS_LINK: to VRAM of a linked device
 */
enum mockgpu_hw_bus {
	MOCKGPU_HW_BUS_VRAM,
	MOCKGPU_HW_BUS_DMA,
	MOCKGPU_HW_BUS_LINK,
};

/**
 * struct mockgpu_hw_addr - an address on one of them
 * @bus: which way it leads
 * @addr: bytes into VRAM, or from the DMA API or mockgpu_hw_link_map()
 */
struct mockgpu_hw_addr {
	enum mockgpu_hw_bus bus;
	dma_addr_t addr;
};

/* How to map: it may be written; atomic operations fault nevertheless. */
#define MOCKGPU_HW_MAP_WRITE		BIT(0)
#define MOCKGPU_HW_MAP_NO_ATOMICS	BIT(1)

/**
 * struct mockgpu_hw_window - VRAM that a linked device may use
 * @offset: first byte
 * @size: bytes
 * @dir: DMA_TO_DEVICE to be read, DMA_FROM_DEVICE to be written, or both
 */
struct mockgpu_hw_window {
	u64 offset;
	u64 size;
	enum dma_data_direction dir;
};

/* How many translations of an address space are kept at hand. */
#define MOCKGPU_HW_TLB_SIZE	64

/**
 * struct mockgpu_hw_tlb_line - a translation that is kept at hand
 * @page: user address
 * @to: where it leads
 * @generation: which generation of what is there it was made for
 * @write: may it be written
 * @is_stale: the page table says something else now
 */
struct mockgpu_hw_tlb_line {
	u64 page;
	struct mockgpu_hw_addr to;
	u8 generation;
	bool write;
	bool is_stale;
};

/**
 * enum mockgpu_hw_op - what the access unit does with memory
 * @MOCKGPU_HW_READ: memory to buffer
 * @MOCKGPU_HW_WRITE: buffer to memory
 * @MOCKGPU_HW_FILL: value to every 64-bit word
 * @MOCKGPU_HW_XOR: value into every 64-bit word
 * @MOCKGPU_HW_LOAD: a 64-bit word to *@old
 * @MOCKGPU_HW_STORE: value to a word, after all that was written before
 * @MOCKGPU_HW_ADD: value added to a word, which goes to *@old
 * @MOCKGPU_HW_EXCHANGE: value to a word, which goes to *@old
 * @MOCKGPU_HW_COMPARE_EXCHANGE: likewise, if it was @compare
 */
enum mockgpu_hw_op {
	MOCKGPU_HW_READ,
	MOCKGPU_HW_WRITE,
	MOCKGPU_HW_FILL,
	MOCKGPU_HW_XOR,
	MOCKGPU_HW_LOAD,
	MOCKGPU_HW_STORE,
	MOCKGPU_HW_ADD,
	MOCKGPU_HW_EXCHANGE,
	MOCKGPU_HW_COMPARE_EXCHANGE,
};

/**
 * struct mockgpu_hw_work - one job of the access unit
 * @op: what to do
 * @value: for all but READ, WRITE and LOAD
 * @compare: for COMPARE_EXCHANGE
 * @data: buffer for READ and WRITE
 * @old: what was there before, for operations on a word but STORE
 */
struct mockgpu_hw_work {
	enum mockgpu_hw_op op;
	u64 value;
	u64 compare;
	void *data;
	u64 *old;
};

/**
 * enum mockgpu_hw_command_op - what a command of the engine does
 *
 * The same as &enum drm_mockgpu_command_op, which says it.
 */
enum mockgpu_hw_command_op {
	MOCKGPU_HW_CMD_FILL,
	MOCKGPU_HW_CMD_COPY,
	MOCKGPU_HW_CMD_COMPARE,
	MOCKGPU_HW_CMD_CHECKSUM,
	MOCKGPU_HW_CMD_ADD,
	MOCKGPU_HW_CMD_EXCHANGE,
	MOCKGPU_HW_CMD_COMPARE_EXCHANGE,
	MOCKGPU_HW_CMD_ADD_STRIDED,
	MOCKGPU_HW_CMD_ADD_RANDOM,
	MOCKGPU_HW_CMD_WAIT_EQUAL,
	MOCKGPU_HW_CMD_WAIT_AT_LEAST,
};

/**
 * struct mockgpu_hw_command - a command of the engine
 * @op: what it does
 * @timeout_ms: for waits: how long at most
 * @addr: user address of the range or word
 * @other: user address of another one, or 0
 * @size: bytes of the range
 * @value: what to store, add or wait for
 * @compare: for COMPARE_EXCHANGE
 * @count: how often
 * @step: bytes from one to the next, or a seed
 */
struct mockgpu_hw_command {
	enum mockgpu_hw_command_op op;
	u32 timeout_ms;
	u64 addr;
	u64 other;
	u64 size;
	u64 value;
	u64 compare;
	u64 count;
	u64 step;
};

/**
 * enum mockgpu_hw_fault_state - who a page fault waits for
 * @MOCKGPU_HW_FAULT_NONE: nobody, there is none
 * @MOCKGPU_HW_FAULT_RAISED: the driver, which has to answer
 * @MOCKGPU_HW_FAULT_ANSWERED: the engine, which has to take the answer
 * @MOCKGPU_HW_FAULT_STALE: the driver, although the engine has given up: it has to
 *	let go of it
 */
enum mockgpu_hw_fault_state {
	MOCKGPU_HW_FAULT_NONE,
	MOCKGPU_HW_FAULT_RAISED,
	MOCKGPU_HW_FAULT_ANSWERED,
	MOCKGPU_HW_FAULT_STALE,
};

/**
 * struct mockgpu_hw_fault - a page fault, which may outlive its job
 * @state: an &enum mockgpu_hw_fault_state
 * @addr: user address
 * @write: to be written
 * @atomic: for an operation that reads and writes at once
 * @answer: 0 to try again, or a negative errno that ends the job
 */
struct mockgpu_hw_fault {
	atomic_t state;
	u64 addr;
	bool write;
	bool atomic;
	int answer;
};

/**
 * struct mockgpu_hw_job - commands to run one after the other
 * @link: for the engine
 * @mmu: the address space, which has to stay
 * @commands: the commands
 * @count: how many
 * @timeout_ms: how long it may run
 * @result: user address of a struct drm_mockgpu_result, or 0
 * @fault: room for its page faults, not used by jobs of other rings
 * @error: out: 0 or a negative errno
 * @failed: out: number of the command that failed, or @count
 * @failed_at: out: user address where it failed, or 0
 * @busy_ns: out: how long it ran
 */
struct mockgpu_hw_job {
	struct list_head link;
	struct mockgpu_hw_mmu *mmu;
	const struct mockgpu_hw_command *commands;
	u32 count;
	u32 timeout_ms;
	u64 result;
	struct mockgpu_hw_fault *fault;
	int error;
	u32 failed;
	u64 failed_at;
	u64 busy_ns;
};

/**
 * struct mockgpu_hw_ring_ops - how the engine calls the driver, as by interrupts
 * @fault: @job cannot go on before mockgpu_hw_fault_answer() was called for its
 *	fault. May not wait for memory or for anything that a job signals.
 * @done: @job has ended and is the driver's again
 */
struct mockgpu_hw_ring_ops {
	void (*fault)(struct mockgpu_hw_job *job);
	void (*done)(struct mockgpu_hw_job *job);
};

bool mockgpu_hw_supported(void);
struct mockgpu_hw *mockgpu_hw_create(struct device *dev, struct device *dma);
void mockgpu_hw_destroy(struct mockgpu_hw *hw);
int mockgpu_hw_plug(struct mockgpu_hw *hw);
void mockgpu_hw_unplug(struct mockgpu_hw *hw);
void mockgpu_hw_halt(struct mockgpu_hw *hw);
void mockgpu_hw_sleep(struct mockgpu_hw *hw);
void mockgpu_hw_power_off(struct mockgpu_hw *hw);
void mockgpu_hw_wake(struct mockgpu_hw *hw);
bool mockgpu_hw_is_asleep(const struct mockgpu_hw *hw);
bool mockgpu_hw_is_halted(const struct mockgpu_hw *hw);
struct device *mockgpu_hw_dma_device(struct mockgpu_hw *hw);
struct mockgpu_hw_knobs *mockgpu_hw_knobs(struct mockgpu_hw *hw);
void mockgpu_hw_read_stats(struct mockgpu_hw *hw,
			   struct mockgpu_hw_stats *stats);

const char *mockgpu_hw_error_name(enum mockgpu_hw_error_kind kind);
u64 mockgpu_hw_error_count(struct mockgpu_hw *hw,
			   enum mockgpu_hw_error_kind kind);
u64 mockgpu_hw_errors_ever(void);
void mockgpu_hw_errors_forget(struct mockgpu_hw *hw);
unsigned int mockgpu_hw_errors_read(struct mockgpu_hw *hw,
				    struct mockgpu_hw_error_record *records);
void mockgpu_hw_errors_clear(struct mockgpu_hw *hw);

int mockgpu_hw_vram_set_aside(struct mockgpu_hw *hw, unsigned long npages);
int mockgpu_hw_vram_use(struct mockgpu_hw *hw, void *base,
			unsigned long npages);
int mockgpu_hw_vram_map(struct mockgpu_hw *hw, phys_addr_t start,
			unsigned long npages);
void mockgpu_hw_vram_drop(struct mockgpu_hw *hw);
bool mockgpu_hw_vram_test_touched(struct mockgpu_hw *hw, unsigned long first,
				  unsigned long npages);
void mockgpu_hw_vram_taken(struct mockgpu_hw *hw, unsigned long first,
			   unsigned long npages);
void mockgpu_hw_vram_scrub(struct mockgpu_hw *hw, unsigned long first,
			   unsigned long npages);
void mockgpu_hw_vram_freed(struct mockgpu_hw *hw, unsigned long first,
			   unsigned long npages);

void mockgpu_hw_link_attach(struct mockgpu_hw *hw, unsigned int port,
			    u32 peers);
void mockgpu_hw_link_detach(struct mockgpu_hw *hw);
int mockgpu_hw_link_map(struct mockgpu_hw *hw, const struct device *user,
			const struct mockgpu_hw_window *window,
			dma_addr_t *addr);
void mockgpu_hw_link_unmap(struct mockgpu_hw *hw, const struct device *user,
			   dma_addr_t addr, u64 size,
			   enum dma_data_direction dir);

void mockgpu_hw_hold_copy(struct mockgpu_hw *hw, bool hold);
int mockgpu_hw_copy_begin(struct mockgpu_hw *hw);
int mockgpu_hw_copy_in(struct mockgpu_hw *hw, unsigned long first,
		       struct mockgpu_hw_addr from, unsigned long npages);
int mockgpu_hw_copy_out(struct mockgpu_hw *hw, unsigned long first,
			struct mockgpu_hw_addr to, unsigned long npages);
int mockgpu_hw_clear(struct mockgpu_hw *hw, unsigned long first,
		     unsigned long npages);

struct mockgpu_hw_mmu *mockgpu_hw_mmu_create(struct mockgpu_hw *hw);
void mockgpu_hw_mmu_set_number(struct mockgpu_hw_mmu *mmu, u64 number);
void mockgpu_hw_mmu_destroy(struct mockgpu_hw_mmu *mmu);
int mockgpu_hw_mmu_prepare(struct mockgpu_hw_mmu *mmu, u64 start, u64 end);
void mockgpu_hw_mmu_map(struct mockgpu_hw_mmu *mmu, u64 start,
			unsigned long npages, struct mockgpu_hw_addr to,
			unsigned int how);
bool mockgpu_hw_mmu_allows_atomics(struct mockgpu_hw_mmu *mmu, u64 addr);
void mockgpu_hw_mmu_unmap(struct mockgpu_hw_mmu *mmu, u64 start, u64 end);
void mockgpu_hw_mmu_flush(struct mockgpu_hw_mmu *mmu, u64 start, u64 end);
int mockgpu_hw_mmu_mark(struct xarray *seen, u64 start, u64 end);
int mockgpu_hw_mmu_collect(struct mockgpu_hw_mmu *mmu,
			   enum mockgpu_hw_bus bus, struct xarray *seen,
			   unsigned long *npages);
bool mockgpu_hw_mmu_read_tlb(struct mockgpu_hw_mmu *mmu, unsigned int index,
			     struct mockgpu_hw_tlb_line *line);
int mockgpu_hw_access(struct mockgpu_hw_mmu *mmu, u64 addr, size_t size,
		      const struct mockgpu_hw_work *work);

struct mockgpu_hw_ring *
mockgpu_hw_ring_create(struct mockgpu_hw *hw,
		       const struct mockgpu_hw_ring_ops *ops);
void mockgpu_hw_ring_submit(struct mockgpu_hw_ring *ring,
			    struct mockgpu_hw_job *job);
void mockgpu_hw_ring_cancel(struct mockgpu_hw_ring *ring);
u64 mockgpu_hw_ring_running_ns(const struct mockgpu_hw_ring *ring);
void mockgpu_hw_ring_destroy(struct mockgpu_hw_ring *ring);
bool mockgpu_hw_fault_is_wanted(const struct mockgpu_hw_fault *fault);
void mockgpu_hw_fault_answer(struct mockgpu_hw *hw,
			     struct mockgpu_hw_fault *fault, int answer);

/**
 * mockgpu_hw_knob_hits() - count one event against a countdown knob
 * @knob: the events until failure, 0 for never
 *
 * Context: Any.
 * Return: true for the one event that shall fail.
 */
static inline bool mockgpu_hw_knob_hits(atomic_t *knob)
{
	return unlikely(atomic_read(knob) > 0) &&
	       atomic_dec_if_positive(knob) == 0;
}

#endif
