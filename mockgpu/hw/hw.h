/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The device: everything a driver of it may know.
 *
 * A mock GPU has an IOMMU of its own, VRAM, links to other mock GPUs, a copy
 * engine and an access unit. They know addresses, bytes and nothing of the
 * driver's structures, and they trust nobody: whatever the driver gets wrong is
 * caught, counted and printed.
 */
#ifndef MOCKGPU_HW_H
#define MOCKGPU_HW_H

#include <linux/atomic.h>
#include <linux/dma-direction.h>
#include <linux/types.h>

struct device;
struct mockgpu_hw;

/* How many devices can have links. */
#define MOCKGPU_HW_PORTS	16

/**
 * struct mockgpu_hw_knobs - ways to make the device misbehave
 * @fail_dma_map: the n-th DMA mapping from now on is refused; 0 is off
 * @fail_copy: the n-th page from now on cannot be copied or cleared; 0 is off
 * @copies_held: commands of the copy engine that wait because of @hold_copy
 * @copy_delay_us: how long each command of the copy engine takes at least
 * @poison: overwrite VRAM when it is freed
 * @hold_copy: commands of the copy engine wait, at most 30 s; set by
 *	mockgpu_hw_hold_copy()
 */
struct mockgpu_hw_knobs {
	atomic_t fail_dma_map;
	atomic_t fail_copy;
	atomic_t copies_held;
	u32 copy_delay_us;
	bool poison;
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

/**
 * enum mockgpu_hw_op - what the access unit does with memory
 * @MOCKGPU_HW_READ: memory to buffer
 * @MOCKGPU_HW_WRITE: buffer to memory
 * @MOCKGPU_HW_FILL: value to every 64-bit word
 * @MOCKGPU_HW_XOR: value into every 64-bit word
 */
enum mockgpu_hw_op {
	MOCKGPU_HW_READ,
	MOCKGPU_HW_WRITE,
	MOCKGPU_HW_FILL,
	MOCKGPU_HW_XOR,
};

/**
 * struct mockgpu_hw_work - one job of the access unit
 * @op: what to do
 * @value: for FILL and XOR
 * @data: buffer for READ and WRITE
 */
struct mockgpu_hw_work {
	enum mockgpu_hw_op op;
	u64 value;
	void *data;
};

bool mockgpu_hw_supported(void);
struct mockgpu_hw *mockgpu_hw_create(struct device *dev, struct device *dma);
void mockgpu_hw_destroy(struct mockgpu_hw *hw);
int mockgpu_hw_plug(struct mockgpu_hw *hw);
void mockgpu_hw_unplug(struct mockgpu_hw *hw);
struct device *mockgpu_hw_dma_device(struct mockgpu_hw *hw);
struct mockgpu_hw_knobs *mockgpu_hw_knobs(struct mockgpu_hw *hw);
void mockgpu_hw_read_stats(struct mockgpu_hw *hw,
			   struct mockgpu_hw_stats *stats);

int mockgpu_hw_vram_set_aside(struct mockgpu_hw *hw, unsigned long npages);
int mockgpu_hw_vram_use(struct mockgpu_hw *hw, void *base,
			unsigned long npages);
void mockgpu_hw_vram_drop(struct mockgpu_hw *hw);
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
void mockgpu_hw_mmu_destroy(struct mockgpu_hw_mmu *mmu);
int mockgpu_hw_mmu_prepare(struct mockgpu_hw_mmu *mmu, u64 start, u64 end);
void mockgpu_hw_mmu_map(struct mockgpu_hw_mmu *mmu, u64 start,
			unsigned long npages, struct mockgpu_hw_addr to,
			bool write);
void mockgpu_hw_mmu_unmap(struct mockgpu_hw_mmu *mmu, u64 start, u64 end);
void mockgpu_hw_mmu_flush(struct mockgpu_hw_mmu *mmu, u64 start, u64 end);
int mockgpu_hw_access(struct mockgpu_hw_mmu *mmu, u64 addr, size_t size,
		      const struct mockgpu_hw_work *work);

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
