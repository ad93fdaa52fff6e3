// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Files in sysfs: what a device is, and what all of them caught. See docs/files.md.
 */
#include <linux/device.h>
#include <linux/sysfs.h>

#include "device.h"
#include "heap.h"
#include "hw/hw.h"
#include "sysfs.h"

static const char *mockgpu_sysfs_tier(enum drm_mockgpu_tier tier)
{
	switch (tier) {
	case MOCKGPU_TIER_PRIVATE:
		return "private";
	case MOCKGPU_TIER_COHERENT:
		return "coherent";
	default:
		return "system";
	}
}

static ssize_t tier_show(struct device *dev, struct device_attribute *attr,
			 char *text)
{
	const struct mockgpu_device *mdev = dev_get_drvdata(dev);

	return sysfs_emit(text, "%s\n", mockgpu_sysfs_tier(mdev->config.tier));
}
static DEVICE_ATTR_RO(tier);

static ssize_t vram_size_show(struct device *dev,
			      struct device_attribute *attr, char *text)
{
	const struct mockgpu_device *mdev = dev_get_drvdata(dev);

	return sysfs_emit(text, "%llu\n", mdev->config.vram_size);
}
static DEVICE_ATTR_RO(vram_size);

static ssize_t vram_used_show(struct device *dev,
			      struct device_attribute *attr, char *text)
{
	struct mockgpu_device *mdev = dev_get_drvdata(dev);
	unsigned int allocs;
	unsigned long pages;

	mockgpu_heap_read_live(&mdev->heap, &pages, &allocs);
	return sysfs_emit(text, "%llu\n", (u64)pages << PAGE_SHIFT);
}
static DEVICE_ATTR_RO(vram_used);

/* Numbers of the devices it has links to, one a line. */
static ssize_t links_show(struct device *dev, struct device_attribute *attr,
			  char *text)
{
	const struct mockgpu_device *mdev = dev_get_drvdata(dev);
	unsigned long links = mdev->config.links;
	unsigned int index;
	int used = 0;

	for_each_set_bit(index, &links, MOCKGPU_MAX_DEVICES)
		used += sysfs_emit_at(text, used, "%u\n", index);
	return used;
}
static DEVICE_ATTR_RO(links);

static struct attribute *mockgpu_sysfs_attrs[] = {
	&dev_attr_tier.attr,
	&dev_attr_vram_size.attr,
	&dev_attr_vram_used.attr,
	&dev_attr_links.attr,
	NULL
};

static const struct attribute_group mockgpu_sysfs_group = {
	.attrs = mockgpu_sysfs_attrs,
};

const struct attribute_group *mockgpu_sysfs_groups[] = {
	&mockgpu_sysfs_group,
	NULL
};

static ssize_t device_errors_show(struct device_driver *driver, char *text)
{
	return sysfs_emit(text, "%llu\n", mockgpu_hw_errors_ever());
}
static DRIVER_ATTR_RO(device_errors);

static struct attribute *mockgpu_sysfs_driver_attrs[] = {
	&driver_attr_device_errors.attr,
	NULL
};

static const struct attribute_group mockgpu_sysfs_driver_group = {
	.attrs = mockgpu_sysfs_driver_attrs,
};

const struct attribute_group *mockgpu_sysfs_driver_groups[] = {
	&mockgpu_sysfs_driver_group,
	NULL
};
