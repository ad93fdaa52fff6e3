// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include <linux/io.h>

#include "iova.h"

#ifdef GSB_HAVE_DMA_IOVA

/**
 * gsb_iova_reserve() - reserve device addresses
 * @iova: zeroed
 * @dev: device that will use them
 * @size: bytes, a multiple of the page size
 *
 * Context: May sleep.
 * Return: true if there are; false when runs have to be mapped one by one.
 */
bool gsb_iova_reserve(struct gsb_iova *iova, struct device *dev, size_t size)
{
	return dma_iova_try_alloc(dev, &iova->state, 0, size);
}

/**
 * gsb_iova_link() - put one run behind the last
 * @iova: reservation that has room for it
 * @dev: the device
 * @page: first page of the run
 * @size: bytes
 * @dir: direction of the transfer
 * @addr: out: where the device finds it, after gsb_iova_sync()
 *
 * Context: May sleep.
 * Return: 0 or a negative error of the IOMMU; then nothing was added.
 */
int gsb_iova_link(struct gsb_iova *iova, struct device *dev, struct page *page,
		  size_t size, enum dma_data_direction dir, dma_addr_t *addr)
{
	int err;

	err = dma_iova_link(dev, &iova->state, page_to_phys(page), iova->linked,
			    size, dir, 0);
	if (err)
		return err;
	*addr = iova->state.addr + iova->linked;
	iova->linked += size;
	return 0;
}

/**
 * gsb_iova_sync() - make the device see what was linked
 * @iova: the reservation
 * @dev: the device
 *
 * Context: May sleep.
 * Return: 0 or a negative error of the IOMMU.
 */
int gsb_iova_sync(struct gsb_iova *iova, struct device *dev)
{
	return iova->linked ? dma_iova_sync(dev, &iova->state, 0, iova->linked) :
			      0;
}

/**
 * gsb_iova_release() - unlink all runs and give the whole reservation back
 * @iova: the reservation, as far as it got
 * @dev: the device
 * @dir: direction the runs were linked for
 *
 * Context: May sleep.
 */
void gsb_iova_release(struct gsb_iova *iova, struct device *dev,
		      enum dma_data_direction dir)
{
	/*
	 * Not dma_iova_destroy(): it gives back as much as was linked, which may be less, and
	 * with a queue for flushes it does not wait until the IOMMU forgets.
	 */
	if (iova->linked)
		dma_iova_unlink(dev, &iova->state, 0, iova->linked, dir, 0);
	dma_iova_free(dev, &iova->state);
	memset(iova, 0, sizeof(*iova));
}

#endif
