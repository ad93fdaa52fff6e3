/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef MOCKGPU_CONFIG_H
#define MOCKGPU_CONFIG_H

#include <linux/types.h>

#include <drm/mockgpu_drm.h>

#include "blocks.h"
#include "hw/hw.h"

#define MOCKGPU_MAX_DEVICES	MOCKGPU_HW_PORTS

/* Where the RAM for the coherent tier comes from. */
enum mockgpu_source {
	MOCKGPU_SOURCE_RESERVED,	/* memmap=SIZE$ADDR */
	MOCKGPU_SOURCE_PMEM,		/* memmap=SIZE!ADDR */
	MOCKGPU_SOURCE_BLOCKS,		/* the kernel has to give it up */
};

/**
 * struct mockgpu_config - what the module is to make, complete and checked
 * @devices: how many devices, beside those found on PCI
 * @tier: what kind of VRAM they have
 * @vram_size: bytes of VRAM of each
 * @source: for the coherent tier: where the RAM comes from
 * @vram_base: for the coherent tier: the RAM, claimed; the devices take
 *	consecutive pieces of @vram_size
 * @blocks: what was taken from the kernel for it
 * @links: for each device, bit n is set for a link to device n
 * @dma_device: in whose name the devices do DMA, with a reference; or NULL
 * @test_knobs: devices can be told to fail
 * @limit: why the tier is this one and not a better one
 * @pci_tier: what kind of VRAM devices have that are found on PCI
 * @pci_vram_size: bytes of VRAM of each of those, 0 for all of the BAR
 */
struct mockgpu_config {
	unsigned int devices;
	enum drm_mockgpu_tier tier;
	u64 vram_size;
	enum mockgpu_source source;
	u64 vram_base;
	struct mockgpu_blocks blocks;
	u32 links[MOCKGPU_MAX_DEVICES];
	struct device *dma_device;
	bool test_knobs;
	const char *limit;
	enum drm_mockgpu_tier pci_tier;
	u64 pci_vram_size;
};

/**
 * struct mockgpu_device_config - what one device is to be
 * @index: 0 for the first
 * @tier: what kind of VRAM it has
 * @vram_size: bytes of VRAM
 * @vram_base: where they are: for the coherent tier and on PCI
 * @is_pci: it is a PCI device, and VRAM is in a BAR
 * @links: bit n is set for a link to device n
 * @dma_device: in whose name it does DMA, or NULL
 * @test_knobs: it can be told to fail
 */
struct mockgpu_device_config {
	unsigned int index;
	enum drm_mockgpu_tier tier;
	u64 vram_size;
	u64 vram_base;
	bool is_pci;
	u32 links;
	struct device *dma_device;
	bool test_knobs;
};

int mockgpu_config_build(struct mockgpu_config *config);
void mockgpu_config_release(struct mockgpu_config *config);
void mockgpu_config_log(const struct mockgpu_config *config);
void mockgpu_config_device(const struct mockgpu_config *config,
			   unsigned int index,
			   struct mockgpu_device_config *device);

#endif
