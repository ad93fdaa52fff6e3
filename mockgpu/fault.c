// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The handler of the device's page faults: workers, as many as there are faults.
 *
 * A worker may be kept for long by whoever has to provide the memory. It has
 * references to all it needs, so that neither the job nor the file waits for it.
 * A fault whose job has given up is stale and is dropped: the memory may be gone
 * for good reasons, or something else may be there.
 *
 * Nobody waits for the workers of others: there are never more faults than the
 * device's work queue runs at once. A queue has one, which its jobs have one after
 * the other, and a queue that has gone leaves room for a new one only when nobody is
 * at its fault any more.
 */
#include <linux/jiffies.h>
#include <linux/memcontrol.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include <drm/drm_drv.h>

#include "atomic.h"
#include "device.h"
#include "fault.h"
#include "place.h"
#include "svm.h"
#include "vm.h"

/* How long faults can be held. */
#define MOCKGPU_FAULT_HOLD_MAX	(30 * HZ)

/* Queues of a device; half of what can run at once, which may be shared by two nodes. */
#define MOCKGPU_FAULT_MAX	256
static_assert(WQ_MAX_ACTIVE / 2 >= MOCKGPU_FAULT_MAX);

/* A device may be freed by its last fault, so they are the module's. */
static struct workqueue_struct *mockgpu_fault_queues[MOCKGPU_MAX_DEVICES];

static void mockgpu_fault_wait_while_held(struct mockgpu_device *mdev)
{
	unsigned long deadline = jiffies + MOCKGPU_FAULT_HOLD_MAX;

	while (READ_ONCE(mdev->knobs.hold_faults) &&
	       time_before(jiffies, deadline))
		schedule_timeout_idle(1);
}

static int mockgpu_fault_bound(struct mockgpu_fault *fault)
{
	struct mockgpu_vm *vm = fault->vm;
	int idx, ret;

	if (!drm_dev_enter(&vm->mdev->drm, &idx))
		return -ENODEV;
	if (fault->hw.atomic) {
		ret = mockgpu_atomic_fault(vm, fault->hw.addr);
	} else {
		ret = mockgpu_place_on_fault(vm, fault->hw.addr);
		if (!ret)
			ret = mockgpu_svm_fault(&vm->svm, fault->hw.addr,
						fault->hw.write);
	}
	drm_dev_exit(idx);

	return ret;
}

/*
 * A VM keeps its address space from being freed, not from its end. What memory is
 * needed is charged to the process, as if it had touched the address itself.
 */
static int mockgpu_fault_handle(struct mockgpu_fault *fault)
{
	struct mm_struct *mm = fault->vm->mm;
	struct mem_cgroup *memcg, *others;
	int ret;

	if (!mmget_not_zero(mm))
		return -EFAULT;
	memcg = get_mem_cgroup_from_mm(mm);
	others = set_active_memcg(memcg);
	ret = mockgpu_fault_bound(fault);
	set_active_memcg(others);
	mem_cgroup_put(memcg);
	/* It may be the last one, and the job has to have its answer. */
	mmput_async(mm);
	return ret;
}

static void mockgpu_fault_work(struct work_struct *work)
{
	struct mockgpu_fault *fault = container_of(work, struct mockgpu_fault,
						   work);
	struct mockgpu_vm *vm = fault->vm;
	struct mockgpu_device *mdev = vm->mdev;
	int ret = -EFAULT;

	mockgpu_fault_wait_while_held(mdev);
	if (mockgpu_hw_fault_is_wanted(&fault->hw)) {
		atomic64_inc(&mdev->faults);
		ret = mockgpu_fault_handle(fault);
	} else {
		atomic64_inc(&mdev->stale_faults);
	}

	/* From here on it can be raised once more. */
	mockgpu_hw_fault_answer(mdev->hw, &fault->hw, ret);
	mockgpu_fault_put(fault);
	mockgpu_vm_put(vm);
	drm_dev_put(&mdev->drm);
}

/**
 * mockgpu_fault_new() - room for the page faults of a queue
 * @mdev: the device, which has to stay until the fault is freed
 *
 * Context: Process context, may sleep.
 * Return: the fault, -ENOMEM, or -EBUSY when the device has too many.
 */
struct mockgpu_fault *mockgpu_fault_new(struct mockgpu_device *mdev)
{
	struct mockgpu_fault *fault = kzalloc(sizeof(*fault),
					      GFP_KERNEL_ACCOUNT);

	if (!fault)
		return ERR_PTR(-ENOMEM);
	if (!atomic_add_unless(&mdev->live_faults, 1, MOCKGPU_FAULT_MAX)) {
		kfree(fault);
		return ERR_PTR(-EBUSY);
	}

	fault->mdev = mdev;
	refcount_set(&fault->refs, 1);
	INIT_WORK(&fault->work, mockgpu_fault_work);
	return fault;
}

/**
 * mockgpu_fault_put() - drop a reference
 * @fault: the fault
 *
 * Context: Any.
 */
void mockgpu_fault_put(struct mockgpu_fault *fault)
{
	if (!refcount_dec_and_test(&fault->refs))
		return;
	atomic_dec(&fault->mdev->live_faults);
	kfree(fault);
}

/**
 * mockgpu_fault_raise() - have a page fault handled
 * @fault: filled by the device
 * @vm: the address space; the caller has a reference
 *
 * Context: Any; called on the way to the end of a job, for which others may wait
 * that free memory.
 */
void mockgpu_fault_raise(struct mockgpu_fault *fault, struct mockgpu_vm *vm)
{
	fault->vm = vm;
	refcount_inc(&fault->refs);
	mockgpu_vm_get(vm);
	drm_dev_get(&vm->mdev->drm);
	queue_work(mockgpu_fault_queues[fault->mdev->config.index], &fault->work);
}

/**
 * mockgpu_fault_device_init() - make a device's workers
 * @mdev: the device, of which nobody else knows yet
 *
 * Context: Process context, may sleep.
 * Return: 0 or -ENOMEM.
 */
int mockgpu_fault_device_init(struct mockgpu_device *mdev)
{
	struct workqueue_struct **queue =
		&mockgpu_fault_queues[mdev->config.index];

	if (!*queue)
		*queue = alloc_workqueue("mockgpu_fault", WQ_UNBOUND,
					 WQ_MAX_ACTIVE);
	return *queue ? 0 : -ENOMEM;
}

/**
 * mockgpu_fault_module_exit() - wait for the last workers
 *
 * Context: Module exit: there are no jobs any more.
 */
void mockgpu_fault_module_exit(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(mockgpu_fault_queues); i++)
		if (mockgpu_fault_queues[i])
			destroy_workqueue(mockgpu_fault_queues[i]);
}
