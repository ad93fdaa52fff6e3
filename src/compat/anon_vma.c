// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Keep what leads from an anonymous page to its mappings.
 *
 * Whoever unmaps a page without holding on to one of its mappings has to do that,
 * or the last process may end meanwhile and take it along, although core mm still
 * wants to go through it to look for entries to restore. Core mm has functions
 * for this, but exports neither the one that takes a reference nor the one that
 * frees.
 */
#include <linux/mm.h>
#include <linux/rcupdate.h>
#include <linux/rmap.h>
#include <linux/slab.h>

#include "anon_vma.h"

/* 6.17 gave the bits in folio->mapping another name. */
#ifdef FOLIO_MAPPING_ANON
#define GSB_MAPPING_ANON	FOLIO_MAPPING_ANON
#define GSB_MAPPING_FLAGS	FOLIO_MAPPING_FLAGS
#else
#define GSB_MAPPING_ANON	PAGE_MAPPING_ANON
#define GSB_MAPPING_FLAGS	PAGE_MAPPING_FLAGS
#endif

static struct anon_vma *gsb_anon_vma_last(struct folio *folio)
{
	unsigned long mapping = (unsigned long)READ_ONCE(folio->mapping);

	if ((mapping & GSB_MAPPING_FLAGS) != GSB_MAPPING_ANON)
		return NULL;
	return (struct anon_vma *)(mapping - GSB_MAPPING_ANON);
}

/* As long as it is mapped what this returns is in use. */
static struct anon_vma *gsb_anon_vma_of(struct folio *folio)
{
	struct anon_vma *anon = gsb_anon_vma_last(folio);

	return folio_mapped(folio) ? anon : NULL;
}

/* Its memory stays one such object for a grace period after it is freed. */
static struct anon_vma *gsb_anon_vma_try_get(struct anon_vma *anon)
{
	return anon && atomic_inc_not_zero(&anon->refcount) ? anon : NULL;
}

/**
 * gsb_anon_vma_get() - keep the way from a page to its mappings
 * @folio: the page; it need not be locked, nor kept from being freed
 *
 * The memory of such an object stays one for a grace period after it is freed, so
 * it can be looked at before it is known to be the right one.
 *
 * Context: Process context.
 * Return: What gsb_anon_vma_put() lets go of; NULL for a page that is not
 * anonymous or just now not mapped.
 */
struct anon_vma *gsb_anon_vma_get(struct folio *folio)
{
	struct anon_vma *anon;

	rcu_read_lock();
	anon = gsb_anon_vma_try_get(gsb_anon_vma_of(folio));
	rcu_read_unlock();

	if (anon && gsb_anon_vma_of(folio) != anon) {
		gsb_anon_vma_put(anon);
		anon = NULL;
	}
	return anon;
}

/**
 * gsb_anon_vma_leads_to() - is it also what this page has?
 * @anon: what gsb_anon_vma_get() returned, not yet let go of
 * @folio: the page; it need not be locked, nor kept from being freed
 *
 * Context: Any.
 * Return: true if gsb_anon_vma_get() would return the same.
 */
bool gsb_anon_vma_leads_to(const struct anon_vma *anon, struct folio *folio)
{
	return gsb_anon_vma_of(folio) == anon;
}

/**
 * gsb_anon_vma_was() - did it lead to the mappings of a page that was unmapped?
 * @anon: what gsb_anon_vma_get() returned, not yet let go of
 * @folio: the page, locked
 *
 * Context: Any.
 * Return: true if it did.
 */
bool gsb_anon_vma_was(const struct anon_vma *anon, struct folio *folio)
{
	return gsb_anon_vma_last(folio) == anon;
}

/**
 * gsb_anon_vma_get_again() - keep the way to where a page was mapped
 * @folio: the page, locked, with entries in page tables that stand for it
 * @instead: what gsb_anon_vma_get() returned for any other
 *
 * If that way is gone, so are all mappings and there is nothing to restore. Whoever
 * wants to do so nevertheless goes the way that there is, and finds nothing.
 *
 * Context: Process context.
 * Return: What gsb_anon_vma_put() lets go of; NULL if the page has @instead now.
 */
struct anon_vma *gsb_anon_vma_get_again(struct folio *folio,
					struct anon_vma *instead)
{
	struct anon_vma *anon;

	rcu_read_lock();
	anon = gsb_anon_vma_try_get(gsb_anon_vma_last(folio));
	rcu_read_unlock();
	if (!anon)
		WRITE_ONCE(folio->mapping,
			   (void *)((unsigned long)instead + GSB_MAPPING_ANON));
	return anon;
}

/* Who had it locked last may not be done with unlocking it. */
static void gsb_anon_vma_free(struct anon_vma *anon)
{
	struct rw_semaphore *lock = &anon->root->rwsem;

	if (rwsem_is_locked(lock)) {
		down_write(lock);
		up_write(lock);
	}
	kfree(anon);
}

/**
 * gsb_anon_vma_put() - let go of what gsb_anon_vma_get() returned
 * @anon: the object
 *
 * Context: May sleep.
 */
void gsb_anon_vma_put(struct anon_vma *anon)
{
	struct anon_vma *root = anon->root;

	if (!atomic_dec_and_test(&anon->refcount))
		return;
	gsb_anon_vma_free(anon);
	if (root != anon && atomic_dec_and_test(&root->refcount))
		gsb_anon_vma_free(root);
}
