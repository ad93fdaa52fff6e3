// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * DMA in the name of another device.
 *
 * The kernel's own IOMMU drivers and bounce buffers only work for devices they
 * know. When a mock GPU borrows the DMA of such a one, or is one, what is mapped for
 * it is mapped for that device, and its addresses lead where that device's would:
 * through its IOMMU, or to the memory they name.
 */
#include <linux/dma-mapping.h>
#include <linux/iommu.h>
#include <linux/mm.h>

#include "internal.h"

static phys_addr_t mockgpu_hw_bus_resolve(struct device *dev, dma_addr_t addr)
{
	struct iommu_domain *domain = iommu_get_domain_for_dev(dev);

	return domain ? iommu_iova_to_phys(domain, addr) : addr;
}

/**
 * mockgpu_hw_bus_memory() - what a borrowed DMA address leads to
 * @hw: the device
 * @target: the address
 *
 * Context: Any.
 * Return: the memory, in one piece, or NULL when the address leads nowhere.
 */
void *mockgpu_hw_bus_memory(struct mockgpu_hw *hw,
			    const struct mockgpu_hw_target *target)
{
	dma_addr_t last = target->at.addr + target->size - 1;
	phys_addr_t phys = mockgpu_hw_bus_resolve(hw->dma, target->at.addr);

	if (!phys || !pfn_valid(PHYS_PFN(phys)) ||
	    mockgpu_hw_bus_resolve(hw->dma, last) != phys + target->size - 1)
		return NULL;
	return phys_to_virt(phys);
}

/**
 * mockgpu_hw_bus_map() - map memory for the device whose DMA is borrowed
 * @hw: the device
 * @phys: the memory
 * @size: bytes
 * @dir: what for
 * @attrs: of the DMA API
 *
 * Context: Any.
 * Return: the address, or DMA_MAPPING_ERROR.
 */
dma_addr_t mockgpu_hw_bus_map(struct mockgpu_hw *hw, phys_addr_t phys,
			      size_t size, enum dma_data_direction dir,
			      unsigned long attrs)
{
	dma_addr_t addr = dma_map_page_attrs(hw->dma,
					     pfn_to_page(PHYS_PFN(phys)),
					     offset_in_page(phys), size, dir,
					     attrs);

	return dma_mapping_error(hw->dma, addr) ? DMA_MAPPING_ERROR : addr;
}
