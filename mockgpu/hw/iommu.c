// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The IOMMU of the device.
 *
 * A translation exists from the map call of the DMA API to its unmap call,
 * for exactly the bytes and the direction that were asked for. An address is
 * looked up before and after each use, so that one that was unmapped too
 * early is noticed as well. One that was not unmapped at all is noticed once its
 * page is free, at the next use or when the last VM goes; but not one of a
 * scatter-gather list, as a page that somebody else has may look free.
 *
 * Locks: mockgpu_hw_iommu.lock is taken in any context, with interrupts off,
 * and nothing is taken inside of it but mockgpu_hw_errors.lock.
 */
#include <linux/io.h>
#include <linux/mm.h>
#include <linux/scatterlist.h>
#include <linux/sched.h>
#include <linux/sizes.h>
#include <linux/slab.h>

#include "compat/compat.h"
#include "internal.h"

/* Address 0 is given out on purpose: drivers must not take it for none. */
#define MOCKGPU_HW_IOVA_START	0
#define MOCKGPU_HW_IOVA_SIZE	SZ_1T
/* So many mappings are looked at with interrupts off. */
#define MOCKGPU_HW_IOMMU_STEP	512U

/*
 * The node is whole pages; @iova and @size are what was mapped of them. Of one that
 * is listed, a scatter-gather list of who knows whom was mapped. Of one that is lost
 * the unmap call did not come, on purpose.
 */
struct mockgpu_hw_mapping {
	struct drm_mm_node node;
	phys_addr_t phys;
	dma_addr_t iova;
	size_t size;
	enum dma_data_direction dir;
	u8 generation;
	bool is_listed;
	bool is_lost;
	bool is_reported;
};

static struct mockgpu_hw *mockgpu_hw_from_dev(struct device *dev)
{
	return container_of(get_dma_ops(dev), struct mockgpu_hw, iommu.ops);
}

static unsigned long
mockgpu_hw_mapping_pages(const struct mockgpu_hw_mapping *mapping)
{
	return mapping->node.size >> PAGE_SHIFT;
}

static struct mockgpu_hw_mapping *
mockgpu_hw_iommu_find(struct mockgpu_hw_iommu *iommu, dma_addr_t iova)
{
	struct drm_mm_node *node;

	lockdep_assert_held(&iommu->lock);

	if (iova >= MOCKGPU_HW_IOVA_START + MOCKGPU_HW_IOVA_SIZE)
		return NULL;

	drm_mm_for_each_node_in_range(node, &iommu->space, iova, iova + 1)
		return container_of(node, struct mockgpu_hw_mapping, node);

	return NULL;
}

static bool mockgpu_hw_mapping_covers(const struct mockgpu_hw_mapping *mapping,
				      dma_addr_t iova, size_t size)
{
	return iova >= mapping->iova && size <= mapping->size &&
	       iova - mapping->iova <= mapping->size - size;
}

static phys_addr_t
mockgpu_hw_mapping_phys(const struct mockgpu_hw_mapping *mapping,
			dma_addr_t iova)
{
	return mapping->phys + (iova - mapping->iova);
}

/*
 * Nobody frees a page that is still mapped. But slabs do not count references, nor
 * do all but the first page of what the DMA API allocates, which others export.
 */
static bool
mockgpu_hw_mapping_is_of_free(const struct mockgpu_hw_mapping *mapping,
			      dma_addr_t iova)
{
	phys_addr_t phys = mockgpu_hw_mapping_phys(mapping, iova);
	struct page *page = pfn_to_page(PHYS_PFN(phys));

	return !mapping->is_listed && !page_count(page) && !PageSlab(page);
}

/* What is wrong with the use of a mapping, or MOCKGPU_HW_ERROR_KINDS for nothing. */
static enum mockgpu_hw_error_kind
mockgpu_hw_mapping_judge(const struct mockgpu_hw_mapping *mapping,
			 const struct mockgpu_hw_target *target)
{
	if (!mapping || !mockgpu_hw_mapping_covers(mapping, target->at.addr,
						   target->size))
		return MOCKGPU_HW_DMA_UNMAPPED;
	if (target->origin.is_translated &&
	    target->origin.generation != mapping->generation)
		return MOCKGPU_HW_WRONG_GENERATION;
	if (!mockgpu_hw_allows(mapping->dir, target->dir))
		return MOCKGPU_HW_DMA_DIRECTION;
	if (mockgpu_hw_mapping_is_of_free(mapping, target->at.addr))
		return MOCKGPU_HW_DMA_LEFT_MAPPED;
	return MOCKGPU_HW_ERROR_KINDS;
}

/* Returns the memory of @target, or NULL and what is wrong with such access. */
static void *
mockgpu_hw_iommu_translate(struct mockgpu_hw *hw,
			   const struct mockgpu_hw_target *target,
			   enum mockgpu_hw_error_kind *wrong)
{
	struct mockgpu_hw_iommu *iommu = &hw->iommu;
	dma_addr_t iova = target->at.addr;
	struct mockgpu_hw_mapping *mapping;
	void *memory = NULL;
	unsigned long flags;

	*wrong = MOCKGPU_HW_DMA_UNMAPPED;
	if (!hw->own_iommu)
		return mockgpu_hw_bus_memory(hw, target);

	spin_lock_irqsave(&iommu->lock, flags);
	mapping = mockgpu_hw_iommu_find(iommu, iova);
	*wrong = mockgpu_hw_mapping_judge(mapping, target);
	if (*wrong == MOCKGPU_HW_ERROR_KINDS)
		memory = phys_to_virt(mockgpu_hw_mapping_phys(mapping, iova));
	spin_unlock_irqrestore(&iommu->lock, flags);

	return memory;
}

/**
 * mockgpu_hw_dma_begin() - the device is about to use a DMA address
 * @hw: the device
 * @target: the address; @memory is filled
 *
 * Context: Any.
 * Return: 0, or -EIO when the driver did not map it for that.
 */
int mockgpu_hw_dma_begin(struct mockgpu_hw *hw,
			 struct mockgpu_hw_target *target)
{
	enum mockgpu_hw_error_kind wrong;

	target->memory = mockgpu_hw_iommu_translate(hw, target, &wrong);
	if (target->memory)
		return 0;

	if (target->origin.is_stale && wrong != MOCKGPU_HW_DMA_DIRECTION)
		wrong = MOCKGPU_HW_STALE_TRANSLATION;
	mockgpu_hw_error(hw, wrong,
			 "DMA address %pad, %zu bytes, direction %d: %s",
			 &target->at.addr, target->size, target->dir,
			 wrong == MOCKGPU_HW_DMA_LEFT_MAPPED ?
			 "its page is free" : "not mapped so");
	return -EIO;
}

/**
 * mockgpu_hw_dma_end() - the device has used a DMA address
 * @hw: the device
 * @target: as from mockgpu_hw_dma_begin()
 *
 * Context: Any.
 * Return: 0, or -EIO when the driver unmapped it in the meantime.
 */
int mockgpu_hw_dma_end(struct mockgpu_hw *hw, struct mockgpu_hw_target *target)
{
	enum mockgpu_hw_error_kind wrong;

	if (mockgpu_hw_iommu_translate(hw, target, &wrong) == target->memory)
		return 0;

	mockgpu_hw_error(hw, MOCKGPU_HW_DMA_TAKEN_AWAY,
			 "DMA address %pad was unmapped while in use",
			 &target->at.addr);
	return -EIO;
}

/* Pages the CPU cannot reach in its direct map are no target for DMA. */
static bool mockgpu_hw_iommu_can_reach(phys_addr_t phys, size_t size)
{
	unsigned long first = PHYS_PFN(phys);
	unsigned long last = PHYS_PFN(phys + size - 1);

	return pfn_valid(first) && pfn_valid(last) &&
	       !is_device_private_page(pfn_to_page(first));
}

static int mockgpu_hw_iommu_insert(struct mockgpu_hw_iommu *iommu,
				   struct mockgpu_hw_mapping *mapping)
{
	size_t offset = offset_in_page(mapping->phys);
	unsigned long flags;
	int ret;

	spin_lock_irqsave(&iommu->lock, flags);
	ret = drm_mm_insert_node_generic(&iommu->space, &mapping->node,
					 PAGE_ALIGN(offset + mapping->size),
					 PAGE_SIZE, 0, DRM_MM_INSERT_LOW);
	mapping->iova = mapping->node.start + offset;
	mapping->generation = ++iommu->generation & MOCKGPU_HW_GENERATION_MASK;
	spin_unlock_irqrestore(&iommu->lock, flags);

	return ret;
}

static dma_addr_t mockgpu_hw_iommu_map(struct device *dev, phys_addr_t phys,
				       size_t size, enum dma_data_direction dir,
				       unsigned long attrs, bool is_listed)
{
	struct mockgpu_hw *hw = mockgpu_hw_from_dev(dev);
	struct mockgpu_hw_mapping *mapping;

	if (mockgpu_hw_knob_hits(&hw->knobs.fail_dma_map))
		return DMA_MAPPING_ERROR;

	if (!mockgpu_hw_iommu_can_reach(phys, size)) {
		mockgpu_hw_error(hw, MOCKGPU_HW_DMA_NO_MEMORY,
				 "%zu bytes at %pap are no memory to map",
				 size, &phys);
		return DMA_MAPPING_ERROR;
	}

	if (!hw->own_iommu)
		return mockgpu_hw_bus_map(hw, phys, size, dir, attrs);

	mapping = kzalloc(sizeof(*mapping), GFP_ATOMIC | __GFP_ACCOUNT);
	if (!mapping)
		return DMA_MAPPING_ERROR;

	mapping->phys = phys;
	mapping->size = size;
	mapping->dir = dir;
	mapping->is_listed = is_listed;
	if (mockgpu_hw_iommu_insert(&hw->iommu, mapping)) {
		kfree(mapping);
		return DMA_MAPPING_ERROR;
	}

	atomic64_add(mockgpu_hw_mapping_pages(mapping), &hw->iommu.live_pages);
	return mapping->iova;
}

/* The call that did not come. */
static void mockgpu_hw_iommu_lose(struct mockgpu_hw_iommu *iommu,
				  dma_addr_t iova)
{
	struct mockgpu_hw_mapping *mapping;
	unsigned long flags;

	spin_lock_irqsave(&iommu->lock, flags);
	mapping = mockgpu_hw_iommu_find(iommu, iova);
	if (mapping)
		mapping->is_lost = true;
	spin_unlock_irqrestore(&iommu->lock, flags);
}

/* Takes the mapping out, if there is one that is just so. */
static struct mockgpu_hw_mapping *
mockgpu_hw_iommu_remove(struct mockgpu_hw_iommu *iommu, dma_addr_t iova,
			size_t size, enum dma_data_direction dir)
{
	struct mockgpu_hw_mapping *mapping;
	unsigned long flags;

	spin_lock_irqsave(&iommu->lock, flags);
	mapping = mockgpu_hw_iommu_find(iommu, iova);
	if (mapping && mapping->iova == iova && mapping->size == size &&
	    mapping->dir == dir)
		drm_mm_remove_node(&mapping->node);
	else
		mapping = NULL;
	spin_unlock_irqrestore(&iommu->lock, flags);

	return mapping;
}

static void mockgpu_hw_iommu_unmap(struct device *dev, dma_addr_t iova,
				   size_t size, enum dma_data_direction dir,
				   unsigned long attrs)
{
	struct mockgpu_hw *hw = mockgpu_hw_from_dev(dev);
	struct mockgpu_hw_mapping *mapping;

	if (!hw->own_iommu) {
		dma_unmap_page_attrs(hw->dma, iova, size, dir, attrs);
		return;
	}

	if (READ_ONCE(hw->knobs.skip_dma_unmap)) {
		mockgpu_hw_iommu_lose(&hw->iommu, iova);
		return;
	}

	mapping = mockgpu_hw_iommu_remove(&hw->iommu, iova, size, dir);
	if (!mapping) {
		mockgpu_hw_error(hw, MOCKGPU_HW_DMA_BAD_UNMAP,
				 "unmap of DMA address %pad, %zu bytes, direction %d",
				 &iova, size, dir);
		return;
	}

	atomic64_sub(mockgpu_hw_mapping_pages(mapping), &hw->iommu.live_pages);
	kfree(mapping);
}

static void mockgpu_hw_iommu_unmap_sg(struct device *dev,
				      struct scatterlist *sgl, int nents,
				      enum dma_data_direction dir,
				      unsigned long attrs)
{
	struct scatterlist *sg;
	int i;

	for_each_sg(sgl, sg, nents, i)
		mockgpu_hw_iommu_unmap(dev, sg_dma_address(sg), sg_dma_len(sg),
				       dir, attrs);
}

static int mockgpu_hw_iommu_map_sg(struct device *dev, struct scatterlist *sgl,
				   int nents, enum dma_data_direction dir,
				   unsigned long attrs)
{
	struct scatterlist *sg;
	int i;

	for_each_sg(sgl, sg, nents, i) {
		sg_dma_address(sg) = mockgpu_hw_iommu_map(dev, sg_phys(sg),
							  sg->length, dir,
							  attrs, true);
		if (sg_dma_address(sg) == DMA_MAPPING_ERROR) {
			mockgpu_hw_iommu_unmap_sg(dev, sgl, i, dir, attrs);
			return -ENOMEM;
		}
		sg_dma_len(sg) = sg->length;
	}

	return nents;
}

#ifdef GSB_HAVE_DMA_OPS_MAP_PHYS
static dma_addr_t mockgpu_hw_iommu_map_phys(struct device *dev,
					    phys_addr_t phys, size_t size,
					    enum dma_data_direction dir,
					    unsigned long attrs)
{
	return mockgpu_hw_iommu_map(dev, phys, size, dir, attrs, false);
}
#else
static dma_addr_t mockgpu_hw_iommu_map_page(struct device *dev,
					    struct page *page,
					    unsigned long offset, size_t size,
					    enum dma_data_direction dir,
					    unsigned long attrs)
{
	return mockgpu_hw_iommu_map(dev, page_to_phys(page) + offset, size,
				    dir, attrs, false);
}
#endif

static void mockgpu_hw_iommu_fill_ops(struct dma_map_ops *ops)
{
#ifdef GSB_HAVE_DMA_OPS_MAP_PHYS
	ops->map_phys = mockgpu_hw_iommu_map_phys;
	ops->unmap_phys = mockgpu_hw_iommu_unmap;
#else
	ops->map_page = mockgpu_hw_iommu_map_page;
	ops->unmap_page = mockgpu_hw_iommu_unmap;
#endif
	ops->map_sg = mockgpu_hw_iommu_map_sg;
	ops->unmap_sg = mockgpu_hw_iommu_unmap_sg;
}

/**
 * mockgpu_hw_iommu_init() - make an IOMMU that translates nothing
 * @iommu: filled
 *
 * Context: Process context.
 */
void mockgpu_hw_iommu_init(struct mockgpu_hw_iommu *iommu)
{
	mockgpu_hw_iommu_fill_ops(&iommu->ops);
	spin_lock_init(&iommu->lock);
	drm_mm_init(&iommu->space, MOCKGPU_HW_IOVA_START, MOCKGPU_HW_IOVA_SIZE);
}

/**
 * mockgpu_hw_iommu_generation() - what a translation is made for
 * @hw: the device
 * @iova: a DMA address
 *
 * Context: Any.
 * Return: the generation of its mapping; 0 when there is none or it is another
 * device's.
 */
u8 mockgpu_hw_iommu_generation(struct mockgpu_hw *hw, dma_addr_t iova)
{
	struct mockgpu_hw_mapping *mapping;
	unsigned long flags;
	u8 generation = 0;

	spin_lock_irqsave(&hw->iommu.lock, flags);
	mapping = mockgpu_hw_iommu_find(&hw->iommu, iova);
	if (mapping)
		generation = mapping->generation;
	spin_unlock_irqrestore(&hw->iommu.lock, flags);

	return generation;
}

static void mockgpu_hw_mapping_audit(struct mockgpu_hw *hw,
				     struct mockgpu_hw_mapping *mapping)
{
	if (mapping->is_reported ||
	    !mockgpu_hw_mapping_is_of_free(mapping, mapping->iova))
		return;
	mapping->is_reported = true;
	mockgpu_hw_error(hw, MOCKGPU_HW_DMA_LEFT_MAPPED,
			 "DMA address %pad is mapped, but its page is free",
			 &mapping->iova);
}

/* From @iova on, but not too many with interrupts off. Returns where it got to. */
static dma_addr_t mockgpu_hw_iommu_audit_some(struct mockgpu_hw *hw,
					      dma_addr_t iova)
{
	const dma_addr_t end = MOCKGPU_HW_IOVA_START + MOCKGPU_HW_IOVA_SIZE;
	unsigned int left = MOCKGPU_HW_IOMMU_STEP;
	struct mockgpu_hw_mapping *mapping;
	struct drm_mm_node *node;
	dma_addr_t next = end;
	unsigned long flags;

	spin_lock_irqsave(&hw->iommu.lock, flags);
	drm_mm_for_each_node_in_range(node, &hw->iommu.space, iova, end) {
		if (!left--) {
			next = node->start;
			break;
		}
		mapping = container_of(node, struct mockgpu_hw_mapping, node);
		mockgpu_hw_mapping_audit(hw, mapping);
	}
	spin_unlock_irqrestore(&hw->iommu.lock, flags);
	return next;
}

/**
 * mockgpu_hw_iommu_audit() - look for mappings of pages that were freed
 * @hw: the device
 *
 * Context: Process context, may sleep.
 */
void mockgpu_hw_iommu_audit(struct mockgpu_hw *hw)
{
	const dma_addr_t end = MOCKGPU_HW_IOVA_START + MOCKGPU_HW_IOVA_SIZE;
	dma_addr_t iova = MOCKGPU_HW_IOVA_START;

	while (iova < end) {
		iova = mockgpu_hw_iommu_audit_some(hw, iova);
		cond_resched();
	}
}

static void mockgpu_hw_iommu_drop(struct mockgpu_hw *hw, bool all)
{
	struct mockgpu_hw_iommu *iommu = &hw->iommu;
	struct mockgpu_hw_mapping *mapping;
	struct drm_mm_node *node, *next;
	unsigned long flags;

	spin_lock_irqsave(&iommu->lock, flags);
	drm_mm_for_each_node_safe(node, next, &iommu->space) {
		mapping = container_of(node, struct mockgpu_hw_mapping, node);
		if (!all && !mapping->is_lost)
			continue;
		drm_mm_remove_node(node);
		atomic64_sub(mockgpu_hw_mapping_pages(mapping),
			     &iommu->live_pages);
		kfree(mapping);
	}
	spin_unlock_irqrestore(&iommu->lock, flags);
}

/**
 * mockgpu_hw_iommu_drop_lost() - make up for the unmap calls that did not come
 * @hw: the device
 *
 * Context: Any.
 */
void mockgpu_hw_iommu_drop_lost(struct mockgpu_hw *hw)
{
	mockgpu_hw_iommu_drop(hw, false);
}

/**
 * mockgpu_hw_iommu_end() - nothing may be mapped any more
 * @hw: the device, which is being unplugged
 *
 * Context: Any.
 */
void mockgpu_hw_iommu_end(struct mockgpu_hw *hw)
{
	u64 left = atomic64_read(&hw->iommu.live_pages);

	if (left)
		mockgpu_hw_error(hw, MOCKGPU_HW_DMA_LEFT_MAPPED,
				 "%llu pages are mapped for DMA to a device that goes",
				 left);
	mockgpu_hw_iommu_drop(hw, true);
}

/**
 * mockgpu_hw_iommu_fini() - undo mockgpu_hw_iommu_init()
 * @iommu: with nothing mapped
 *
 * Context: Process context.
 */
void mockgpu_hw_iommu_fini(struct mockgpu_hw_iommu *iommu)
{
	drm_mm_takedown(&iommu->space);
}
