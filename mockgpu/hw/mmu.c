// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The MMU: from virtual addresses of one VM to memory.
 *
 * A page table has two levels: tables of 2 MiB, and where they are. What was
 * translated once is kept in a TLB, which knows nothing of changes of the page
 * table until the driver flushes it. An access that began before a flush is over
 * when the flush is.
 *
 * Locks: mockgpu_hw_mmu.running is held for reading by each access, and for
 * writing by flushes, which wait for accesses with it; then, both leaves,
 * mockgpu_hw_mmu.tlb_lock and the lock of the xarray.
 */
#include <linux/bitfield.h>
#include <linux/bits.h>
#include <linux/mm.h>
#include <linux/rwsem.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/xarray.h>

#include "internal.h"

#define MOCKGPU_HW_PTES		(SZ_2M >> PAGE_SHIFT)
#define MOCKGPU_HW_TLB_SIZE	64

/* A page table entry: a page address, and these. */
#define MOCKGPU_HW_PTE_VALID	BIT_ULL(0)
#define MOCKGPU_HW_PTE_WRITE	BIT_ULL(1)
#define MOCKGPU_HW_PTE_BUS	GENMASK_ULL(3, 2)
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
	return mmu;
}

static bool mockgpu_hw_table_is_empty(const struct mockgpu_hw_table *table)
{
	return !memchr_inv(table, 0, sizeof(*table));
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
		if (!mockgpu_hw_table_is_empty(table))
			mockgpu_hw_error(mmu->hw, "an address space goes with 2 MiB at %#lx in use",
					 index * SZ_2M);
		kfree(table);
	}
	xa_destroy(&mmu->tables);
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

/**
 * mockgpu_hw_mmu_map() - translate some pages from now on
 * @mmu: the address space, prepared for them
 * @start: user address, a multiple of the page size
 * @npages: how many, all of them in one piece there
 * @to: where the first one leads
 * @write: may they be written
 *
 * Context: Any.
 */
void mockgpu_hw_mmu_map(struct mockgpu_hw_mmu *mmu, u64 start,
			unsigned long npages, struct mockgpu_hw_addr to,
			bool write)
{
	u64 flags = MOCKGPU_HW_PTE_VALID |
		    FIELD_PREP(MOCKGPU_HW_PTE_BUS, to.bus) |
		    (write ? MOCKGPU_HW_PTE_WRITE : 0);
	unsigned long i;

	for (i = 0; i < npages; i++)
		WRITE_ONCE(*mockgpu_hw_mmu_pte(mmu, start + (i << PAGE_SHIFT)),
			   (to.addr + (i << PAGE_SHIFT)) | flags);
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
	u64 *pte;

	for (; start < end; start += PAGE_SIZE) {
		pte = mockgpu_hw_mmu_pte(mmu, start);
		if (pte)
			WRITE_ONCE(*pte, 0);
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

static bool mockgpu_hw_pte_allows(u64 pte, bool write)
{
	return pte & (write ? MOCKGPU_HW_PTE_WRITE : MOCKGPU_HW_PTE_VALID);
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

/* One that allows too little may have been changed since, so that is no fault yet. */
static u64 mockgpu_hw_mmu_translate(struct mockgpu_hw_mmu *mmu, u64 page,
				    bool write)
{
	struct mockgpu_hw_tlb_entry *entry = mockgpu_hw_mmu_tlb_entry(mmu, page);
	u64 pte = 0;

	spin_lock(&mmu->tlb_lock);
	if (entry->page == page)
		pte = entry->pte;
	spin_unlock(&mmu->tlb_lock);

	if (!mockgpu_hw_pte_allows(pte, write))
		pte = mockgpu_hw_mmu_walk(mmu, page);
	return mockgpu_hw_pte_allows(pte, write) ? pte : 0;
}

static int mockgpu_hw_access_running(struct mockgpu_hw_mmu *mmu, u64 addr,
				     size_t size,
				     const struct mockgpu_hw_work *work)
{
	u64 offset = addr % PAGE_SIZE;
	struct mockgpu_hw_addr at;
	u64 pte;

	pte = mockgpu_hw_mmu_translate(mmu, addr - offset,
				       mockgpu_hw_op_writes(work->op));
	if (!pte)
		return -EFAULT;

	at.bus = FIELD_GET(MOCKGPU_HW_PTE_BUS, pte);
	at.addr = (pte & MOCKGPU_HW_PTE_ADDR) + offset;
	if (at.bus == MOCKGPU_HW_BUS_VRAM)
		return mockgpu_hw_access_vram(mmu->hw, at.addr, size, work);
	return mockgpu_hw_access_bus(mmu->hw, at, size, work);
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
 * there is a wrong one.
 */
int mockgpu_hw_access(struct mockgpu_hw_mmu *mmu, u64 addr, size_t size,
		      const struct mockgpu_hw_work *work)
{
	int ret;

	down_read(&mmu->running);
	ret = mockgpu_hw_access_running(mmu, addr, size, work);
	up_read(&mmu->running);
	return ret;
}
