// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * For tests: a reference on device pages that somebody seems to be using.
 *
 * Locks: mockgpu_hold.lock is outermost. The last reference on a page may be
 * dropped inside of it, for which nothing else is taken that sleeps.
 */
#include <linux/bitmap.h>
#include <linux/debugfs.h>
#include <linux/mm.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include <drm/drm_drv.h>
#include <drm/drm_managed.h>

#include "device.h"
#include "hold.h"
#include "vram.h"

static void mockgpu_hold_fini(struct drm_device *drm, void *pages)
{
	kvfree(pages);
}

/**
 * mockgpu_hold_init() - prepare to hold pages
 * @mdev: the device; nothing happens without test knobs or without VRAM
 *
 * Context: Process context, may sleep.
 * Return: 0 or -ENOMEM.
 */
int mockgpu_hold_init(struct mockgpu_device *mdev)
{
	unsigned long npages = mdev->config.vram_size >> PAGE_SHIFT;
	struct mockgpu_hold *hold = &mdev->hold;

	mutex_init(&hold->lock);
	if (!mdev->config.test_knobs || !npages)
		return 0;

	hold->pages = kvcalloc(BITS_TO_LONGS(npages), sizeof(long),
			       GFP_KERNEL);
	if (!hold->pages)
		return -ENOMEM;
	return drmm_add_action_or_reset(&mdev->drm, mockgpu_hold_fini,
					hold->pages);
}

static struct page *mockgpu_hold_page(struct mockgpu_device *mdev,
				      unsigned long index)
{
	return pfn_to_page(mdev->vram.first_pfn + index);
}

/* Does nothing when it is held already. */
static int mockgpu_hold_get(struct mockgpu_device *mdev, unsigned long index)
{
	struct mockgpu_hold *hold = &mdev->hold;

	lockdep_assert_held(&hold->lock);

	if (test_bit(index, hold->pages))
		return 0;
	if (!get_page_unless_zero(mockgpu_hold_page(mdev, index)))
		return -ENOENT;

	__set_bit(index, hold->pages);
	return 0;
}

static int mockgpu_hold_index(struct mockgpu_device *mdev, unsigned long index)
{
	int ret;

	if (index >= mdev->vram.npages)
		return -EINVAL;

	mutex_lock(&mdev->hold.lock);
	ret = mockgpu_hold_get(mdev, index);
	mutex_unlock(&mdev->hold.lock);
	return ret;
}

/* All that are in use; there may be none. */
static int mockgpu_hold_all(struct mockgpu_device *mdev)
{
	unsigned long i;

	mutex_lock(&mdev->hold.lock);
	for (i = 0; i < mdev->vram.npages; i++) {
		mockgpu_hold_get(mdev, i);
		cond_resched();
	}
	mutex_unlock(&mdev->hold.lock);
	return 0;
}

/**
 * mockgpu_hold_drop() - let go of all pages
 * @mdev: the device
 *
 * Context: Process context, may sleep.
 */
void mockgpu_hold_drop(struct mockgpu_device *mdev)
{
	struct mockgpu_hold *hold = &mdev->hold;
	unsigned long i;

	if (!hold->pages)
		return;

	mutex_lock(&hold->lock);
	for_each_set_bit(i, hold->pages, mdev->vram.npages) {
		__clear_bit(i, hold->pages);
		put_page(mockgpu_hold_page(mdev, i));
		cond_resched();
	}
	mutex_unlock(&hold->lock);
}

/* "all", the number of a page, or "0" to let go. */
static int mockgpu_hold_command(struct mockgpu_device *mdev, const char *text)
{
	unsigned long number;

	if (sysfs_streq(text, "all"))
		return mockgpu_hold_all(mdev);
	if (kstrtoul(text, 0, &number))
		return -EINVAL;
	if (number)
		return mockgpu_hold_index(mdev, number);

	mockgpu_hold_drop(mdev);
	return 0;
}

static ssize_t mockgpu_hold_write(struct file *file, const char __user *data,
				  size_t size, loff_t *pos)
{
	struct seq_file *seq = file->private_data;
	struct mockgpu_device *mdev = seq->private;
	char text[64] = {};
	int idx, ret;

	if (size >= sizeof(text))
		return -EINVAL;
	if (copy_from_user(text, data, size))
		return -EFAULT;

	/* Unbind waits for all references, so none comes after its begin. */
	if (!drm_dev_enter(&mdev->drm, &idx))
		return -ENODEV;
	ret = mockgpu_hold_command(mdev, text);
	drm_dev_exit(idx);

	return ret ?: size;
}

/* How many pages are held. */
static int mockgpu_hold_show(struct seq_file *seq, void *unused)
{
	struct mockgpu_device *mdev = seq->private;
	struct mockgpu_hold *hold = &mdev->hold;

	mutex_lock(&hold->lock);
	seq_printf(seq, "%u\n", bitmap_weight(hold->pages, mdev->vram.npages));
	mutex_unlock(&hold->lock);
	return 0;
}

static int mockgpu_hold_open(struct inode *inode, struct file *file)
{
	return single_open(file, mockgpu_hold_show, inode->i_private);
}

static const struct file_operations mockgpu_hold_fops = {
	.owner = THIS_MODULE,
	.open = mockgpu_hold_open,
	.read = seq_read,
	.write = mockgpu_hold_write,
	.llseek = seq_lseek,
	.release = single_release,
};

/**
 * mockgpu_hold_add_file() - add the file hold_page
 * @mdev: the device
 * @root: where to
 *
 * Context: Process context, may sleep.
 */
void mockgpu_hold_add_file(struct mockgpu_device *mdev, struct dentry *root)
{
	if (mdev->hold.pages)
		debugfs_create_file("hold_page", 0600, root, mdev,
				    &mockgpu_hold_fops);
}
