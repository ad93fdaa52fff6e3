// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Files in debugfs that show what goes on: VMs, their ranges and TLBs, queues, and
 * what the device caught the driver at. See docs/files.md.
 *
 * They can be read at any time, and wait for nothing but the locks of what they
 * show; a signal ends that.
 */
#include <linux/debugfs.h>
#include <linux/math64.h>
#include <linux/module.h>
#include <linux/sched/signal.h>
#include <linux/seq_file.h>
#include <linux/slab.h>

#include "device.h"
#include "file.h"
#include "hw/hw.h"
#include "inspect.h"
#include "queue.h"
#include "space.h"
#include "svm.h"
#include "vm.h"

/* Calls @show for each VM there is. */
static int mockgpu_inspect_vms(struct seq_file *seq,
			       int (*show)(struct seq_file *seq,
					   struct mockgpu_vm *vm))
{
	struct mockgpu_device *mdev = seq->private;
	struct mockgpu_vm *vm = NULL;
	int ret;

	while ((vm = mockgpu_vm_next(mdev, vm))) {
		ret = signal_pending(current) ? -EINTR : show(seq, vm);
		if (ret) {
			mockgpu_vm_put(vm);
			return ret;
		}
		cond_resched();
	}
	return 0;
}

static int mockgpu_inspect_vm(struct seq_file *seq, struct mockgpu_vm *vm)
{
	seq_printf(seq, "vm %llu pid %d client %llu seat %u of %u exclusive %llu%s\n",
		   vm->serial, vm->pid, vm->client, vm->svm.seat,
		   vm->svm.space->count, READ_ONCE(vm->svm.exclusives.taken),
		   vm->ended ? " ended" : "");
	return 0;
}

static int mockgpu_inspect_vms_show(struct seq_file *seq, void *unused)
{
	return mockgpu_inspect_vms(seq, mockgpu_inspect_vm);
}
DEFINE_SHOW_ATTRIBUTE(mockgpu_inspect_vms);

static void mockgpu_inspect_range(struct seq_file *seq,
				  const struct mockgpu_vm *vm,
				  struct mockgpu_range *range)
{
	unsigned int seat = vm->svm.seat;
	struct drm_gpusvm_pages_flags flags = {
		.__flags = READ_ONCE(range->pages[seat].flags.__flags),
	};

	seq_printf(seq, "vm %llu %#lx-%#lx %s%s%s%s\n", vm->serial,
		   drm_gpusvm_range_start(&range->base),
		   drm_gpusvm_range_end(&range->base),
		   flags.has_dma_mapping ? "mapped" : "not mapped",
		   flags.has_devmem_pages ? " vram" : "",
		   test_bit(seat, &range->writable) ? " writable" : "",
		   list_empty(&range->garbage) ? "" : " garbage");
}

static int mockgpu_inspect_vm_ranges(struct seq_file *seq,
				     struct mockgpu_vm *vm)
{
	struct drm_gpusvm_notifier *notifier;
	struct mockgpu_space *space = vm->svm.space;
	struct drm_gpusvm_range *range;
	int ret;

	ret = mutex_lock_interruptible(&space->lock);
	if (ret)
		return ret;
	drm_gpusvm_for_each_notifier(notifier, &space->base, 0, ULONG_MAX) {
		range = NULL;
		drm_gpusvm_for_each_range(range, notifier, 0, ULONG_MAX)
			mockgpu_inspect_range(seq, vm, to_mockgpu_range(range));
	}
	mutex_unlock(&space->lock);
	return 0;
}

static int mockgpu_inspect_ranges_show(struct seq_file *seq, void *unused)
{
	return mockgpu_inspect_vms(seq, mockgpu_inspect_vm_ranges);
}
DEFINE_SHOW_ATTRIBUTE(mockgpu_inspect_ranges);

static const char *mockgpu_inspect_bus(enum mockgpu_hw_bus bus)
{
	switch (bus) {
	case MOCKGPU_HW_BUS_VRAM:
		return "vram";
	case MOCKGPU_HW_BUS_DMA:
		return "dma";
	default:
		return "link";
	}
}

static int mockgpu_inspect_vm_tlb(struct seq_file *seq, struct mockgpu_vm *vm)
{
	struct mockgpu_hw_tlb_line line;
	unsigned int i;

	for (i = 0; i < MOCKGPU_HW_TLB_SIZE; i++) {
		if (!mockgpu_hw_mmu_read_tlb(vm->svm.mmu, i, &line))
			continue;
		seq_printf(seq, "vm %llu %#llx %s %pad generation %u%s%s\n",
			   vm->serial, line.page,
			   mockgpu_inspect_bus(line.to.bus), &line.to.addr,
			   line.generation, line.write ? " writable" : "",
			   line.is_stale ? " stale" : "");
	}
	return 0;
}

static int mockgpu_inspect_tlb_show(struct seq_file *seq, void *unused)
{
	return mockgpu_inspect_vms(seq, mockgpu_inspect_vm_tlb);
}
DEFINE_SHOW_ATTRIBUTE(mockgpu_inspect_tlb);

static void mockgpu_inspect_queue(struct seq_file *seq,
				  struct mockgpu_queue *queue)
{
	unsigned int jobs;
	bool cancelled;
	u64 seqno;

	spin_lock_irq(&queue->lock);
	jobs = queue->jobs;
	seqno = queue->seqno;
	cancelled = queue->cancelled;
	spin_unlock_irq(&queue->lock);

	seq_printf(seq, "queue %llu vm %llu client %llu jobs %u submitted %llu running %llu us%s\n",
		   queue->context, queue->vm->serial, queue->vm->client, jobs,
		   seqno,
		   div_u64(mockgpu_hw_ring_running_ns(queue->ring),
			   NSEC_PER_USEC),
		   cancelled ? " cancelled" : "");
}

static int mockgpu_inspect_queues_show(struct seq_file *seq, void *unused)
{
	struct mockgpu_device *mdev = seq->private;
	struct mockgpu_queue *queue;
	int ret;

	ret = mutex_lock_interruptible(&mdev->queues_lock);
	if (ret)
		return ret;
	list_for_each_entry(queue, &mdev->queues, link)
		mockgpu_inspect_queue(seq, queue);
	mutex_unlock(&mdev->queues_lock);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(mockgpu_inspect_queues);

static int mockgpu_inspect_errors_show(struct seq_file *seq, void *unused)
{
	struct mockgpu_device *mdev = seq->private;
	unsigned int kind;

	for (kind = 0; kind < MOCKGPU_HW_ERROR_KINDS; kind++)
		seq_printf(seq, "%s %llu\n", mockgpu_hw_error_name(kind),
			   mockgpu_hw_error_count(mdev->hw, kind));
	return 0;
}

static void mockgpu_inspect_error(struct seq_file *seq,
				  const struct mockgpu_hw_error_record *record)
{
	u32 ns;
	u64 seconds = div_u64_rem(record->time_ns, NSEC_PER_SEC, &ns);

	seq_printf(seq, "%llu.%06lu %s pid %d", seconds, ns / NSEC_PER_USEC,
		   mockgpu_hw_error_name(record->kind), record->pid);
	if (record->space)
		seq_printf(seq, " vm %llu address %#llx", record->space,
			   record->addr);
	seq_printf(seq, ": %s\n", record->text);
}

static int mockgpu_inspect_state_show(struct seq_file *seq, void *unused)
{
	struct mockgpu_device *mdev = seq->private;
	struct mockgpu_hw_error_record *records;
	unsigned int i, count;

	records = kcalloc(MOCKGPU_HW_ERROR_RECORDS, sizeof(*records),
			  GFP_KERNEL);
	if (!records)
		return -ENOMEM;

	count = mockgpu_hw_errors_read(mdev->hw, records);
	for (i = 0; i < count; i++)
		mockgpu_inspect_error(seq, &records[i]);
	kfree(records);
	return 0;
}

static int mockgpu_inspect_errors_open(struct inode *inode, struct file *file)
{
	return single_open(file, mockgpu_inspect_errors_show, inode->i_private);
}

static int mockgpu_inspect_state_open(struct inode *inode, struct file *file)
{
	return single_open(file, mockgpu_inspect_state_show, inode->i_private);
}

/* Whatever is written. */
static ssize_t mockgpu_inspect_errors_write(struct file *file,
					    const char __user *data,
					    size_t size, loff_t *pos)
{
	struct seq_file *seq = file->private_data;
	struct mockgpu_device *mdev = seq->private;

	mockgpu_hw_errors_forget(mdev->hw);
	return size;
}

static ssize_t mockgpu_inspect_state_write(struct file *file,
					   const char __user *data,
					   size_t size, loff_t *pos)
{
	struct seq_file *seq = file->private_data;
	struct mockgpu_device *mdev = seq->private;

	mockgpu_hw_errors_clear(mdev->hw);
	return size;
}

static const struct file_operations mockgpu_inspect_errors_fops = {
	.owner = THIS_MODULE,
	.open = mockgpu_inspect_errors_open,
	.read = seq_read,
	.write = mockgpu_inspect_errors_write,
	.llseek = seq_lseek,
	.release = single_release,
};

static const struct file_operations mockgpu_inspect_state_fops = {
	.owner = THIS_MODULE,
	.open = mockgpu_inspect_state_open,
	.read = seq_read,
	.write = mockgpu_inspect_state_write,
	.llseek = seq_lseek,
	.release = single_release,
};

/**
 * mockgpu_inspect_add_files() - add the files to debugfs
 * @mdev: the device
 * @root: where to
 *
 * How often the driver was caught can be set to 0 only where it is caught on
 * purpose.
 *
 * Context: Process context, may sleep.
 */
void mockgpu_inspect_add_files(struct mockgpu_device *mdev,
			       struct dentry *root)
{
	debugfs_create_file("vms", 0400, root, mdev, &mockgpu_inspect_vms_fops);
	debugfs_create_file("ranges", 0400, root, mdev,
			    &mockgpu_inspect_ranges_fops);
	debugfs_create_file("tlb", 0400, root, mdev, &mockgpu_inspect_tlb_fops);
	debugfs_create_file("queues", 0400, root, mdev,
			    &mockgpu_inspect_queues_fops);
	debugfs_create_file("errors", mdev->config.test_knobs ? 0600 : 0400,
			    root, mdev, &mockgpu_inspect_errors_fops);
	debugfs_create_file("error_state", 0600, root, mdev,
			    &mockgpu_inspect_state_fops);
}
