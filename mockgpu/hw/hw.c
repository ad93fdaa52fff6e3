// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The device as a whole.
 */
#include <linux/dma-mapping.h>
#include <linux/slab.h>

#include "compat/compat.h"
#include "compat/dma.h"
#include "internal.h"

/**
 * mockgpu_hw_supported() - can the device exist on this kernel
 *
 * Its IOMMU takes the place of the DMA API of one device, which not every
 * architecture lets a driver do.
 *
 * Context: Any.
 * Return: true if it can.
 */
bool mockgpu_hw_supported(void)
{
#ifdef GSB_HAVE_DMA_OPS
	return true;
#else
	return false;
#endif
}

/**
 * mockgpu_hw_create() - make a device, without VRAM and not plugged in
 * @dev: what it is to the kernel
 * @dma: a device in whose name to do DMA, which stays, or @dev if the kernel does
 *	DMA for that; or NULL to have an IOMMU of its own
 *
 * Context: Process context, may sleep.
 * Return: the device, or NULL when there is no memory.
 */
struct mockgpu_hw *mockgpu_hw_create(struct device *dev, struct device *dma)
{
	struct mockgpu_hw *hw = kzalloc(sizeof(*hw), GFP_KERNEL);

	if (!hw)
		return NULL;
	if (mockgpu_hw_power_init(&hw->power)) {
		kfree(hw);
		return NULL;
	}

	hw->dev = dev;
	hw->dma = dma ?: dev;
	hw->own_iommu = !dma;
	mockgpu_hw_errors_init(&hw->errors);
	mockgpu_hw_iommu_init(&hw->iommu);
	mockgpu_hw_vram_init(&hw->vram);
	mockgpu_hw_copy_init(hw);
	mockgpu_hw_engine_init(&hw->engine);
	return hw;
}

/**
 * mockgpu_hw_destroy() - undo mockgpu_hw_create()
 * @hw: the device, unplugged
 *
 * Context: Process context, may sleep.
 */
void mockgpu_hw_destroy(struct mockgpu_hw *hw)
{
	mockgpu_hw_power_fini(&hw->power);
	mockgpu_hw_vram_drop(hw);
	mockgpu_hw_iommu_fini(&hw->iommu);
	kfree(hw);
}

/**
 * mockgpu_hw_dma_device() - what to call the DMA API with
 * @hw: the device
 *
 * Context: Any.
 * Return: the device that does DMA.
 */
struct device *mockgpu_hw_dma_device(struct mockgpu_hw *hw)
{
	return hw->dma;
}

/* Not where the kernel does DMA for the device, as for all of its kind. */
static bool mockgpu_hw_replaces_dma(const struct mockgpu_hw *hw)
{
	return hw->own_iommu || hw->dma != hw->dev;
}

/**
 * mockgpu_hw_plug() - make DMA possible
 * @hw: the device
 *
 * Context: Process context.
 * Return: 0, or -EIO when the kernel does not take the DMA mask.
 */
int mockgpu_hw_plug(struct mockgpu_hw *hw)
{
	int ret = 0;

	/* It looks up each page by itself. */
	dma_set_max_seg_size(hw->dma, UINT_MAX);
	if (!hw->own_iommu)
		ret = dma_set_mask_and_coherent(hw->dma, DMA_BIT_MASK(64));
	if (ret || !mockgpu_hw_replaces_dma(hw))
		return ret;

	set_dma_ops(hw->dev, &hw->iommu.ops);
	/* Its processor is the CPU, so they have the same caches. */
	gsb_dma_set_coherent(hw->dev);
	return dma_coerce_mask_and_coherent(hw->dev, DMA_BIT_MASK(64));
}

/**
 * mockgpu_hw_unplug() - undo mockgpu_hw_plug()
 * @hw: the device, with nothing mapped for it any more
 *
 * Context: Process context.
 */
void mockgpu_hw_unplug(struct mockgpu_hw *hw)
{
	mockgpu_hw_iommu_end(hw);
	if (mockgpu_hw_replaces_dma(hw))
		set_dma_ops(hw->dev, NULL);
}

/**
 * mockgpu_hw_knobs() - the knobs of a device
 * @hw: the device
 *
 * Context: Any.
 * Return: the knobs; the device looks at them all the time.
 */
struct mockgpu_hw_knobs *mockgpu_hw_knobs(struct mockgpu_hw *hw)
{
	return &hw->knobs;
}

/**
 * mockgpu_hw_read_stats() - what has the device done
 * @hw: the device
 * @stats: filled
 *
 * Context: Any.
 */
void mockgpu_hw_read_stats(struct mockgpu_hw *hw,
			   struct mockgpu_hw_stats *stats)
{
	stats->bytes_copied_in = atomic64_read(&hw->bytes_copied_in);
	stats->bytes_copied_out = atomic64_read(&hw->bytes_copied_out);
	stats->bytes_accessed = atomic64_read(&hw->bytes_accessed);
	stats->errors = mockgpu_hw_errors_total(hw);
	stats->live_dma_pages = atomic64_read(&hw->iommu.live_pages);
	stats->live_peer_pages = atomic64_read(&hw->link.live_pages);
}
