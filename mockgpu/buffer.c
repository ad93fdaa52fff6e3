// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * GEM buffers, and where they are.
 *
 * A buffer is in system memory, in pages of a file of its own, or in VRAM, as a
 * whole. It goes into VRAM when the device uses it, if it was made for that, and
 * comes home when the CPU or another device wants it or VRAM is needed by others.
 * Whenever it moves, everybody's mappings of it go, and faults bring them back.
 * Whoever makes it move, its memory is charged to the one who made it, but to nobody
 * if it has to leave VRAM for others and the maker's group has no room for it.
 *
 * Locks: mmap_lock, or mockgpu_space.lock, or the buffer's dma_resv ->
 * mockgpu_buffer.lock -> mockgpu_heap.room_lock, and what allocations of memory
 * take. Who has room_lock, to make room, only tries to lock a buffer.
 * mockgpu_buffer.lock also protects which bindings of the buffer are in page tables,
 * which is in bind.c; it is a mutex, so that who looks at them all can sleep.
 * mockgpu_device.buffers_lock is a leaf.
 */
#include <linux/dma-fence.h>
#include <linux/dma-mapping.h>
#include <linux/jiffies.h>
#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/shmem_fs.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include <drm/drm_drv.h>
#include <drm/drm_gem.h>
#include <drm/drm_prime.h>

#include "bind.h"
#include "buffer.h"
#include "compat/dma.h"
#include "device.h"
#include "gem.h"
#include "heap.h"
#include "hw/hw.h"
#include "room.h"

/* How long what the CPU used is left at home. */
#define MOCKGPU_BUFFER_HOME	(HZ / 10)
/* How often room that was made may be taken by others. */
#define MOCKGPU_BUFFER_ROUNDS	8
/* How often the CPU asks for memory before it is told that there is none. */
#define MOCKGPU_BUFFER_TRIES	3
/* So many pages are dealt with before others may run. */
#define MOCKGPU_BUFFER_STEP	512UL
/* The CPU and devices use it at the same time; several of them have it mapped. */
#define MOCKGPU_BUFFER_ATTRS	DMA_ATTR_SKIP_CPU_SYNC
/*
 * Nobody is killed for want of memory for a buffer: it may be somebody else who wants
 * it, and somebody else again who would be killed.
 */
#define MOCKGPU_BUFFER_GFP	(__GFP_RETRY_MAYFAIL | __GFP_NOWARN)

/* In loops over pages, at page @i: a buffer can have a great many of them. */
static void mockgpu_buffer_breathe(unsigned long i)
{
	if (i % MOCKGPU_BUFFER_STEP == 0)
		cond_resched();
}

static struct mockgpu_device *
mockgpu_buffer_device(const struct mockgpu_buffer *buffer)
{
	return mockgpu_device_from_drm(buffer->base.dev);
}

static struct device *mockgpu_buffer_dev(const struct mockgpu_buffer *buffer)
{
	return mockgpu_hw_dma_device(mockgpu_buffer_device(buffer)->hw);
}

/* How many pages buffers of all devices have of system memory, or could have. */
static atomic_long_t mockgpu_buffer_pages;

/* So that all buffers together leave half of the memory to others. */
static int mockgpu_buffer_charge(long npages)
{
	if (atomic_long_add_return(npages, &mockgpu_buffer_pages) <=
	    totalram_pages() / 2)
		return 0;

	atomic_long_sub(npages, &mockgpu_buffer_pages);
	return -ENOMEM;
}

static void mockgpu_buffer_add(struct mockgpu_device *mdev,
			       struct mockgpu_buffer *buffer)
{
	atomic_inc(&mdev->live_buffers);
	mutex_lock(&mdev->buffers_lock);
	list_add_tail(&buffer->link, &mdev->buffers);
	mutex_unlock(&mdev->buffers_lock);
}

static void mockgpu_buffer_remove(struct mockgpu_device *mdev,
				  struct mockgpu_buffer *buffer)
{
	mutex_lock(&mdev->buffers_lock);
	list_del(&buffer->link);
	mutex_unlock(&mdev->buffers_lock);
}

static struct mockgpu_buffer *mockgpu_buffer_alloc(void)
{
	struct mockgpu_buffer *buffer = kzalloc(sizeof(*buffer),
						GFP_KERNEL_ACCOUNT);

	if (!buffer)
		return NULL;

	buffer->base.funcs = &mockgpu_gem_funcs;
	mutex_init(&buffer->lock);
	INIT_LIST_HEAD(&buffer->mapped_binds);
	buffer->home_until = jiffies;
	return buffer;
}

/**
 * mockgpu_buffer_new() - make a buffer, all zeroes
 * @mdev: the device
 * @size: bytes, a multiple of the page size, not 0
 * @wants_vram: it is to be in VRAM when the device uses it
 *
 * Context: Process context, may sleep.
 * Return: the buffer with a reference; -ENOSPC VRAM is too small for it, -ENOMEM.
 */
struct mockgpu_buffer *mockgpu_buffer_new(struct mockgpu_device *mdev,
					  u64 size, bool wants_vram)
{
	struct mockgpu_buffer *buffer;
	int ret;

	if (wants_vram && size > mdev->config.vram_size)
		return ERR_PTR(-ENOSPC);
	if (size >> PAGE_SHIFT > totalram_pages())
		return ERR_PTR(-ENOMEM);
	buffer = mockgpu_buffer_alloc();
	if (!buffer)
		return ERR_PTR(-ENOMEM);

	ret = mockgpu_buffer_charge(size >> PAGE_SHIFT);
	if (ret)
		goto free;
	ret = drm_gem_object_init(&mdev->drm, &buffer->base, size);
	if (ret)
		goto uncharge;
	/* Also for who maps it without asking for the place in the file. */
	ret = drm_gem_create_mmap_offset(&buffer->base);
	if (ret)
		goto release;
	mapping_set_gfp_mask(buffer->base.filp->f_mapping,
			     GFP_HIGHUSER | MOCKGPU_BUFFER_GFP);
	buffer->wants_vram = wants_vram;
	buffer->memcg = get_mem_cgroup_from_mm(current->mm);
	mockgpu_buffer_add(mdev, buffer);
	return buffer;

release:
	drm_gem_object_release(&buffer->base);
uncharge:
	atomic_long_sub(size >> PAGE_SHIFT, &mockgpu_buffer_pages);
free:
	kfree(buffer);
	return ERR_PTR(ret);
}

/**
 * mockgpu_buffer_import() - make a buffer of memory that is somebody else's
 * @mdev: the device
 * @size: bytes
 * @sgt: the memory, mapped for the device
 *
 * Context: Process context, may sleep.
 * Return: the buffer with a reference, -EINVAL, -ENOMEM.
 */
struct mockgpu_buffer *mockgpu_buffer_import(struct mockgpu_device *mdev,
					     u64 size, struct sg_table *sgt)
{
	struct mockgpu_buffer *buffer;
	int ret;

	if (!size || !PAGE_ALIGNED(size))
		return ERR_PTR(-EINVAL);
	buffer = mockgpu_buffer_alloc();
	if (!buffer)
		return ERR_PTR(-ENOMEM);

	drm_gem_private_object_init(&mdev->drm, &buffer->base, size);
	buffer->dma = kvcalloc(mockgpu_buffer_npages(buffer),
			       sizeof(*buffer->dma), GFP_KERNEL_ACCOUNT);
	ret = buffer->dma ?
	      drm_prime_sg_to_dma_addr_array(sgt, buffer->dma,
					     mockgpu_buffer_npages(buffer)) :
	      -ENOMEM;
	if (ret) {
		kvfree(buffer->dma);
		kfree(buffer);
		return ERR_PTR(ret);
	}
	buffer->import = sgt;
	buffer->imported = true;
	mockgpu_buffer_add(mdev, buffer);
	return buffer;
}

/* Neither the device nor the CPU reaches it after that. */
static void mockgpu_buffer_zap(struct mockgpu_buffer *buffer)
{
	lockdep_assert_held(&buffer->lock);

	mockgpu_bind_zap(buffer);
	drm_vma_node_unmap(&buffer->base.vma_node,
			   buffer->base.dev->anon_inode->i_mapping);
}

static void mockgpu_buffer_empty_file(struct mockgpu_buffer *buffer)
{
	shmem_truncate_range(file_inode(buffer->base.filp), 0, (loff_t)-1);
}

/* Without memory for all of them there are none, as they would be of no use. */
static int mockgpu_buffer_get_pages(struct mockgpu_buffer *buffer,
				    struct mem_cgroup *payer)
{
	struct mem_cgroup *others;
	struct page **pages;

	if (buffer->pages)
		return 0;
	others = set_active_memcg(payer);
	pages = drm_gem_get_pages(&buffer->base);
	set_active_memcg(others);
	if (IS_ERR(pages)) {
		mockgpu_buffer_empty_file(buffer);
		return PTR_ERR(pages);
	}
	buffer->pages = pages;
	return 0;
}

/* They are not needed any more, and what is in them neither. */
static void mockgpu_buffer_drop_pages(struct mockgpu_buffer *buffer)
{
	if (!buffer->pages)
		return;

	drm_gem_put_pages(&buffer->base, buffer->pages, true, false);
	buffer->pages = NULL;
	mockgpu_buffer_empty_file(buffer);
}

static void mockgpu_buffer_unmap_some(struct mockgpu_buffer *buffer,
				      unsigned long count)
{
	struct device *dev = mockgpu_buffer_dev(buffer);

	while (count--) {
		dma_unmap_page_attrs(dev, buffer->dma[count], PAGE_SIZE,
				     DMA_BIDIRECTIONAL, MOCKGPU_BUFFER_ATTRS);
		mockgpu_buffer_breathe(count);
	}
	kvfree(buffer->dma);
	buffer->dma = NULL;
}

/* The addresses of what came from elsewhere are not ours to unmap. */
static void mockgpu_buffer_unmap(struct mockgpu_buffer *buffer)
{
	if (buffer->dma && !buffer->imported)
		mockgpu_buffer_unmap_some(buffer,
					  mockgpu_buffer_npages(buffer));
}

/* A bounce buffer would be a copy, which nobody keeps up to date. */
static int mockgpu_buffer_map_page(struct mockgpu_buffer *buffer,
				   unsigned long i)
{
	struct device *dev = mockgpu_buffer_dev(buffer);
	dma_addr_t addr;

	addr = dma_map_page_attrs(dev, buffer->pages[i], 0, PAGE_SIZE,
				  DMA_BIDIRECTIONAL, MOCKGPU_BUFFER_ATTRS);
	if (dma_mapping_error(dev, addr))
		return -ENOMEM;
	if (!gsb_dma_bounces(dev, addr)) {
		buffer->dma[i] = addr;
		return 0;
	}
	dma_unmap_page_attrs(dev, addr, PAGE_SIZE, DMA_BIDIRECTIONAL,
			     MOCKGPU_BUFFER_ATTRS);
	return -EOPNOTSUPP;
}

static int mockgpu_buffer_map_pages(struct mockgpu_buffer *buffer)
{
	unsigned long i, npages = mockgpu_buffer_npages(buffer);
	int ret;

	buffer->dma = kvcalloc(npages, sizeof(*buffer->dma),
			       GFP_KERNEL_ACCOUNT | MOCKGPU_BUFFER_GFP);
	if (!buffer->dma)
		return -ENOMEM;

	for (i = 0; i < npages; i++) {
		mockgpu_buffer_breathe(i);
		ret = mockgpu_buffer_map_page(buffer, i);
		if (ret) {
			mockgpu_buffer_unmap_some(buffer, i);
			return ret;
		}
	}
	return 0;
}

static int mockgpu_buffer_map(struct mockgpu_buffer *buffer,
			      struct mem_cgroup *payer)
{
	struct mem_cgroup *others;
	int ret;

	if (buffer->dma)
		return 0;
	others = set_active_memcg(payer);
	ret = mockgpu_buffer_map_pages(buffer);
	set_active_memcg(others);
	return ret;
}

static int mockgpu_buffer_copy(struct mockgpu_buffer *buffer,
			       struct mockgpu_alloc *alloc, bool in)
{
	struct mockgpu_hw *hw = alloc->mdev->hw;
	struct mockgpu_hw_addr addr = { .bus = MOCKGPU_HW_BUS_DMA };
	unsigned long i;
	int ret;

	ret = mockgpu_hw_copy_begin(hw);
	for (i = 0; i < alloc->npages && !ret; i++) {
		mockgpu_buffer_breathe(i);
		addr.addr = buffer->dma[i];
		ret = in ? mockgpu_hw_copy_in(hw, mockgpu_heap_page(alloc, i),
					      addr, 1) :
			   mockgpu_hw_copy_out(hw, mockgpu_heap_page(alloc, i),
					       addr, 1);
	}
	return ret;
}

static int mockgpu_buffer_clear_block(struct mockgpu_hw *hw,
				      const struct drm_mm_node *node)
{
	unsigned long i, n;
	int ret = 0;

	for (i = 0; i < node->size && !ret; i += n) {
		n = min_t(unsigned long, node->size - i, MOCKGPU_BUFFER_STEP);
		ret = mockgpu_hw_clear(hw, node->start + i, n);
		cond_resched();
	}
	return ret;
}

static int mockgpu_buffer_clear(struct mockgpu_alloc *alloc)
{
	struct mockgpu_hw *hw = alloc->mdev->hw;
	unsigned long i;
	int ret;

	if (READ_ONCE(alloc->mdev->knobs.skip_clear))
		return 0;
	ret = mockgpu_hw_copy_begin(hw);
	for (i = 0; i < alloc->nblocks && !ret; i++)
		ret = mockgpu_buffer_clear_block(hw, &alloc->blocks[i].node);
	return ret;
}

/* What was never touched is zeroes. */
static int mockgpu_buffer_fill(struct mockgpu_buffer *buffer,
			       struct mockgpu_alloc *alloc)
{
	struct dma_fence *fence = alloc->devmem.pre_migrate_fence;
	int ret;

	if (fence) {
		alloc->devmem.pre_migrate_fence = NULL;
		ret = dma_fence_wait(fence, false);
		dma_fence_put(fence);
		if (ret)
			return ret;
	}
	if (!buffer->pages)
		return mockgpu_buffer_clear(alloc);

	ret = mockgpu_buffer_map(buffer, buffer->memcg);
	return ret ?: mockgpu_buffer_copy(buffer, alloc, true);
}

static struct mockgpu_alloc *
mockgpu_buffer_take(struct mockgpu_buffer *buffer)
{
	struct mockgpu_device *mdev = mockgpu_buffer_device(buffer);
	unsigned long lost = 0;
	const struct mockgpu_room room = {
		.npages = mockgpu_buffer_npages(buffer),
		.last = mockgpu_heap_serial(&mdev->heap),
		.lost = &lost,
	};
	unsigned int rounds = MOCKGPU_BUFFER_ROUNDS;
	struct mockgpu_alloc *alloc;
	int ret;

	alloc = mockgpu_heap_new_plain(mdev);
	if (!alloc)
		return ERR_PTR(-ENOMEM);
	do
		ret = mockgpu_heap_take(alloc, room.npages);
	while (ret == -ENOSPC && !mockgpu_room_make(mdev, &room) && rounds--);
	if (!ret)
		return alloc;

	mockgpu_heap_put(alloc);
	return ERR_PTR(ret);
}

/* Nobody finds the buffer by its allocation any more. */
static void mockgpu_buffer_drop_alloc(struct mockgpu_buffer *buffer)
{
	struct mockgpu_alloc *alloc = buffer->alloc;

	buffer->alloc = NULL;
	mockgpu_heap_set_buffer(alloc, NULL);
	mockgpu_heap_put(alloc);
}

/* When there is no room it is used where it is. */
static int mockgpu_buffer_go_in(struct mockgpu_buffer *buffer)
{
	struct mockgpu_alloc *alloc = mockgpu_buffer_take(buffer);
	int ret;

	if (IS_ERR(alloc))
		return PTR_ERR(alloc);

	mockgpu_buffer_zap(buffer);
	ret = mockgpu_buffer_fill(buffer, alloc);
	mockgpu_buffer_unmap(buffer);
	if (ret) {
		mockgpu_heap_put(alloc);
		return ret;
	}
	mockgpu_buffer_drop_pages(buffer);
	buffer->alloc = alloc;
	mockgpu_heap_set_buffer(alloc, buffer);
	return 0;
}

static int mockgpu_buffer_go_home_on(struct mockgpu_buffer *buffer,
				     struct mem_cgroup *payer)
{
	int ret;

	lockdep_assert_held(&buffer->lock);
	ret = mockgpu_buffer_get_pages(buffer, payer);
	if (ret || !buffer->alloc)
		return ret;

	mockgpu_buffer_zap(buffer);
	ret = mockgpu_buffer_map(buffer, payer);
	if (!ret)
		ret = mockgpu_buffer_copy(buffer, buffer->alloc, false);
	mockgpu_buffer_unmap(buffer);
	if (ret)
		mockgpu_buffer_drop_pages(buffer);
	else
		mockgpu_buffer_drop_alloc(buffer);
	return ret;
}

static int mockgpu_buffer_go_home(struct mockgpu_buffer *buffer)
{
	return mockgpu_buffer_go_home_on(buffer, buffer->memcg);
}

static bool mockgpu_buffer_may_go_in(const struct mockgpu_buffer *buffer)
{
	return buffer->wants_vram && !buffer->pins &&
	       time_after_eq(jiffies, buffer->home_until);
}

/**
 * mockgpu_buffer_prepare() - the device is about to use a buffer
 * @buffer: the buffer; the caller has its lock, and the device is there
 *
 * Context: Process context, may sleep.
 * Return: 0, and every page has an address until the lock is dropped; -EOPNOTSUPP
 * the device needs bounce buffers, -ENOMEM, -EINTR, -EIO, -ENODEV.
 */
int mockgpu_buffer_prepare(struct mockgpu_buffer *buffer)
{
	int ret;

	lockdep_assert_held(&buffer->lock);
	if (buffer->imported)
		return buffer->import ? 0 : -ENODEV;
	if (buffer->alloc)
		return 0;
	if (mockgpu_buffer_may_go_in(buffer) && !mockgpu_buffer_go_in(buffer))
		return 0;
	ret = mockgpu_buffer_get_pages(buffer, buffer->memcg);
	return ret ?: mockgpu_buffer_map(buffer, buffer->memcg);
}

/**
 * mockgpu_buffer_addr() - where a page of a buffer is
 * @buffer: the buffer, prepared; the caller has its lock
 * @page: number of the page
 *
 * Context: Any.
 * Return: the address for the device.
 */
struct mockgpu_hw_addr mockgpu_buffer_addr(const struct mockgpu_buffer *buffer,
					   unsigned long page)
{
	struct mockgpu_hw_addr addr = { .bus = MOCKGPU_HW_BUS_VRAM };

	if (buffer->alloc) {
		addr.addr = (u64)mockgpu_heap_page(buffer->alloc, page)
			    << PAGE_SHIFT;
	} else {
		addr.bus = MOCKGPU_HW_BUS_DMA;
		addr.addr = buffer->dma[page];
	}
	return addr;
}

/**
 * mockgpu_buffer_pin() - bring a buffer home, and keep it there
 * @buffer: the buffer, not from elsewhere
 *
 * Context: Process context, may sleep.
 * Return: 0, -ENOMEM, -EINTR, -EIO.
 */
int mockgpu_buffer_pin(struct mockgpu_buffer *buffer)
{
	int ret;

	mutex_lock(&buffer->lock);
	ret = mockgpu_buffer_go_home(buffer);
	if (!ret)
		buffer->pins++;
	mutex_unlock(&buffer->lock);
	return ret;
}

/**
 * mockgpu_buffer_unpin() - undo mockgpu_buffer_pin()
 * @buffer: the buffer
 *
 * Context: Process context, may sleep.
 */
void mockgpu_buffer_unpin(struct mockgpu_buffer *buffer)
{
	mutex_lock(&buffer->lock);
	/* The next use may put it into VRAM. */
	if (!--buffer->pins)
		mockgpu_bind_zap(buffer);
	mutex_unlock(&buffer->lock);
}

/* Does it go for the good of others than its maker's group? */
static bool mockgpu_buffer_goes_for_others(const struct mockgpu_buffer *buffer)
{
	struct mem_cgroup *who = get_mem_cgroup_from_mm(NULL);
	bool others = who != buffer->memcg;

	mem_cgroup_put(who);
	return others || drm_dev_is_unplugged(buffer->base.dev);
}

/* What is charged to the root of all groups is charged to nobody. */
static struct mem_cgroup *mockgpu_buffer_nobody(const struct mockgpu_buffer *buffer)
{
	struct mem_cgroup *memcg = buffer->memcg, *parent;

	while (memcg && (parent = parent_mem_cgroup(memcg)))
		memcg = parent;
	return memcg;
}

/* That the maker's group is full is no reason for others not to have the VRAM. */
static int mockgpu_buffer_go_home_for_room(struct mockgpu_buffer *buffer)
{
	struct mem_cgroup *nobody = mockgpu_buffer_nobody(buffer);
	int ret = mockgpu_buffer_go_home(buffer);

	if (ret != -ENOMEM || nobody == buffer->memcg ||
	    !mockgpu_buffer_goes_for_others(buffer))
		return ret;
	return mockgpu_buffer_go_home_on(buffer, nobody);
}

static int mockgpu_buffer_try_evict(struct mockgpu_buffer *buffer,
				    const struct mockgpu_alloc *alloc)
{
	int ret = 0;

	if (!mutex_trylock(&buffer->lock))
		return -EBUSY;
	if (buffer->alloc == alloc)
		ret = mockgpu_buffer_go_home_for_room(buffer);
	mutex_unlock(&buffer->lock);
	return ret;
}

/**
 * mockgpu_buffer_evict() - bring the buffer home that has an allocation
 * @alloc: the allocation of a buffer; the caller has a reference
 *
 * Context: Process context, may sleep.
 * Return: 0, -EBUSY it is in use just now, -ENOMEM, -EINTR, -EIO.
 */
int mockgpu_buffer_evict(struct mockgpu_alloc *alloc)
{
	struct mockgpu_buffer *buffer = mockgpu_heap_get_buffer(alloc);
	int ret;

	/* Its last user is about to let the allocation go, or has just got it. */
	if (!buffer)
		return -EBUSY;

	ret = mockgpu_buffer_try_evict(buffer, alloc);
	drm_gem_object_put(&buffer->base);
	return ret;
}

/*
 * Some exporters keep what they mapped for as long as there is an attachment. Nobody
 * else looks at that any more: see mockgpu_gem_handle_to_fd().
 */
static void mockgpu_buffer_detach(struct mockgpu_buffer *buffer,
				  struct sg_table *import)
{
	drm_prime_gem_destroy(&buffer->base, import);
	buffer->base.import_attach = NULL;
	buffer->base.resv = &buffer->base._resv;
}

/* The device has nothing of it any more. */
static void mockgpu_buffer_close(struct mockgpu_buffer *buffer)
{
	struct sg_table *import;

	mutex_lock(&buffer->lock);
	mockgpu_bind_zap(buffer);
	mockgpu_buffer_unmap(buffer);
	import = buffer->import;
	buffer->import = NULL;
	mutex_unlock(&buffer->lock);
	if (import)
		mockgpu_buffer_detach(buffer, import);
}

static struct mockgpu_buffer *
mockgpu_buffer_next(struct mockgpu_device *mdev, struct list_head *done)
{
	struct mockgpu_buffer *buffer, *found = NULL;

	mutex_lock(&mdev->buffers_lock);
	list_for_each_entry(buffer, &mdev->buffers, link) {
		if (!kref_get_unless_zero(&buffer->base.refcount))
			continue;
		list_move_tail(&buffer->link, done);
		found = buffer;
		break;
	}
	mutex_unlock(&mdev->buffers_lock);
	return found;
}

static bool mockgpu_buffer_is_any(struct mockgpu_device *mdev)
{
	bool any;

	mutex_lock(&mdev->buffers_lock);
	any = !list_empty(&mdev->buffers);
	mutex_unlock(&mdev->buffers_lock);
	return any;
}

/**
 * mockgpu_buffer_close_all() - take all buffers from the device
 * @mdev: the device, unplugged
 *
 * What is in VRAM stays there, until it is evicted. Those that somebody is just
 * about to free have mappings for DMA until they are not in the list any more.
 *
 * Context: Process context, may sleep.
 */
void mockgpu_buffer_close_all(struct mockgpu_device *mdev)
{
	struct mockgpu_buffer *buffer;
	LIST_HEAD(done);

	while ((buffer = mockgpu_buffer_next(mdev, &done))) {
		mockgpu_buffer_close(buffer);
		drm_gem_object_put(&buffer->base);
	}
	while (mockgpu_buffer_is_any(mdev))
		schedule_timeout_uninterruptible(1);
	mutex_lock(&mdev->buffers_lock);
	list_splice_tail(&done, &mdev->buffers);
	mutex_unlock(&mdev->buffers_lock);
}

/**
 * mockgpu_buffer_free() - the end of a buffer
 * @obj: its GEM object, without references, so that it is bound nowhere
 *
 * Context: Process context, may sleep.
 */
void mockgpu_buffer_free(struct drm_gem_object *obj)
{
	struct mockgpu_buffer *buffer = to_mockgpu_buffer(obj);
	struct mockgpu_device *mdev = mockgpu_buffer_device(buffer);

	if (buffer->alloc)
		mockgpu_buffer_drop_alloc(buffer);
	mockgpu_buffer_unmap(buffer);
	if (buffer->import)
		mockgpu_buffer_detach(buffer, buffer->import);
	/* From here on the device may go. */
	mockgpu_buffer_remove(mdev, buffer);

	if (buffer->imported) {
		kvfree(buffer->dma);
	} else {
		mockgpu_buffer_drop_pages(buffer);
		atomic_long_sub(mockgpu_buffer_npages(buffer),
				&mockgpu_buffer_pages);
	}
	drm_gem_object_release(obj);
	mem_cgroup_put(buffer->memcg);
	atomic_dec(&mdev->live_buffers);
	kfree(buffer);
}

/*
 * The kernel would find no memory, either: it only has the access tried again, which
 * is for ever if nobody frees what the group of the maker has. So that is done here,
 * and not for ever.
 */
static int mockgpu_buffer_go_home_for_cpu(struct mockgpu_buffer *buffer)
{
	unsigned int tries = MOCKGPU_BUFFER_TRIES;
	int ret;

	while ((ret = mockgpu_buffer_go_home(buffer)) == -ENOMEM && --tries &&
	       !fatal_signal_pending(current))
		schedule_timeout_killable(1);
	return ret;
}

/**
 * mockgpu_buffer_cpu_fault() - the CPU wants a page of a buffer
 * @buffer: the buffer, not from elsewhere
 * @vma: the mapping
 * @vmf: the fault
 *
 * Context: mmap_lock held for reading, may sleep.
 * Return: what a fault handler returns.
 */
vm_fault_t mockgpu_buffer_cpu_fault(struct mockgpu_buffer *buffer,
				    struct vm_area_struct *vma,
				    struct vm_fault *vmf)
{
	unsigned long page = vmf->pgoff -
			     drm_vma_node_start(&buffer->base.vma_node);
	vm_fault_t ret = VM_FAULT_SIGBUS;

	if (page >= mockgpu_buffer_npages(buffer))
		return ret;

	mutex_lock(&buffer->lock);
	buffer->home_until = jiffies + MOCKGPU_BUFFER_HOME;
	if (!mockgpu_buffer_go_home_for_cpu(buffer))
		ret = vmf_insert_pfn_prot(vma, vmf->address,
					  page_to_pfn(buffer->pages[page]),
					  vm_get_page_prot(vma->vm_flags));
	mutex_unlock(&buffer->lock);
	return ret;
}
