// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The MMU: from virtual addresses of one VM to memory.
 *
 * A page table has two levels: tables of 2 MiB, and where they are. What was
 * translated once is kept in a TLB, which knows nothing of changes of the page
 * table until the driver flushes it. An access that began before a flush is over
 * when the flush is. A translation says which generation of a page it leads to.
 *
 * Locks: mockgpu_hw_mmu.running is held for reading by each access, and for
 * writing by flushes, which wait for accesses with it; then, both leaves,
 * mockgpu_hw_mmu.tlb_lock and the lock of the xarray.
 */
#include <linux/bitfield.h>
#include <linux/bitmap.h>
#include <linux/bits.h>
#include <linux/mm.h>
#include <linux/rwsem.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/xarray.h>

#include "internal.h"

#define MOCKGPU_HW_PTES		(SZ_2M >> PAGE_SHIFT)

/* A page table entry: a page address, and these. */
#define MOCKGPU_HW_PTE_VALID	BIT_ULL(0)
#define MOCKGPU_HW_PTE_WRITE	BIT_ULL(1)
#define MOCKGPU_HW_PTE_BUS	GENMASK_ULL(3, 2)
#define MOCKGPU_HW_PTE_ATOMIC	BIT_ULL(4)
#define MOCKGPU_HW_PTE_GENERATION	GENMASK_ULL(11, 5)
#define MOCKGPU_HW_PTE_ADDR	GENMASK_ULL(63, PAGE_SHIFT)

struct mockgpu_hw_table {
	u64 ptes[MOCKGPU_HW_PTES];
};

struct mockgpu_hw_tlb_entry {
	u64 page;
	u64 pte;
};

struct mockgpu_hw_mmu {
	struct mockgpu_hw *hw;
	u64 number;
	struct xarray tables;
	struct rw_semaphore running;	/* see above */
	spinlock_t tlb_lock;		/* a leaf */
	struct mockgpu_hw_tlb_entry tlb[MOCKGPU_HW_TLB_SIZE];
};

/**
 * mockgpu_hw_mmu_create() - a new address space without translations
 * @hw: the device, which has to stay
 *
 * Context: Process context, may sleep.
 * Return: the MMU, or NULL when there is no memory.
 */
struct mockgpu_hw_mmu *mockgpu_hw_mmu_create(struct mockgpu_hw *hw)
{
	struct mockgpu_hw_mmu *mmu = kzalloc(sizeof(*mmu), GFP_KERNEL_ACCOUNT);

	if (!mmu)
		return NULL;

	mmu->hw = hw;
	xa_init(&mmu->tables);
	init_rwsem(&mmu->running);
	spin_lock_init(&mmu->tlb_lock);
	atomic_inc(&hw->mmus);
	return mmu;
}

/**
 * mockgpu_hw_mmu_set_number() - how the driver calls an address space
 * @mmu: the address space
 * @number: for messages
 *
 * Context: Any.
 */
void mockgpu_hw_mmu_set_number(struct mockgpu_hw_mmu *mmu, u64 number)
{
	mmu->number = number;
}

static struct mockgpu_hw_addr mockgpu_hw_pte_addr(u64 pte)
{
	return (struct mockgpu_hw_addr){
		.bus = FIELD_GET(MOCKGPU_HW_PTE_BUS, pte),
		.addr = pte & MOCKGPU_HW_PTE_ADDR,
	};
}

/* VRAM knows how many translations lead to it. */
static void mockgpu_hw_mmu_set(struct mockgpu_hw_mmu *mmu, u64 *slot, u64 pte)
{
	u64 old = xchg(slot, pte);

	if (old && mockgpu_hw_pte_addr(old).bus == MOCKGPU_HW_BUS_VRAM)
		mockgpu_hw_vram_count_mapped(mmu->hw,
					     mockgpu_hw_pte_addr(old).addr, -1);
	if (pte && mockgpu_hw_pte_addr(pte).bus == MOCKGPU_HW_BUS_VRAM)
		mockgpu_hw_vram_count_mapped(mmu->hw,
					     mockgpu_hw_pte_addr(pte).addr, 1);
}

/* Returns how many translations there were. */
static unsigned int mockgpu_hw_mmu_empty_table(struct mockgpu_hw_mmu *mmu,
					       struct mockgpu_hw_table *table)
{
	unsigned int i, count = 0;

	for (i = 0; i < MOCKGPU_HW_PTES; i++) {
		count += table->ptes[i] != 0;
		mockgpu_hw_mmu_set(mmu, &table->ptes[i], 0);
	}
	return count;
}

/**
 * mockgpu_hw_mmu_destroy() - the end of an address space
 * @mmu: with nothing mapped and no access going on; or NULL
 *
 * Context: Process context, may sleep.
 */
void mockgpu_hw_mmu_destroy(struct mockgpu_hw_mmu *mmu)
{
	struct mockgpu_hw_table *table;
	unsigned long index;

	if (!mmu)
		return;

	xa_for_each(&mmu->tables, index, table) {
		if (mockgpu_hw_mmu_empty_table(mmu, table))
			mockgpu_hw_error(mmu->hw, MOCKGPU_HW_SPACE_LEFT_MAPPED,
					 "an address space goes with 2 MiB at %#lx in use",
					 index * SZ_2M);
		kfree(table);
		cond_resched();
	}
	xa_destroy(&mmu->tables);
	if (atomic_dec_and_test(&mmu->hw->mmus))
		mockgpu_hw_iommu_audit(mmu->hw);
	kfree(mmu);
}

static int mockgpu_hw_mmu_add_table(struct mockgpu_hw_mmu *mmu,
				    unsigned long index)
{
	struct mockgpu_hw_table *table;
	int ret;

	if (xa_load(&mmu->tables, index))
		return 0;

	table = kzalloc(sizeof(*table), GFP_KERNEL_ACCOUNT);
	if (!table)
		return -ENOMEM;
	ret = xa_insert(&mmu->tables, index, table, GFP_KERNEL_ACCOUNT);
	if (ret)
		kfree(table);
	return ret == -EBUSY ? 0 : ret;
}

/**
 * mockgpu_hw_mmu_prepare() - make room for translations
 * @mmu: the address space
 * @start: user address, a multiple of the page size
 * @end: user address, likewise
 *
 * Context: Process context, may sleep.
 * Return: 0 or -ENOMEM.
 */
int mockgpu_hw_mmu_prepare(struct mockgpu_hw_mmu *mmu, u64 start, u64 end)
{
	unsigned long index;
	int ret = 0;

	for (index = start / SZ_2M; index <= (end - 1) / SZ_2M && !ret; index++)
		ret = mockgpu_hw_mmu_add_table(mmu, index);
	return ret;
}

/* The entry for a page, or NULL if nothing was ever mapped near it. */
static u64 *mockgpu_hw_mmu_pte(struct mockgpu_hw_mmu *mmu, u64 addr)
{
	struct mockgpu_hw_table *table = xa_load(&mmu->tables, addr / SZ_2M);

	return table ? &table->ptes[addr % SZ_2M >> PAGE_SHIFT] : NULL;
}

static u8 mockgpu_hw_mmu_generation(struct mockgpu_hw_mmu *mmu,
				    struct mockgpu_hw_addr at)
{
	switch (at.bus) {
	case MOCKGPU_HW_BUS_VRAM:
		return mockgpu_hw_vram_generation(mmu->hw, at.addr);
	case MOCKGPU_HW_BUS_DMA:
		return mockgpu_hw_iommu_generation(mmu->hw, at.addr);
	default:
		return 0;
	}
}

static u64 mockgpu_hw_mmu_new_pte(struct mockgpu_hw_mmu *mmu,
				  struct mockgpu_hw_addr to, unsigned int how)
{
	u64 allowed = MOCKGPU_HW_PTE_VALID;

	if (how & MOCKGPU_HW_MAP_WRITE)
		allowed |= MOCKGPU_HW_PTE_WRITE;
	if (how == MOCKGPU_HW_MAP_WRITE)
		allowed |= MOCKGPU_HW_PTE_ATOMIC;
	return to.addr | allowed |
	       FIELD_PREP(MOCKGPU_HW_PTE_BUS, to.bus) |
	       FIELD_PREP(MOCKGPU_HW_PTE_GENERATION,
			  mockgpu_hw_mmu_generation(mmu, to));
}

/* How many entries there are from that of a page to the end of its table. */
static unsigned long mockgpu_hw_mmu_in_table(u64 addr)
{
	return MOCKGPU_HW_PTES - (addr % SZ_2M >> PAGE_SHIFT);
}

static void mockgpu_hw_mmu_map_in_table(struct mockgpu_hw_mmu *mmu, u64 *pte,
					unsigned long n,
					struct mockgpu_hw_addr to,
					unsigned int how)
{
	for (; n--; pte++, to.addr += PAGE_SIZE)
		mockgpu_hw_mmu_set(mmu, pte,
				   mockgpu_hw_mmu_new_pte(mmu, to, how));
}

/**
 * mockgpu_hw_mmu_map() - translate some pages from now on
 * @mmu: the address space, prepared for them
 * @start: user address, a multiple of the page size
 * @npages: how many, all of them in one piece there
 * @to: where the first one leads
 * @how: MOCKGPU_HW_MAP_* bits
 *
 * Context: Any.
 */
void mockgpu_hw_mmu_map(struct mockgpu_hw_mmu *mmu, u64 start,
			unsigned long npages, struct mockgpu_hw_addr to,
			unsigned int how)
{
	unsigned long n;

	for (; npages; npages -= n, start += n << PAGE_SHIFT) {
		n = min(npages, mockgpu_hw_mmu_in_table(start));
		mockgpu_hw_mmu_map_in_table(mmu, mockgpu_hw_mmu_pte(mmu, start),
					    n, to, how);
		to.addr += n << PAGE_SHIFT;
	}
}

static void mockgpu_hw_mmu_unmap_in_table(struct mockgpu_hw_mmu *mmu, u64 *pte,
					  unsigned long n)
{
	for (; n--; pte++)
		if (READ_ONCE(*pte))
			mockgpu_hw_mmu_set(mmu, pte, 0);
}

/**
 * mockgpu_hw_mmu_unmap() - do not translate some pages any more
 * @mmu: the address space
 * @start: user address, a multiple of the page size
 * @end: user address, likewise
 *
 * Until mockgpu_hw_mmu_flush(), what was translated before is still in use.
 *
 * Context: Any.
 */
void mockgpu_hw_mmu_unmap(struct mockgpu_hw_mmu *mmu, u64 start, u64 end)
{
	unsigned long n;
	u64 *pte;

	for (; start < end; start += n << PAGE_SHIFT) {
		n = min_t(u64, (end - start) >> PAGE_SHIFT,
			  mockgpu_hw_mmu_in_table(start));
		pte = mockgpu_hw_mmu_pte(mmu, start);
		if (pte)
			mockgpu_hw_mmu_unmap_in_table(mmu, pte, n);
	}
}

/**
 * mockgpu_hw_mmu_flush() - forget old translations of some pages
 * @mmu: the address space
 * @start: user address
 * @end: user address
 *
 * When it returns, no access uses them any more.
 *
 * Context: Process context, may sleep for as long as an access to one page.
 */
void mockgpu_hw_mmu_flush(struct mockgpu_hw_mmu *mmu, u64 start, u64 end)
{
	struct mockgpu_hw_tlb_entry *entry;

	down_write(&mmu->running);
	for (entry = mmu->tlb; entry < &mmu->tlb[MOCKGPU_HW_TLB_SIZE]; entry++)
		if (entry->page >= start && entry->page < end)
			entry->pte = 0;
	up_write(&mmu->running);
}

static struct mockgpu_hw_tlb_entry *
mockgpu_hw_mmu_tlb_entry(struct mockgpu_hw_mmu *mmu, u64 page)
{
	return &mmu->tlb[(page >> PAGE_SHIFT) % MOCKGPU_HW_TLB_SIZE];
}

/* The one bit of a translation that says it. */
static u64 mockgpu_hw_pte_needed(enum mockgpu_hw_op op)
{
	if (mockgpu_hw_op_is_atomic(op))
		return MOCKGPU_HW_PTE_ATOMIC;
	return mockgpu_hw_op_writes(op) ? MOCKGPU_HW_PTE_WRITE :
					  MOCKGPU_HW_PTE_VALID;
}

/* What the page table says now; it goes into the TLB. */
static u64 mockgpu_hw_mmu_walk(struct mockgpu_hw_mmu *mmu, u64 page)
{
	struct mockgpu_hw_tlb_entry *entry = mockgpu_hw_mmu_tlb_entry(mmu, page);
	u64 *slot = mockgpu_hw_mmu_pte(mmu, page);
	u64 pte = slot ? READ_ONCE(*slot) : 0;

	if (pte) {
		spin_lock(&mmu->tlb_lock);
		entry->page = page;
		entry->pte = pte;
		spin_unlock(&mmu->tlb_lock);
	}
	return pte;
}

/* Does the page table say something else than what a translation was? */
static bool mockgpu_hw_mmu_is_stale(struct mockgpu_hw_mmu *mmu, u64 page,
				    u64 pte)
{
	u64 *slot = mockgpu_hw_mmu_pte(mmu, page);

	return !slot || READ_ONCE(*slot) != pte;
}

/* One that allows too little may have been changed since, so that is no fault yet. */
static u64 mockgpu_hw_mmu_translate(struct mockgpu_hw_mmu *mmu, u64 page,
				    u64 needed)
{
	struct mockgpu_hw_tlb_entry *entry = mockgpu_hw_mmu_tlb_entry(mmu, page);
	u64 pte = 0;

	spin_lock(&mmu->tlb_lock);
	if (entry->page == page)
		pte = entry->pte;
	spin_unlock(&mmu->tlb_lock);

	if (!(pte & needed))
		pte = mockgpu_hw_mmu_walk(mmu, page);
	return pte & needed ? pte : 0;
}

/*
 * Between a change of the page table and the flush a stale translation leads to what
 * is still there, and that is all right. Afterwards it is not.
 */
static int mockgpu_hw_access_translated(struct mockgpu_hw_mmu *mmu,
					struct mockgpu_hw_addr at,
					const struct mockgpu_hw_origin *origin,
					size_t size,
					const struct mockgpu_hw_work *work)
{
	struct mockgpu_hw *hw = mmu->hw;

	if (at.bus != MOCKGPU_HW_BUS_VRAM)
		return mockgpu_hw_access_bus(hw, at, origin, size, work);
	if (mockgpu_hw_vram_generation(hw, at.addr) == origin->generation)
		return mockgpu_hw_access_vram(hw, at.addr, size, work);

	mockgpu_hw_error(hw, origin->is_stale ? MOCKGPU_HW_STALE_TRANSLATION :
						MOCKGPU_HW_WRONG_GENERATION,
			 "translation to VRAM offset %pad is of generation %u, not %u",
			 &at.addr, origin->generation,
			 mockgpu_hw_vram_generation(hw, at.addr));
	return -EIO;
}

static int mockgpu_hw_access_running(struct mockgpu_hw_mmu *mmu, u64 addr,
				     size_t size,
				     const struct mockgpu_hw_work *work)
{
	struct mockgpu_hw_origin origin = { .is_translated = true };
	u64 offset = addr % PAGE_SIZE;
	struct mockgpu_hw_addr at;
	u64 pte;

	pte = mockgpu_hw_mmu_translate(mmu, addr - offset,
				       mockgpu_hw_pte_needed(work->op));
	if (!pte)
		return -EFAULT;

	origin.generation = FIELD_GET(MOCKGPU_HW_PTE_GENERATION, pte);
	origin.is_stale = mockgpu_hw_mmu_is_stale(mmu, addr - offset, pte);
	at = mockgpu_hw_pte_addr(pte);
	at.addr += offset;
	return mockgpu_hw_access_translated(mmu, at, &origin, size, work);
}

/**
 * mockgpu_hw_mmu_allows_atomics() - would an atomic operation fault
 * @mmu: the address space
 * @addr: user address
 *
 * Context: Any.
 * Return: false if it would now.
 */
bool mockgpu_hw_mmu_allows_atomics(struct mockgpu_hw_mmu *mmu, u64 addr)
{
	u64 *slot = mockgpu_hw_mmu_pte(mmu, addr);

	return slot && READ_ONCE(*slot) & MOCKGPU_HW_PTE_ATOMIC;
}

/**
 * mockgpu_hw_mmu_read_tlb() - look at a translation that is kept at hand
 * @mmu: the address space
 * @index: below MOCKGPU_HW_TLB_SIZE
 * @line: filled
 *
 * Context: Process context.
 * Return: false when there is none.
 */
bool mockgpu_hw_mmu_read_tlb(struct mockgpu_hw_mmu *mmu, unsigned int index,
			     struct mockgpu_hw_tlb_line *line)
{
	struct mockgpu_hw_tlb_entry entry;

	spin_lock(&mmu->tlb_lock);
	entry = mmu->tlb[index];
	spin_unlock(&mmu->tlb_lock);
	if (!entry.pte)
		return false;

	*line = (struct mockgpu_hw_tlb_line){
		.page = entry.page,
		.to = mockgpu_hw_pte_addr(entry.pte),
		.generation = FIELD_GET(MOCKGPU_HW_PTE_GENERATION, entry.pte),
		.write = entry.pte & MOCKGPU_HW_PTE_WRITE,
		.is_stale = mockgpu_hw_mmu_is_stale(mmu, entry.page, entry.pte),
	};
	return true;
}

static unsigned long *mockgpu_hw_mmu_seen(struct xarray *seen,
					  unsigned long index)
{
	unsigned long *map = xa_load(seen, index);

	if (map)
		return map;
	map = bitmap_zalloc(MOCKGPU_HW_PTES, GFP_KERNEL);
	if (map && xa_err(xa_store(seen, index, map, GFP_KERNEL))) {
		bitmap_free(map);
		return NULL;
	}
	return map;
}

/**
 * mockgpu_hw_mmu_mark() - what is in between does not count
 * @seen: as for mockgpu_hw_mmu_collect()
 * @start: address, a multiple of the page size
 * @end: address, a multiple of the page size
 *
 * Context: Process context, may sleep.
 * Return: 0 or -ENOMEM.
 */
int mockgpu_hw_mmu_mark(struct xarray *seen, u64 start, u64 end)
{
	unsigned long page = start >> PAGE_SHIFT, last = end >> PAGE_SHIFT;
	unsigned long *map, n;

	for (; page < last; page += n) {
		n = min(last - page,
			MOCKGPU_HW_PTES - page % MOCKGPU_HW_PTES);
		map = mockgpu_hw_mmu_seen(seen, page / MOCKGPU_HW_PTES);
		if (!map)
			return -ENOMEM;
		bitmap_set(map, page % MOCKGPU_HW_PTES, n);
	}
	return 0;
}

static unsigned long mockgpu_hw_table_collect(struct mockgpu_hw_table *table,
					      enum mockgpu_hw_bus bus,
					      unsigned long *seen)
{
	unsigned long i, count = 0;
	u64 pte;

	for (i = 0; i < MOCKGPU_HW_PTES; i++) {
		pte = READ_ONCE(table->ptes[i]);
		if (pte && mockgpu_hw_pte_addr(pte).bus == bus)
			count += !__test_and_set_bit(i, seen);
	}
	return count;
}

/**
 * mockgpu_hw_mmu_collect() - how many pages does an address space lead to
 * @mmu: the address space
 * @bus: which way
 * @seen: by number of 2 MiB, bitmaps of pages that do not count any more; those
 *	that count are added. The caller frees them.
 * @npages: what counts is added
 *
 * Context: Process context, may sleep.
 * Return: 0 or -ENOMEM.
 */
int mockgpu_hw_mmu_collect(struct mockgpu_hw_mmu *mmu,
			   enum mockgpu_hw_bus bus, struct xarray *seen,
			   unsigned long *npages)
{
	struct mockgpu_hw_table *table;
	unsigned long index, *map;

	xa_for_each(&mmu->tables, index, table) {
		map = mockgpu_hw_mmu_seen(seen, index);
		if (!map)
			return -ENOMEM;
		*npages += mockgpu_hw_table_collect(table, bus, map);
		cond_resched();
	}
	return 0;
}

/**
 * mockgpu_hw_access() - work on a piece of virtual memory
 * @mmu: the address space
 * @addr: user address
 * @size: bytes, all of them in one page; but for READ and WRITE, @addr and @size
 *	are multiples of 8, and 8 for what is done to a word
 * @work: what to do
 *
 * Context: Process context, may sleep.
 * Return: 0, -EFAULT when there is no translation that allows it, -EIO when
 * there is a wrong one, -EAGAIN the device sleeps.
 */
int mockgpu_hw_access(struct mockgpu_hw_mmu *mmu, u64 addr, size_t size,
		      const struct mockgpu_hw_work *work)
{
	int ret = -EAGAIN;
	int idx;

	idx = mockgpu_hw_power_get(mmu->hw);
	if (!mockgpu_hw_is_halted(mmu->hw)) {
		down_read(&mmu->running);
		ret = mockgpu_hw_access_running(mmu, addr, size, work);
		up_read(&mmu->running);
	}
	mockgpu_hw_power_put(mmu->hw, idx);
	if (ret == -EIO)
		mockgpu_hw_error_blame(mmu->hw, mmu->number, addr);
	return ret;
}
