// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * VMs and their ids.
 *
 * Locks: the lock inside of the xarray of a file, for looking up ids;
 * mockgpu_device.vms_lock, for the list of a device. Nothing is taken inside of
 * either: what others have to wait for is not for users to hold up. Whoever looks
 * at all VMs has a reference on one at a time instead, which keeps it in the list.
 */
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/wait.h>
#include <linux/xarray.h>

#include <drm/drm.h>
#include <drm/drm_file.h>
#include <drm/drm_pagemap.h>
#include <drm/mockgpu_drm.h>

#include "bind.h"
#include "device.h"
#include "file.h"
#include "mirror.h"
#include "pagemap.h"
#include "queue.h"
#include "vm.h"

/* A file that wants more makes a mistake. */
#define MOCKGPU_MAX_VMS	4096
/* Of all files of a device, as some commands look at all of them. */
#define MOCKGPU_MAX_DEVICE_VMS	16384

/* How many files there were. */
static atomic64_t mockgpu_clients;

/* It is not in the list any more; unbinding still waits for what it has mapped. */
static void mockgpu_vm_free(struct mockgpu_vm *vm)
{
	struct mockgpu_device *mdev = vm->mdev;

	mockgpu_bind_remove_all(&vm->svm);
	mockgpu_svm_clear(&vm->svm);
	if (atomic_dec_and_test(&mdev->dying_vms))
		wake_up_all(&mdev->dying_wait);
	mockgpu_svm_fini(&vm->svm);

	atomic_dec(&mdev->live_vms);
	mmdrop(vm->mm);
	drm_pagemap_put(vm->dpagemap);
	kfree(vm);
}

/* With vms_lock held: no VM with something mapped is neither in the list nor dying. */
static void mockgpu_vm_release(struct kref *refs)
{
	struct mockgpu_vm *vm = container_of(refs, struct mockgpu_vm, refs);
	struct mockgpu_device *mdev = vm->mdev;

	list_del(&vm->link);
	atomic_inc(&mdev->dying_vms);
	mutex_unlock(&mdev->vms_lock);

	mockgpu_vm_free(vm);
}

/**
 * mockgpu_vm_get() - take a reference
 * @vm: the VM; the caller has a reference
 *
 * Context: Any.
 */
void mockgpu_vm_get(struct mockgpu_vm *vm)
{
	kref_get(&vm->refs);
}

/**
 * mockgpu_vm_put() - drop a reference
 * @vm: the VM
 *
 * Context: Process context, may sleep. The caller has the file of the VM open
 * or is closing it, or has a reference to the DRM device.
 */
void mockgpu_vm_put(struct mockgpu_vm *vm)
{
	kref_put_mutex(&vm->refs, mockgpu_vm_release, &vm->mdev->vms_lock);
}

/**
 * mockgpu_vm_next() - go through all VMs of a device
 * @mdev: the device, to which the caller has a reference
 * @vm: the VM before, of which the caller's reference goes; NULL for the first one
 *
 * Context: Process context, may sleep.
 * Return: the next one, with a reference for the caller; NULL if there is none.
 */
struct mockgpu_vm *mockgpu_vm_next(struct mockgpu_device *mdev,
				   struct mockgpu_vm *vm)
{
	struct mockgpu_vm *next;

	mutex_lock(&mdev->vms_lock);
	next = list_prepare_entry(vm, &mdev->vms, link);
	next = list_next_entry(next, link);
	if (list_entry_is_head(next, &mdev->vms, link))
		next = NULL;
	else
		kref_get(&next->refs);
	mutex_unlock(&mdev->vms_lock);

	if (vm)
		mockgpu_vm_put(vm);
	return next;
}

/**
 * mockgpu_vm_lookup() - find the VM an ioctl is about
 * @file: the file
 * @id: the id user space gave
 *
 * Context: Process context.
 * Return: the VM with a reference for the caller; -ENOENT when the id is
 * unknown, -EPERM when the VM is of another address space.
 */
struct mockgpu_vm *mockgpu_vm_lookup(struct drm_file *file, u32 id)
{
	struct mockgpu_file *mfile = file->driver_priv;
	struct mockgpu_vm *vm;

	xa_lock(&mfile->vms);
	vm = xa_load(&mfile->vms, id);
	if (!vm)
		vm = ERR_PTR(-ENOENT);
	else if (vm->mm != current->mm)
		vm = ERR_PTR(-EPERM);
	else
		kref_get(&vm->refs);
	xa_unlock(&mfile->vms);

	return vm;
}

static int mockgpu_vm_init(struct mockgpu_vm *vm, struct mockgpu_device *mdev,
			   bool shared)
{
	int ret = mockgpu_mirror_prepare(current->mm);

	if (ret)
		return ret;

	vm->dpagemap = mockgpu_pagemap_get(mdev);
	if (IS_ERR(vm->dpagemap))
		return PTR_ERR(vm->dpagemap);

	ret = mockgpu_svm_init(&vm->svm, mdev, current->mm, shared);
	if (ret) {
		drm_pagemap_put(vm->dpagemap);
		return ret;
	}

	kref_init(&vm->refs);
	vm->mdev = mdev;
	vm->mm = current->mm;
	vm->pid = task_tgid_nr(current);
	mmgrab(vm->mm);
	vm->serial = atomic64_inc_return(&mdev->vm_serial);
	mockgpu_hw_mmu_set_number(vm->svm.mmu, vm->serial);

	mutex_lock(&mdev->vms_lock);
	list_add_tail(&vm->link, &mdev->vms);
	mutex_unlock(&mdev->vms_lock);
	return 0;
}

static struct mockgpu_vm *mockgpu_vm_create(struct mockgpu_device *mdev,
					    u64 client, bool shared)
{
	struct mockgpu_vm *vm = kzalloc(sizeof(*vm), GFP_KERNEL_ACCOUNT);
	int ret;

	if (!vm)
		return ERR_PTR(-ENOMEM);

	if (!atomic_add_unless(&mdev->live_vms, 1, MOCKGPU_MAX_DEVICE_VMS)) {
		kfree(vm);
		return ERR_PTR(-EBUSY);
	}

	vm->client = client;
	ret = mockgpu_vm_init(vm, mdev, shared);
	if (!ret)
		return vm;

	atomic_dec(&mdev->live_vms);
	kfree(vm);
	return ERR_PTR(ret);
}

/**
 * mockgpu_vm_clear_all() - have all VMs forget what the device had of them
 * @mdev: the device, unplugged, so that it gets no more
 *
 * Context: Process context, may sleep.
 */
void mockgpu_vm_clear_all(struct mockgpu_device *mdev)
{
	struct mockgpu_vm *vm = NULL;

	while ((vm = mockgpu_vm_next(mdev, vm)))
		mockgpu_svm_clear(&vm->svm);
	wait_event(mdev->dying_wait, !atomic_read(&mdev->dying_vms));
}

/**
 * mockgpu_vm_create_ioctl() - DRM_IOCTL_MOCKGPU_VM_CREATE
 * @drm: the device
 * @data: a struct drm_mockgpu_vm
 * @file: the file
 *
 * Context: Process context, may sleep.
 * Return: 0, -EINVAL, -ENOMEM, -EBUSY when those of the file or the device, or those
 * that share the ranges, are too many, -ENODEV, -EINTR.
 */
int mockgpu_vm_create_ioctl(struct drm_device *drm, void *data,
			    struct drm_file *file)
{
	struct mockgpu_file *mfile = file->driver_priv;
	struct drm_mockgpu_vm *args = data;
	struct mockgpu_vm *vm;
	int ret;

	if (args->flags & ~MOCKGPU_VM_SHARED)
		return -EINVAL;

	vm = mockgpu_vm_create(mockgpu_device_from_drm(drm), mfile->client,
			       args->flags & MOCKGPU_VM_SHARED);
	if (IS_ERR(vm))
		return PTR_ERR(vm);

	/* Last, because somebody else may destroy it at once. */
	ret = xa_alloc(&mfile->vms, &args->vm_id, vm,
		       XA_LIMIT(1, MOCKGPU_MAX_VMS), GFP_KERNEL_ACCOUNT);
	if (ret)
		mockgpu_vm_put(vm);
	return ret;
}

/**
 * mockgpu_vm_destroy_ioctl() - DRM_IOCTL_MOCKGPU_VM_DESTROY
 * @drm: the device
 * @data: a struct drm_mockgpu_vm
 * @file: the file
 *
 * Commands that are running with the VM go on to their end, but for its queues,
 * which are cancelled.
 *
 * Context: Process context, may sleep.
 * Return: 0, -EINVAL, -ENOENT, -EPERM.
 */
int mockgpu_vm_destroy_ioctl(struct drm_device *drm, void *data,
			     struct drm_file *file)
{
	struct mockgpu_file *mfile = file->driver_priv;
	struct drm_mockgpu_vm *args = data;
	struct mockgpu_vm *vm;
	bool mine;

	if (args->flags)
		return -EINVAL;

	vm = mockgpu_vm_lookup(file, args->vm_id);
	if (IS_ERR(vm))
		return PTR_ERR(vm);

	mine = xa_cmpxchg(&mfile->vms, args->vm_id, vm, NULL, 0) == vm;
	if (mine) {
		mockgpu_queue_end_vm(vm);
		mockgpu_vm_put(vm);
	}
	mockgpu_vm_put(vm);
	return mine ? 0 : -ENOENT;
}

/**
 * mockgpu_vm_open_file() - a file without VMs and queues
 * @drm: the device
 * @file: the file
 *
 * Context: Process context, may sleep.
 * Return: 0 or -ENOMEM.
 */
int mockgpu_vm_open_file(struct drm_device *drm, struct drm_file *file)
{
	struct mockgpu_file *mfile = kzalloc(sizeof(*mfile), GFP_KERNEL);

	if (!mfile)
		return -ENOMEM;

	mfile->client = atomic64_inc_return(&mockgpu_clients);
	xa_init_flags(&mfile->vms, XA_FLAGS_ALLOC1);
	xa_init_flags(&mfile->queues, XA_FLAGS_ALLOC1);
	file->driver_priv = mfile;
	return 0;
}

/**
 * mockgpu_vm_close_file() - the end of a file, its queues and its VMs
 * @drm: the device
 * @file: the file
 *
 * Device pages that were populated through it stay.
 *
 * Context: Process context, may sleep.
 */
void mockgpu_vm_close_file(struct drm_device *drm, struct drm_file *file)
{
	struct mockgpu_file *mfile = file->driver_priv;
	struct mockgpu_vm *vm;
	unsigned long id;

	mockgpu_queue_close_file(mfile);
	xa_for_each(&mfile->vms, id, vm)
		mockgpu_vm_put(vm);
	xa_destroy(&mfile->vms);
	kfree(mfile);
}
