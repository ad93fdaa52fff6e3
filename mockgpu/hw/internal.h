/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef MOCKGPU_HW_INTERNAL_H
#define MOCKGPU_HW_INTERNAL_H

#include <linux/atomic.h>
#include <linux/compiler_attributes.h>
#include <linux/dma-direction.h>
#include <linux/dma-map-ops.h>
#include <linux/kthread.h>
#include <linux/ratelimit_types.h>
#include <linux/rbtree.h>
#include <linux/spinlock.h>
#include <linux/srcu.h>
#include <linux/wait.h>

#include <drm/drm_mm.h>

#include "hw.h"

/**
 * struct mockgpu_hw_iommu - the translations the device may use
 * @ops: what the DMA API calls; inside, so that it leads back to the IOMMU
 * @lock: protects @space and the mappings in it
 * @space: I/O virtual addresses
 * @generation: that of the last mapping; neighbours in time have different ones
 * @live_pages: pages mapped now
 */
struct mockgpu_hw_iommu {
	struct dma_map_ops ops;
	spinlock_t lock;	/* taken with interrupts off, a leaf */
	struct drm_mm space;
	u8 generation;
	atomic64_t live_pages;
};

/**
 * struct mockgpu_hw_vram_page - what the device knows of a page of VRAM
 * @generation: grows each time it is freed
 * @mapped: how many page table entries lead to it
 */
struct mockgpu_hw_vram_page {
	u32 generation;
	atomic_t mapped;
};

/**
 * struct mockgpu_hw_vram - the memory of the device
 * @base: where it is
 * @npages: how much
 * @set_aside: it is RAM of the device's own, to be freed
 * @mapped: it is memory behind a bus, to be unmapped
 * @pages: by number
 * @lock: protects @used, @written and the generations
 * @used: a bit for each page that the driver has given out
 * @written: a bit for each page that has contents since then
 * @touched: a bit for each page that was used since the driver last asked
 */
struct mockgpu_hw_vram {
	void *base;
	unsigned long npages;
	bool set_aside;
	bool mapped;
	struct mockgpu_hw_vram_page *pages;
	spinlock_t lock;	/* taken with interrupts off, a leaf */
	unsigned long *used;
	unsigned long *written;
	unsigned long *touched;		/* bits are atomic */
};

/**
 * struct mockgpu_hw_link - the device among those it has links to
 * @port: its number there
 * @peers: bit n is set for a link to the device with number n
 * @windows: its VRAM that others may use now, by byte
 * @users: how many uses of it over links go on just now
 * @live_pages: how much others may use
 */
struct mockgpu_hw_link {
	unsigned int port;
	u32 peers;
	struct rb_root_cached windows;
	unsigned int users;
	atomic64_t live_pages;
};

/* There is no more room in a translation: one mistake in 128 may be missed. */
#define MOCKGPU_HW_GENERATION_MASK	0x7fU

/**
 * struct mockgpu_hw_origin - where the device has an address from
 * @is_translated: from a page table, not from the driver
 * @is_stale: from a TLB whose page table says something else now
 * @generation: of what the translation was made for
 */
struct mockgpu_hw_origin {
	bool is_translated;
	bool is_stale;
	u8 generation;
};

/**
 * struct mockgpu_hw_target - a use of memory that is not the device's own
 * @at: where it is
 * @size: bytes
 * @dir: DMA_TO_DEVICE to read, DMA_FROM_DEVICE to write, or both
 * @origin: where the address is from
 * @memory: where the CPU sees it, while it is in use
 * @peer: for a link: the device at its other end, kept in place
 */
struct mockgpu_hw_target {
	struct mockgpu_hw_addr at;
	size_t size;
	enum dma_data_direction dir;
	struct mockgpu_hw_origin origin;
	void *memory;
	struct mockgpu_hw *peer;
};

/**
 * struct mockgpu_hw_engine - the command engine
 * @wake: what the threads of its rings wait for has happened
 */
struct mockgpu_hw_engine {
	wait_queue_head_t wake;
};

/**
 * struct mockgpu_hw_ring - jobs that wait for their turn, and one that runs
 * @hw: the device
 * @ops: the driver's
 * @lock: protects @jobs
 * @jobs: in the order in which they run; the first one is running
 * @thread: runs them
 * @work: what it does
 * @cancelled: all are to end now
 * @since: when the job that is running began, in ns; 0 when none is
 * @buffers: two pages of memory inside of the engine
 */
struct mockgpu_hw_ring {
	struct mockgpu_hw *hw;
	const struct mockgpu_hw_ring_ops *ops;
	spinlock_t lock;	/* taken with interrupts off */
	struct list_head jobs;
	struct kthread_worker *thread;
	struct kthread_work work;
	bool cancelled;
	u64 since;
	void *buffers[2];
};

/**
 * struct mockgpu_hw_run - a job that is running
 * @ring: where
 * @job: the job
 * @deadline: when it has to be over, in jiffies
 * @at: user address it has to do with just now
 */
struct mockgpu_hw_run {
	struct mockgpu_hw_ring *ring;
	struct mockgpu_hw_job *job;
	unsigned long deadline;
	u64 at;
};

/**
 * struct mockgpu_hw_errors - what the driver was caught at
 * @lock: protects what follows
 * @counts: how often, by kind
 * @records: the last ones, in a circle
 * @next: number of the next one
 * @limits: how often each kind is printed
 */
struct mockgpu_hw_errors {
	spinlock_t lock;	/* see errors.c */
	u64 counts[MOCKGPU_HW_ERROR_KINDS];
	struct mockgpu_hw_error_record records[MOCKGPU_HW_ERROR_RECORDS];
	unsigned int next;
	struct ratelimit_state limits[MOCKGPU_HW_ERROR_KINDS];
};

/**
 * struct mockgpu_hw_power - does the device work, or sleep
 * @users: uses of memory that go on
 * @halted: there must be no new ones but the copy engine's
 * @asleep: nor its
 */
struct mockgpu_hw_power {
	struct srcu_struct users;
	bool halted;
	bool asleep;
};

/**
 * struct mockgpu_hw - the device
 * @dev: what it is to the kernel
 * @dma: in whose name it does DMA: itself, or a device that the kernel's DMA
 *	API knows
 * @own_iommu: it has an IOMMU of its own
 * @iommu: that one
 * @vram: its memory
 * @link: its links to other devices
 * @engine: what runs commands
 * @power: does it sleep
 * @knobs: ways to make it misbehave
 * @copy_resumed: commands of the copy engine that are held wait here
 * @bytes_copied_in: by the copy engine, into VRAM
 * @bytes_copied_out: by the copy engine, out of VRAM
 * @bytes_accessed: by the access unit
 * @errors: mistakes of the driver that were caught
 * @mmus: how many address spaces there are
 */
struct mockgpu_hw {
	struct device *dev;
	struct device *dma;
	bool own_iommu;
	struct mockgpu_hw_iommu iommu;
	struct mockgpu_hw_vram vram;
	struct mockgpu_hw_link link;
	struct mockgpu_hw_engine engine;
	struct mockgpu_hw_power power;
	struct mockgpu_hw_knobs knobs;
	wait_queue_head_t copy_resumed;
	atomic64_t bytes_copied_in;
	atomic64_t bytes_copied_out;
	atomic64_t bytes_accessed;
	struct mockgpu_hw_errors errors;
	atomic_t mmus;
};

void mockgpu_hw_errors_init(struct mockgpu_hw_errors *errors);
u64 mockgpu_hw_errors_total(struct mockgpu_hw *hw);
__printf(3, 4)
void mockgpu_hw_error(struct mockgpu_hw *hw, enum mockgpu_hw_error_kind kind,
		      const char *format, ...);
void mockgpu_hw_error_blame(struct mockgpu_hw *hw, u64 space, u64 addr);

void *mockgpu_hw_bus_memory(struct mockgpu_hw *hw,
			    const struct mockgpu_hw_target *target);
dma_addr_t mockgpu_hw_bus_map(struct mockgpu_hw *hw, phys_addr_t phys,
			      size_t size, enum dma_data_direction dir,
			      unsigned long attrs);
void mockgpu_hw_iommu_init(struct mockgpu_hw_iommu *iommu);
void mockgpu_hw_iommu_fini(struct mockgpu_hw_iommu *iommu);
void mockgpu_hw_iommu_end(struct mockgpu_hw *hw);
void mockgpu_hw_iommu_audit(struct mockgpu_hw *hw);
void mockgpu_hw_iommu_drop_lost(struct mockgpu_hw *hw);
u8 mockgpu_hw_iommu_generation(struct mockgpu_hw *hw, dma_addr_t iova);
int mockgpu_hw_dma_begin(struct mockgpu_hw *hw,
			 struct mockgpu_hw_target *target);
int mockgpu_hw_dma_end(struct mockgpu_hw *hw,
		       struct mockgpu_hw_target *target);
int mockgpu_hw_link_begin(struct mockgpu_hw *hw,
			  struct mockgpu_hw_target *target);
int mockgpu_hw_link_end(struct mockgpu_hw *hw,
			struct mockgpu_hw_target *target);
void mockgpu_hw_vram_lose(struct mockgpu_hw *hw);
int mockgpu_hw_power_init(struct mockgpu_hw_power *power);
void mockgpu_hw_power_fini(struct mockgpu_hw_power *power);
int mockgpu_hw_power_get(struct mockgpu_hw *hw);
void mockgpu_hw_power_put(struct mockgpu_hw *hw, int idx);
void mockgpu_hw_copy_init(struct mockgpu_hw *hw);
void mockgpu_hw_engine_init(struct mockgpu_hw_engine *engine);
int mockgpu_hw_run_pause(struct mockgpu_hw_run *run, unsigned long until);
int mockgpu_hw_run_access(struct mockgpu_hw_run *run, u64 addr, size_t size,
			  const struct mockgpu_hw_work *work);
int mockgpu_hw_run_command(struct mockgpu_hw_run *run,
			   const struct mockgpu_hw_command *command);
bool mockgpu_hw_op_writes(enum mockgpu_hw_op op);
bool mockgpu_hw_op_is_atomic(enum mockgpu_hw_op op);
int mockgpu_hw_access_vram(struct mockgpu_hw *hw, u64 offset, size_t size,
			   const struct mockgpu_hw_work *work);
int mockgpu_hw_access_bus(struct mockgpu_hw *hw, struct mockgpu_hw_addr addr,
			  const struct mockgpu_hw_origin *origin, size_t size,
			  const struct mockgpu_hw_work *work);
void mockgpu_hw_vram_init(struct mockgpu_hw_vram *vram);
u8 mockgpu_hw_vram_generation(struct mockgpu_hw *hw, u64 offset);
void mockgpu_hw_vram_count_mapped(struct mockgpu_hw *hw, u64 offset, int more);
bool mockgpu_hw_vram_has(struct mockgpu_hw *hw, u64 offset, u64 size);
void *mockgpu_hw_vram_begin(struct mockgpu_hw *hw, u64 offset, u64 size,
			    enum dma_data_direction dir);
void mockgpu_hw_vram_end(struct mockgpu_hw *hw, u64 offset, u64 size,
			 enum dma_data_direction dir);
void mockgpu_hw_vram_touch(struct mockgpu_hw *hw, u64 offset);

/**
 * mockgpu_hw_target_begin() - the device is about to use other memory
 * @hw: the device
 * @target: which; @memory is filled
 *
 * Context: Any.
 * Return: 0, or -EIO when the driver did not allow that.
 */
static inline int mockgpu_hw_target_begin(struct mockgpu_hw *hw,
					  struct mockgpu_hw_target *target)
{
	return target->at.bus == MOCKGPU_HW_BUS_LINK ?
	       mockgpu_hw_link_begin(hw, target) :
	       mockgpu_hw_dma_begin(hw, target);
}

/**
 * mockgpu_hw_target_end() - the device has used it
 * @hw: the device
 * @target: as from mockgpu_hw_target_begin()
 *
 * Context: Any.
 * Return: 0, or -EIO when the driver took it away in the meantime.
 */
static inline int mockgpu_hw_target_end(struct mockgpu_hw *hw,
					struct mockgpu_hw_target *target)
{
	return target->at.bus == MOCKGPU_HW_BUS_LINK ?
	       mockgpu_hw_link_end(hw, target) :
	       mockgpu_hw_dma_end(hw, target);
}

/**
 * mockgpu_hw_allows() - does one direction of access include another
 * @allowed: what was allowed
 * @wanted: what is wanted
 *
 * Context: Any.
 * Return: true if so.
 */
static inline bool mockgpu_hw_allows(enum dma_data_direction allowed,
				     enum dma_data_direction wanted)
{
	return allowed == DMA_BIDIRECTIONAL || allowed == wanted;
}

#endif
