// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Buffers bound at addresses of a VM. There the device finds the buffer, whatever
 * the process has mapped at the same addresses.
 *
 * Binding does not put anything into the page table: that is done by faults, and
 * undone whenever the buffer moves.
 *
 * Locks: mockgpu_space.lock -> mockgpu_svm.binds_lock: who changes the tree of a VM has
 * both, who looks at it has either; the second one is held for moments only.
 * mockgpu_space.lock -> mockgpu_buffer.lock, which protects how often a buffer is
 * bound, what of that is in page tables, and the list of those bindings. Who moves a
 * buffer looks at no others, so that what was never used costs him nothing. A binding
 * is taken off the list before it is freed.
 */
#include <linux/interval_tree.h>
#include <linux/overflow.h>
#include <linux/sched.h>
#include <linux/sizes.h>
#include <linux/slab.h>

#include <drm/drm_file.h>
#include <drm/mockgpu_drm.h>

#include "args.h"
#include "bind.h"
#include "buffer.h"
#include "device.h"
#include "hw/hw.h"
#include "space.h"
#include "svm.h"
#include "vm.h"

/* Who wants more in one VM makes a mistake. */
#define MOCKGPU_BIND_MAX	4096
/* Whoever makes a buffer move has to find them all, if they are used. */
#define MOCKGPU_BIND_MAX_OF_BUFFER	65536

/*
 * A part of a buffer at addresses of a VM, with a reference on the buffer; @link is
 * empty as long as it is not in the page table.
 */
struct mockgpu_bind {
	struct interval_tree_node node;
	struct list_head link;
	struct mockgpu_svm *svm;
	struct mockgpu_buffer *buffer;
	unsigned long first_page;
};

static struct mockgpu_bind *to_mockgpu_bind(struct interval_tree_node *node)
{
	return node ? container_of(node, struct mockgpu_bind, node) : NULL;
}

static struct mockgpu_bind *mockgpu_bind_find(struct mockgpu_svm *svm,
					      unsigned long start,
					      unsigned long last)
{
	lockdep_assert(lockdep_is_held(&svm->space->lock) ||
		       lockdep_is_held(&svm->binds_lock));
	return to_mockgpu_bind(interval_tree_iter_first(&svm->binds, start,
							last));
}

/**
 * mockgpu_bind_covers() - is a buffer bound at an address
 * @svm: the mirror of the VM
 * @addr: the address
 *
 * Context: Process context, may sleep.
 * Return: true if it is.
 */
bool mockgpu_bind_covers(struct mockgpu_svm *svm, unsigned long addr)
{
	bool covers;

	mutex_lock(&svm->binds_lock);
	covers = mockgpu_bind_find(svm, addr, addr);
	mutex_unlock(&svm->binds_lock);
	return covers;
}

/* Where the last one before @addr ends, of which there is none at @addr. */
static unsigned long mockgpu_bind_end_before(struct mockgpu_svm *svm,
					     unsigned long addr)
{
	struct rb_node *rb = svm->binds.rb_root.rb_node;
	struct interval_tree_node *node;
	unsigned long end = 0;

	while (rb) {
		node = rb_entry(rb, struct interval_tree_node, rb);
		if (node->last < addr) {
			end = node->last + 1;
			rb = rb->rb_right;
		} else {
			rb = rb->rb_left;
		}
	}
	return end;
}

/**
 * mockgpu_bind_look() - is a buffer bound at an address
 * @svm: the mirror of the VM; the caller has the lock of its space
 * @addr: the address
 *
 * Context: Process context.
 * Return: the addresses around it of which the same is true.
 */
struct mockgpu_bind_gap mockgpu_bind_look(struct mockgpu_svm *svm,
					  unsigned long addr)
{
	struct mockgpu_bind_gap gap = { .end = ULONG_MAX };
	struct mockgpu_bind *bind = mockgpu_bind_find(svm, addr, ULONG_MAX);

	if (bind && bind->node.start <= addr) {
		gap.start = bind->node.start;
		gap.end = bind->node.last + 1;
		gap.bound = true;
		return gap;
	}
	if (bind)
		gap.end = bind->node.start;
	gap.start = mockgpu_bind_end_before(svm, addr);
	return gap;
}

static void mockgpu_bind_map(struct mockgpu_bind *bind)
{
	unsigned long page = bind->first_page;
	unsigned long pos;

	for (pos = bind->node.start; pos < bind->node.last; pos += PAGE_SIZE) {
		mockgpu_hw_mmu_map(bind->svm->mmu, pos, 1,
				   mockgpu_buffer_addr(bind->buffer, page++),
				   MOCKGPU_HW_MAP_WRITE);
		if (IS_ALIGNED(pos, SZ_2M))
			cond_resched();
	}
	list_move_tail(&bind->link, &bind->buffer->mapped_binds);
}

static void mockgpu_bind_unmap(struct mockgpu_bind *bind)
{
	u64 start = bind->node.start, end = bind->node.last + 1;

	if (!READ_ONCE(bind->svm->mdev->knobs.skip_unmap))
		mockgpu_hw_mmu_unmap(bind->svm->mmu, start, end);
	if (!READ_ONCE(bind->svm->mdev->knobs.skip_flush))
		mockgpu_hw_mmu_flush(bind->svm->mmu, start, end);
}

/**
 * mockgpu_bind_fault() - have the device find what is bound at an address
 * @svm: the mirror of the VM; the caller has the lock of its space
 * @addr: the address, where something is bound
 *
 * Context: Process context, may sleep.
 * Return: 0, -ENOMEM, -EINTR, -EIO, -ENODEV.
 */
int mockgpu_bind_fault(struct mockgpu_svm *svm, unsigned long addr)
{
	struct mockgpu_bind *bind = mockgpu_bind_find(svm, addr, addr);
	struct mockgpu_buffer *buffer = bind->buffer;
	int ret;

	ret = mutex_lock_killable(&buffer->lock);
	if (ret)
		return ret;
	ret = mockgpu_buffer_prepare(buffer);
	if (!ret)
		mockgpu_bind_map(bind);
	mutex_unlock(&buffer->lock);
	return ret;
}

/**
 * mockgpu_bind_zap() - the device does not find a buffer any more
 * @buffer: the buffer; the caller has its lock
 *
 * Context: Process context, may sleep.
 */
void mockgpu_bind_zap(struct mockgpu_buffer *buffer)
{
	struct mockgpu_bind *bind, *next;

	lockdep_assert_held(&buffer->lock);
	list_for_each_entry_safe(bind, next, &buffer->mapped_binds, link) {
		list_del_init(&bind->link);
		mockgpu_bind_unmap(bind);
		cond_resched();
	}
}

/**
 * mockgpu_bind_mark() - note where buffers are bound
 * @svm: the mirror of the VM
 * @seen: see mockgpu_hw_mmu_mark()
 *
 * Context: Process context, may sleep; the caller has a reference to the VM.
 * Return: 0 or -ENOMEM.
 */
int mockgpu_bind_mark(struct mockgpu_svm *svm, struct xarray *seen)
{
	struct interval_tree_node *node;
	int ret = 0;

	mutex_lock(&svm->binds_lock);
	node = interval_tree_iter_first(&svm->binds, 0, ULONG_MAX);
	for (; node && !ret; node = interval_tree_iter_next(node, 0, ULONG_MAX))
		ret = mockgpu_hw_mmu_mark(seen, node->start, node->last + 1);
	mutex_unlock(&svm->binds_lock);
	return ret;
}

/* -EBUSY if there are too many. */
static int mockgpu_bind_count(struct mockgpu_buffer *buffer)
{
	int ret = -EBUSY;

	mutex_lock(&buffer->lock);
	if (buffer->bind_count < MOCKGPU_BIND_MAX_OF_BUFFER) {
		buffer->bind_count++;
		/* A sign of much use to come: the next one may put it into VRAM. */
		if (!buffer->alloc)
			mockgpu_bind_zap(buffer);
		ret = 0;
	}
	mutex_unlock(&buffer->lock);
	return ret;
}

static void mockgpu_bind_attach(struct mockgpu_bind *bind)
{
	mutex_lock(&bind->svm->binds_lock);
	interval_tree_insert(&bind->node, &bind->svm->binds);
	mutex_unlock(&bind->svm->binds_lock);
	bind->svm->bind_count++;
	atomic_inc(&bind->svm->mdev->live_binds);
}

static void mockgpu_bind_remove(struct mockgpu_bind *bind)
{
	mutex_lock(&bind->svm->binds_lock);
	interval_tree_remove(&bind->node, &bind->svm->binds);
	mutex_unlock(&bind->svm->binds_lock);
	bind->svm->bind_count--;
	atomic_dec(&bind->svm->mdev->live_binds);

	mutex_lock(&bind->buffer->lock);
	bind->buffer->bind_count--;
	list_del_init(&bind->link);
	mockgpu_bind_unmap(bind);
	mutex_unlock(&bind->buffer->lock);
}

static void mockgpu_bind_free(struct mockgpu_bind *bind)
{
	drm_gem_object_put(&bind->buffer->base);
	kfree(bind);
}

/**
 * mockgpu_bind_remove_all() - nothing is bound in a VM any more
 * @svm: the mirror of the VM
 *
 * Context: Process context, may sleep.
 */
void mockgpu_bind_remove_all(struct mockgpu_svm *svm)
{
	struct mockgpu_bind *bind;

	do {
		mutex_lock(&svm->space->lock);
		bind = mockgpu_bind_find(svm, 0, ULONG_MAX);
		if (bind)
			mockgpu_bind_remove(bind);
		mutex_unlock(&svm->space->lock);
		if (bind)
			mockgpu_bind_free(bind);
	} while (bind);
}

/* With the lock of the space held. */
static int mockgpu_bind_insert(struct mockgpu_bind *bind)
{
	struct mockgpu_svm *svm = bind->svm;
	u64 start = bind->node.start, end = bind->node.last + 1;
	int ret;

	if (mockgpu_bind_find(svm, start, end - 1))
		return -EEXIST;
	if (svm->bind_count >= MOCKGPU_BIND_MAX)
		return -EBUSY;
	ret = mockgpu_hw_mmu_prepare(svm->mmu, start, end);
	if (!ret)
		ret = mockgpu_bind_count(bind->buffer);
	if (ret)
		return ret;

	mockgpu_svm_forget(svm, start, end);
	mockgpu_bind_attach(bind);
	return 0;
}

static struct mockgpu_bind *
mockgpu_bind_new(struct mockgpu_svm *svm, struct mockgpu_buffer *buffer,
		 const struct drm_mockgpu_vm_bind *args)
{
	struct mockgpu_bind *bind = kzalloc(sizeof(*bind), GFP_KERNEL_ACCOUNT);

	if (!bind)
		return NULL;

	drm_gem_object_get(&buffer->base);
	INIT_LIST_HEAD(&bind->link);
	bind->svm = svm;
	bind->buffer = buffer;
	bind->node.start = args->addr;
	bind->node.last = args->addr + args->size - 1;
	bind->first_page = args->offset >> PAGE_SHIFT;
	return bind;
}

static int mockgpu_bind_buffer(struct mockgpu_svm *svm,
			       struct mockgpu_buffer *buffer,
			       const struct drm_mockgpu_vm_bind *args)
{
	struct mockgpu_bind *bind;
	int ret;

	if (args->offset > buffer->base.size ||
	    args->size > buffer->base.size - args->offset)
		return -EINVAL;
	bind = mockgpu_bind_new(svm, buffer, args);
	if (!bind)
		return -ENOMEM;

	ret = mutex_lock_killable(&svm->space->lock);
	if (!ret) {
		ret = mockgpu_bind_insert(bind);
		mutex_unlock(&svm->space->lock);
	}
	if (ret)
		mockgpu_bind_free(bind);
	else
		mockgpu_exclusives_drop(svm, args->addr,
					args->addr + args->size);
	return ret;
}

static int mockgpu_bind_handle(struct mockgpu_svm *svm, struct drm_file *file,
			       const struct drm_mockgpu_vm_bind *args)
{
	struct drm_gem_object *obj = drm_gem_object_lookup(file, args->handle);
	int ret;

	if (!obj)
		return -ENOENT;
	ret = mockgpu_bind_buffer(svm, to_mockgpu_buffer(obj), args);
	drm_gem_object_put(obj);
	return ret;
}

static int mockgpu_unbind(struct mockgpu_svm *svm,
			  const struct drm_mockgpu_vm_bind *args)
{
	u64 last = args->addr + args->size - 1;
	struct mockgpu_bind *bind;
	int ret;

	ret = mutex_lock_killable(&svm->space->lock);
	if (ret)
		return ret;
	bind = mockgpu_bind_find(svm, args->addr, last);
	if (!bind || bind->node.start != args->addr || bind->node.last != last)
		bind = NULL;
	else
		mockgpu_bind_remove(bind);
	mutex_unlock(&svm->space->lock);

	if (!bind)
		return -ENOENT;
	mockgpu_bind_free(bind);
	return 0;
}

static bool mockgpu_bind_args_are_valid(const struct drm_mockgpu_vm_bind *args)
{
	if (args->pad || !PAGE_ALIGNED(args->offset) ||
	    !mockgpu_args_range_is_valid(args->addr, args->size, PAGE_SIZE))
		return false;
	return args->op == MOCKGPU_BIND ||
	       (args->op == MOCKGPU_UNBIND && !args->handle && !args->offset);
}

/**
 * mockgpu_vm_bind_ioctl() - DRM_IOCTL_MOCKGPU_VM_BIND
 * @drm: the device
 * @data: a struct drm_mockgpu_vm_bind
 * @file: the file
 *
 * Context: Process context, may sleep.
 * Return: 0, -EINVAL, -ENOENT or -EPERM for the VM, or what struct
 * drm_mockgpu_vm_bind says.
 */
int mockgpu_vm_bind_ioctl(struct drm_device *drm, void *data,
			  struct drm_file *file)
{
	const struct drm_mockgpu_vm_bind *args = data;
	struct mockgpu_vm *vm;
	int ret;

	if (!mockgpu_bind_args_are_valid(args))
		return -EINVAL;

	vm = mockgpu_vm_lookup(file, args->vm_id);
	if (IS_ERR(vm))
		return PTR_ERR(vm);

	if (vm->svm.space->count > 1)
		ret = -EOPNOTSUPP;
	else if (args->op == MOCKGPU_BIND)
		ret = mockgpu_bind_handle(&vm->svm, file, args);
	else
		ret = mockgpu_unbind(&vm->svm, args);
	mockgpu_vm_put(vm);
	return ret;
}
