// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * DMA mappings of a pages object: made, found and taken down.
 *
 * Everything here happens under the notifier lock: what is mapped is unmapped with
 * it held for writing, for who has it for reading may use what is valid; pages are
 * mapped with it held for reading and the pages object's own lock, and unmapped
 * then only if nobody was told of them. gpusvm->mapped_lock is innermost,
 * for the tree of what is mapped, which several may change while they hold the
 * notifier lock for reading.
 */
#include <linux/hmm.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/slab.h>

#include <drm/drm_device.h>
#include <drm/drm_gpusvm.h>

#include "compat/compat.h"
#include "compat/dma.h"
#include "get.h"
#include "map.h"
#include "../stats.h"
#include "trace.h"

/*
 * The CPU and the device use the pages at the same time, which goes without
 * syncing or not at all; and one page may be mapped more than once.
 */
#define GSB_MAP_ATTRS	DMA_ATTR_SKIP_CPU_SYNC

static struct device *gsb_map_device(const struct drm_gpusvm_map *map)
{
	return map->pages->drm->dev;
}

/**
 * gsb_map_alloc() - make a record of nothing
 * @npages: pages it is to be for
 *
 * Context: May sleep and reclaim: the notifier lock not held.
 * Return: The record, for kvfree(); NULL when there is no memory.
 */
struct drm_gpusvm_map *gsb_map_alloc(unsigned long npages)
{
	const size_t per_page = sizeof(struct drm_pagemap_addr) +
				sizeof(struct drm_pagemap *);
	struct drm_gpusvm_map *map;
	size_t size;

	if (check_mul_overflow(npages, per_page, &size) ||
	    check_add_overflow(size, sizeof(*map), &size))
		return NULL;
	map = kvzalloc(size, GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
	if (!map)
		return NULL;
	map->npages = npages;
	map->providers = (struct drm_pagemap **)(map->addr + npages);
	RB_CLEAR_NODE(&map->node.rb);
	return map;
}

static void gsb_map_track(struct drm_gpusvm *gpusvm,
			  struct drm_gpusvm_map *map)
{
	spin_lock(&gpusvm->mapped_lock);
	interval_tree_insert(&map->node, &gpusvm->mapped);
	spin_unlock(&gpusvm->mapped_lock);
}

static void gsb_map_untrack(struct drm_gpusvm *gpusvm,
			    struct drm_gpusvm_map *map)
{
	spin_lock(&gpusvm->mapped_lock);
	interval_tree_remove(&map->node, &gpusvm->mapped);
	RB_CLEAR_NODE(&map->node.rb);
	spin_unlock(&gpusvm->mapped_lock);
}

/* Do the pages at @i and @i + @n lie side by side, at one provider? */
static bool gsb_map_extends(const struct gsb_get *get, unsigned long i,
			    unsigned long n)
{
	struct page *page = hmm_pfn_to_page(get->pfns[i]);
	struct page *other = hmm_pfn_to_page(get->pfns[i + n]);

	if (page_to_pfn(other) != page_to_pfn(page) + n)
		return false;
	if (is_zone_device_page(page) != is_zone_device_page(other))
		return false;
	return !is_zone_device_page(page) ||
	       gsb_page_pgmap(other) == gsb_page_pgmap(page);
}

/* How many pages of system memory there are at most from @page on. */
static unsigned long gsb_map_folio_rest(struct page *page)
{
	struct folio *folio = page_folio(page);

	return folio_nr_pages(folio) - (page_to_pfn(page) - folio_pfn(folio));
}

/*
 * The order of the entry for page @i. Only pages that were found in the range are
 * counted. Whether neighbours are of one folio is nothing to the device: small pages
 * that were had one after the other are one mapping.
 */
static unsigned int gsb_map_order(const struct gsb_get *get, unsigned long i,
				  unsigned long limit)
{
	unsigned long n = gsb_get_block(get, i);

	limit = min(limit, get->npages - i);
	while (n < limit && gsb_map_extends(get, i, n))
		n += gsb_get_block(get, i + n);
	return ilog2(min(n, limit));
}

/*
 * The device's stores do not show in the CPU's page table, and what is clean
 * there reclaim drops: after a read from swap, or after MADV_FREE. It unmaps
 * before it looks, and so does whoever makes a folio clean; so to say it once
 * for each mapping is enough. Files that are written back see to it themselves:
 * their pages are writable for the CPU only while they are dirty.
 */
static void gsb_map_mark_folio_dirty(struct folio *folio)
{
	if ((folio_test_anon(folio) || folio_test_swapbacked(folio)) &&
	    !folio_test_dirty(folio))
		folio_mark_dirty(folio);
}

/* All folios of @npages pages that lie side by side. */
static void gsb_map_mark_dirty(struct page *page, unsigned long npages)
{
	unsigned long pfn = page_to_pfn(page);
	unsigned long end = pfn + npages;

	while (pfn < end) {
		page = pfn_to_page(pfn);
		gsb_map_mark_folio_dirty(page_folio(page));
		pfn += gsb_map_folio_rest(page);
	}
}

static void gsb_map_record(struct drm_gpusvm_map *map,
			   struct drm_pagemap_addr addr)
{
	map->addr[map->entries++] = addr;
	map->mapped += NR_PAGES(addr.order);
	gsb_stat_add(GSB_STAT_LIVE_MAPPED, NR_PAGES(addr.order));
}

static int gsb_map_system_addr(struct drm_gpusvm_map *map, struct page *page,
			       size_t size, dma_addr_t *addr)
{
	struct device *dev = gsb_map_device(map);

	if (gsb_iova_in_use(&map->iova))
		return gsb_iova_link(&map->iova, dev, page, size, map->dir,
				     addr);
	*addr = dma_map_page_attrs(dev, page, 0, size, map->dir, GSB_MAP_ATTRS);
	return dma_mapping_error(dev, *addr) ? -ENOMEM : 0;
}

static int gsb_map_system(struct drm_gpusvm_map *map, struct page *page,
			  unsigned int order)
{
	dma_addr_t addr;
	int err;

	err = gsb_map_system_addr(map, page, PAGE_SIZE << order, &addr);
	if (err)
		return err;
	gsb_map_record(map,
		       drm_pagemap_addr_encode(addr, DRM_INTERCONNECT_SYSTEM,
					       order, map->dir));
	/* The CPU and the device would see different memory. */
	if (!gsb_iova_in_use(&map->iova) &&
	    gsb_dma_bounces(gsb_map_device(map), addr))
		return -EOPNOTSUPP;
	if (map->dir != DMA_TO_DEVICE)
		gsb_map_mark_dirty(page, NR_PAGES(order));
	return 0;
}

static int gsb_map_foreign(struct drm_gpusvm_map *map, struct page *page,
			   unsigned int order)
{
	struct drm_pagemap *provider = drm_pagemap_page_to_dpagemap(page);
	struct device *dev = gsb_map_device(map);
	struct drm_pagemap_addr addr;

	addr = provider->ops->device_map(provider, dev, page, order, map->dir);
	if (dma_mapping_error(dev, addr.addr))
		return -ENOMEM;
	/* The next entry is where this says. */
	WARN_ON_ONCE(addr.order != order);
	addr.order = order;
	map->providers[map->entries] = drm_pagemap_get(provider);
	gsb_map_record(map, addr);
	return 0;
}

static int gsb_map_entry(const struct gsb_get *get, struct drm_gpusvm_map *map,
			 unsigned long i, unsigned long limit)
{
	struct page *page = hmm_pfn_to_page(get->pfns[i]);
	unsigned int order = gsb_map_order(get, i, limit);

	return is_zone_device_page(page) ?
		       gsb_map_foreign(map, page, order) :
		       gsb_map_system(map, page, order);
}

static int gsb_map_all(const struct gsb_get *get, struct drm_gpusvm_map *map)
{
	struct device *dev = gsb_map_device(map);
	unsigned long limit = dma_max_mapping_size(dev) >> PAGE_SHIFT;
	int err = 0;

	limit = max(limit, 1UL);
	while (map->mapped < map->npages && !err)
		err = gsb_map_entry(get, map, map->mapped, limit);
	if (!err && gsb_iova_in_use(&map->iova))
		err = gsb_iova_sync(&map->iova, dev);
	return err;
}

static void gsb_unmap_foreign(struct drm_gpusvm_map *map, unsigned long i)
{
	struct drm_pagemap *provider = map->providers[i];

	if (provider->ops->device_unmap)
		provider->ops->device_unmap(provider, gsb_map_device(map),
					    &map->addr[i]);
	map->providers[i] = NULL;
	drm_pagemap_put(provider);
}

static void gsb_unmap_entry(struct drm_gpusvm_map *map, unsigned long i)
{
	const struct drm_pagemap_addr *addr = &map->addr[i];

	if (map->providers[i])
		gsb_unmap_foreign(map, i);
	else if (!gsb_iova_in_use(&map->iova))
		dma_unmap_page_attrs(gsb_map_device(map), addr->addr,
				     PAGE_SIZE << addr->order, map->dir,
				     GSB_MAP_ATTRS);
}

static void gsb_unmap_iova(struct drm_gpusvm_map *map)
{
	if (gsb_iova_in_use(&map->iova))
		gsb_iova_release(&map->iova, gsb_map_device(map), map->dir);
}

/**
 * gsb_map_take_down() - unmap whatever is mapped
 * @gpusvm: the address space
 * @pages: the pages object; with nothing mapped nothing happens
 *
 * The only place where mappings end: after use, after any error and when the
 * CPU changes its page table.
 *
 * Context: The notifier lock held for writing; or, for what was not published,
 * for reading with the pages object's lock.
 */
void gsb_map_take_down(struct drm_gpusvm *gpusvm,
		       struct drm_gpusvm_pages *pages)
{
	struct drm_gpusvm_map *map = pages->map;
	unsigned long i;

	lockdep_assert_held(&gpusvm->notifier_lock);
	if (!map || RB_EMPTY_NODE(&map->node.rb))
		return;

	for (i = 0; i < map->entries; i++)
		gsb_unmap_entry(map, i);
	gsb_unmap_iova(map);
	gsb_map_untrack(gpusvm, map);
	gsb_stat_sub(GSB_STAT_LIVE_MAPPED, map->mapped);
	trace_gsb_unmap(map);
	map->mapped = 0;
	map->entries = 0;

	pages->flags.has_devmem_pages = false;
	pages->flags.has_dma_mapping = false;
	pages->dpagemap = NULL;
	gsb_iova_show(&map->iova, &pages->state);
	pages->state_offset = 0;
}

/* What was prepared becomes the object's; what it had is left in its place. */
static struct drm_gpusvm_map *gsb_map_install(struct gsb_get *get)
{
	struct drm_gpusvm_pages *pages = get->pages;
	struct drm_gpusvm_map *map;

	if (get->map)
		swap(get->map, pages->map);
	else
		memset(pages->map->addr, 0,
		       pages->map->npages * sizeof(*pages->map->addr));
	map = pages->map;
	map->pages = pages;
	map->notifier = get->notifier;
	map->dir = get->ctx->read_only ? DMA_TO_DEVICE : DMA_BIDIRECTIONAL;
	map->mix = get->mix;
	map->node.start = get->start;
	map->node.last = get->end - 1;
	swap(map->iova, get->iova);
	pages->dma_addr = map->addr;
	gsb_map_track(get->gpusvm, map);
	return map;
}

static void gsb_map_publish(struct drm_gpusvm_pages *pages,
			    struct drm_gpusvm_map *map)
{
	struct drm_gpusvm_pages_flags flags = pages->flags;

	/* Nothing but device memory: nobody needs the reservation. */
	if (!map->mix.system)
		gsb_unmap_iova(map);
	gsb_iova_show(&map->iova, &pages->state);
	pages->state_offset = map->iova.linked;
	pages->dpagemap = gsb_mix_provider(&map->mix);

	flags.has_devmem_pages = map->mix.device > 0;
	flags.has_dma_mapping = true;
	/* Behind the addresses, for drm_gpusvm_pages_valid(). */
	smp_store_release(&pages->flags.__flags, flags.__flags);
	gsb_stat_add(GSB_STAT_PAGES_MAPPED, map->npages);
}

/**
 * gsb_map_pages() - map all pages of a call that were sorted
 * @get: the call; what it prepared is taken over
 *
 * Context: The pages object's lock and the notifier lock held, the sequence
 * number is current, and nothing of the object is mapped.
 * Return: 0; -ENOMEM when the device's addresses or those of a provider do not
 * suffice; -EOPNOTSUPP when the mapping would be a copy; or what the IOMMU
 * said. After an error nothing is mapped.
 */
int gsb_map_pages(struct gsb_get *get)
{
	struct drm_gpusvm_map *map;
	int err;

	lockdep_assert_held(&get->pages->lock);
	WARN_ON_ONCE(get->pages->flags.has_dma_mapping);
	map = gsb_map_install(get);
	err = gsb_map_all(get, map);
	if (err)
		gsb_map_take_down(get->gpusvm, get->pages);
	else
		gsb_map_publish(get->pages, map);
	return err;
}

/* All device pages of a record have the same owner. */
static bool gsb_map_is_reachable(const struct drm_gpusvm_map *map,
				 const struct drm_gpusvm_ctx *ctx)
{
	return !map->mix.device || map->mix.provider->pagemap->owner ==
					   ctx->device_private_page_owner;
}

/**
 * gsb_map_covers() - is what is mapped all that is asked for?
 * @get: the call
 *
 * A mapping for reading is not enough for a device that wants to write: its
 * pages may be shared, as the page of zeroes is.
 *
 * Context: The pages object's lock and the notifier lock held.
 * Return: true if it is.
 */
bool gsb_map_covers(const struct gsb_get *get)
{
	const struct drm_gpusvm_pages *pages = get->pages;
	const struct drm_gpusvm_map *map = pages->map;

	if (!pages->flags.has_dma_mapping || pages->flags.unmapped)
		return false;
	if (map->notifier != get->notifier || map->node.start != get->start ||
	    map->npages != get->npages)
		return false;
	if (map->dir == DMA_TO_DEVICE && !get->ctx->read_only)
		return false;
	return gsb_map_is_reachable(map, get->ctx) &&
	       !gsb_mix_check(&map->mix, get->ctx);
}

/**
 * gsb_map_revoke() - unmap everything in an interval
 * @gpusvm: the address space
 * @notifier: only what was mapped with this notifier
 * @first: first user address
 * @last: last user address
 *
 * Context: The notifier lock held for writing.
 * Return: true if there was anything.
 */
bool gsb_map_revoke(struct drm_gpusvm *gpusvm,
		    const struct mmu_interval_notifier *notifier,
		    unsigned long first, unsigned long last)
{
	struct interval_tree_node *node, *next;
	bool found = false;

	lockdep_assert_held_write(&gpusvm->notifier_lock);
	node = interval_tree_iter_first(&gpusvm->mapped, first, last);
	for (; node; node = next) {
		struct drm_gpusvm_map *map =
			container_of(node, struct drm_gpusvm_map, node);

		next = interval_tree_iter_next(node, first, last);
		if (map->notifier != notifier)
			continue;
		gsb_map_take_down(gpusvm, map->pages);
		found = true;
	}
	return found;
}
