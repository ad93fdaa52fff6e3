/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef GSB_COMPAT_IOVA_H
#define GSB_COMPAT_IOVA_H

#include <linux/dma-mapping.h>

#include "compat/compat.h"

struct dma_iova_state;
struct page;

/*
 * One range of device addresses that many runs of pages are linked into: one
 * reservation and one flush of the IOMMU for all of them. Not every device has
 * an IOMMU that can; then each run is mapped by itself.
 */
struct gsb_iova {
#ifdef GSB_HAVE_DMA_IOVA
	struct dma_iova_state state;
#endif
	size_t linked;			/* bytes */
};

#ifdef GSB_HAVE_DMA_IOVA

static inline bool gsb_iova_in_use(struct gsb_iova *iova)
{
	return dma_use_iova(&iova->state);
}

/* For those who are to see it. */
static inline void gsb_iova_show(const struct gsb_iova *iova,
				 struct dma_iova_state *state)
{
	*state = iova->state;
}

bool gsb_iova_reserve(struct gsb_iova *iova, struct device *dev, size_t size);
int gsb_iova_link(struct gsb_iova *iova, struct device *dev, struct page *page,
		  size_t size, enum dma_data_direction dir, dma_addr_t *addr);
int gsb_iova_sync(struct gsb_iova *iova, struct device *dev);
void gsb_iova_release(struct gsb_iova *iova, struct device *dev,
		      enum dma_data_direction dir);

#else

/* Never in use: nothing below is ever called. */
static inline bool gsb_iova_in_use(struct gsb_iova *iova)
{
	return false;
}

static inline void gsb_iova_show(const struct gsb_iova *iova,
				 struct dma_iova_state *state)
{
}

static inline bool gsb_iova_reserve(struct gsb_iova *iova, struct device *dev,
				    size_t size)
{
	return false;
}

static inline int gsb_iova_link(struct gsb_iova *iova, struct device *dev,
				struct page *page, size_t size,
				enum dma_data_direction dir, dma_addr_t *addr)
{
	return -EOPNOTSUPP;
}

static inline int gsb_iova_sync(struct gsb_iova *iova, struct device *dev)
{
	return -EOPNOTSUPP;
}

static inline void gsb_iova_release(struct gsb_iova *iova, struct device *dev,
				    enum dma_data_direction dir)
{
}

#endif

#endif
