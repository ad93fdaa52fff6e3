// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Attributes: what a user wants of parts of its address space.
 *
 * They belong to addresses, not to what is mapped there: memory that is unmapped
 * and mapped again has those that were set before.
 */
#include <linux/log2.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/rbtree.h>
#include <linux/sizes.h>
#include <linux/slab.h>

#include <drm/drm.h>

#include "args.h"
#include "atomic.h"
#include "attr.h"
#include "device.h"
#include "svm.h"
#include "vm.h"

/* Ranges of all attributes of an address space together, each of which is memory. */
#define MOCKGPU_ATTR_MAX	65536

/* Where an attribute has a value that is not 0; neighbours have different ones. */
struct mockgpu_attr_entry {
	struct rb_node node;
	unsigned long start;
	unsigned long end;
	u64 value;
};

/*
 * An attribute that is to have another value in a range, with what that takes: @inside
 * entries go, @entry comes, and of the one that the range cuts in two, if @splits, the
 * other half is @rest.
 */
struct mockgpu_attr_change {
	struct rb_root *tree;
	unsigned long start;
	unsigned long end;
	u64 value;
	unsigned int inside;
	bool splits;
	struct mockgpu_attr_entry *entry;
	struct mockgpu_attr_entry *rest;
};

/**
 * mockgpu_attrs_init() - all attributes are 0 everywhere
 * @attrs: filled
 *
 * Context: Any.
 */
void mockgpu_attrs_init(struct mockgpu_attrs *attrs)
{
	unsigned int i;

	for (i = 0; i < MOCKGPU_ATTR_COUNT; i++)
		attrs->trees[i] = RB_ROOT;
	attrs->count = 0;
	attrs->changes = 0;
}

/**
 * mockgpu_attrs_fini() - undo mockgpu_attrs_init()
 * @attrs: the attributes
 *
 * Context: Process context.
 */
void mockgpu_attrs_fini(struct mockgpu_attrs *attrs)
{
	struct mockgpu_attr_entry *entry, *next;
	unsigned int i;

	for (i = 0; i < MOCKGPU_ATTR_COUNT; i++)
		rbtree_postorder_for_each_entry_safe(entry, next,
						     &attrs->trees[i], node)
			kfree(entry);
}

static struct mockgpu_attr_entry *to_mockgpu_attr_entry(struct rb_node *node)
{
	return rb_entry_safe(node, struct mockgpu_attr_entry, node);
}

/* The first one that ends behind an address. */
static struct mockgpu_attr_entry *
mockgpu_attrs_first(const struct rb_root *tree, unsigned long addr)
{
	struct mockgpu_attr_entry *entry, *first = NULL;
	struct rb_node *node = tree->rb_node;

	while (node) {
		entry = to_mockgpu_attr_entry(node);
		if (entry->end > addr) {
			first = entry;
			node = node->rb_left;
		} else {
			node = node->rb_right;
		}
	}
	return first;
}

static struct mockgpu_attr_entry *
mockgpu_attrs_next(struct mockgpu_attr_entry *entry)
{
	return to_mockgpu_attr_entry(rb_next(&entry->node));
}

static void mockgpu_attrs_insert(struct rb_root *tree,
				 struct mockgpu_attr_entry *entry)
{
	struct rb_node **link = &tree->rb_node, *parent = NULL;

	while (*link) {
		parent = *link;
		link = to_mockgpu_attr_entry(parent)->start > entry->start ?
		       &parent->rb_left : &parent->rb_right;
	}
	rb_link_node(&entry->node, parent, link);
	rb_insert_color(&entry->node, tree);
}

/* Makes the range no larger than where the attribute has this value. */
static u64 mockgpu_attrs_look_at(const struct rb_root *tree, unsigned long addr,
				 struct mockgpu_attr_values *values)
{
	struct mockgpu_attr_entry *entry = mockgpu_attrs_first(tree, addr);
	struct mockgpu_attr_entry *before;

	if (entry && entry->start <= addr) {
		values->start = max(values->start, entry->start);
		values->end = min(values->end, entry->end);
		return entry->value;
	}

	before = to_mockgpu_attr_entry(entry ? rb_prev(&entry->node) :
					       rb_last(tree));
	if (before)
		values->start = max(values->start, before->end);
	if (entry)
		values->end = min(values->end, entry->start);
	return 0;
}

/**
 * mockgpu_attrs_look() - what is wanted of an address
 * @attrs: the attributes; the caller has &mockgpu_space.lock
 * @addr: user address
 * @values: filled
 *
 * Context: Process context.
 */
void mockgpu_attrs_look(struct mockgpu_attrs *attrs, unsigned long addr,
			struct mockgpu_attr_values *values)
{
	unsigned int i;

	values->start = 0;
	values->end = TASK_SIZE_MAX;
	values->changes = attrs->changes;
	for (i = 0; i < MOCKGPU_ATTR_COUNT; i++)
		values->values[i] = mockgpu_attrs_look_at(&attrs->trees[i],
							  addr, values);
}

/* Whoever sets page after page to the same is to have one entry. */
static void mockgpu_attr_widen(struct mockgpu_attr_change *change)
{
	struct mockgpu_attr_entry *entry;

	if (change->start) {
		entry = mockgpu_attrs_first(change->tree, change->start - 1);
		if (entry && entry->start < change->start &&
		    entry->value == change->value) {
			change->start = entry->start;
			change->end = max(change->end, entry->end);
		}
	}
	entry = mockgpu_attrs_first(change->tree, change->end);
	if (entry && entry->start <= change->end &&
	    entry->value == change->value)
		change->end = entry->end;
}

static bool mockgpu_attr_is_inside(const struct mockgpu_attr_change *change,
				   const struct mockgpu_attr_entry *entry)
{
	return entry->start >= change->start && entry->end <= change->end;
}

static bool mockgpu_attr_is_split(const struct mockgpu_attr_change *change,
				  const struct mockgpu_attr_entry *entry)
{
	return entry->start < change->start && entry->end > change->end;
}

static void mockgpu_attr_plan(struct mockgpu_attr_change *change)
{
	struct mockgpu_attr_entry *entry;

	if (change->value)
		mockgpu_attr_widen(change);
	entry = mockgpu_attrs_first(change->tree, change->start);
	for (; entry && entry->start < change->end;
	     entry = mockgpu_attrs_next(entry)) {
		change->inside += mockgpu_attr_is_inside(change, entry);
		change->splits |= mockgpu_attr_is_split(change, entry);
	}
}

/* All that is needed is there before anything changes. */
static int mockgpu_attr_alloc(struct mockgpu_attr_change *change)
{
	if (change->value) {
		change->entry = kzalloc(sizeof(*change->entry),
					GFP_KERNEL_ACCOUNT);
		if (!change->entry)
			return -ENOMEM;
	}
	if (!change->splits)
		return 0;

	change->rest = kzalloc(sizeof(*change->rest), GFP_KERNEL_ACCOUNT);
	if (change->rest)
		return 0;
	kfree(change->entry);
	return -ENOMEM;
}

/* What there is of an entry in the range goes. */
static void mockgpu_attr_cut(const struct mockgpu_attr_change *change,
			     struct mockgpu_attr_entry *entry)
{
	if (mockgpu_attr_is_inside(change, entry)) {
		rb_erase(&entry->node, change->tree);
		kfree(entry);
		return;
	}
	if (mockgpu_attr_is_split(change, entry)) {
		change->rest->start = change->end;
		change->rest->end = entry->end;
		change->rest->value = entry->value;
		mockgpu_attrs_insert(change->tree, change->rest);
	}
	if (entry->start < change->start)
		entry->end = change->start;
	else
		entry->start = change->end;
}

static void mockgpu_attr_apply(const struct mockgpu_attr_change *change)
{
	struct mockgpu_attr_entry *entry, *next;

	entry = mockgpu_attrs_first(change->tree, change->start);
	for (; entry && entry->start < change->end; entry = next) {
		next = mockgpu_attrs_next(entry);
		mockgpu_attr_cut(change, entry);
	}
	if (!change->entry)
		return;

	change->entry->start = change->start;
	change->entry->end = change->end;
	change->entry->value = change->value;
	mockgpu_attrs_insert(change->tree, change->entry);
}

/**
 * mockgpu_attrs_store() - something else is wanted of a range
 * @attrs: the attributes; the caller has &mockgpu_space.lock
 * @attr: which
 * @start: user address
 * @end: user address
 * @value: what
 *
 * After an error all is as before.
 *
 * Context: Process context, may sleep.
 * Return: 0, -ENOMEM, or -EBUSY when there would be too many ranges.
 */
int mockgpu_attrs_store(struct mockgpu_attrs *attrs,
			enum drm_mockgpu_attr attr, unsigned long start,
			unsigned long end, u64 value)
{
	struct mockgpu_attr_change change = {
		.tree = &attrs->trees[attr],
		.start = start,
		.end = end,
		.value = value,
	};
	unsigned int count;
	int ret;

	mockgpu_attr_plan(&change);
	count = attrs->count - change.inside + !!value + change.splits;
	if (count > MOCKGPU_ATTR_MAX)
		return -EBUSY;
	ret = mockgpu_attr_alloc(&change);
	if (ret)
		return ret;

	WRITE_ONCE(attrs->changes, attrs->changes + 1);
	mockgpu_attr_apply(&change);
	attrs->count = count;
	return 0;
}

static bool mockgpu_attr_value_is_valid(const struct drm_mockgpu_attr_range *args)
{
	switch (args->attr) {
	case MOCKGPU_ATTR_PREFERRED:
		return args->value <= MOCKGPU_PREFER_DEVICE;
	case MOCKGPU_ATTR_GRANULARITY:
		return !args->value || (is_power_of_2(args->value) &&
					args->value >= PAGE_SIZE &&
					args->value <= SZ_2M);
	case MOCKGPU_ATTR_TIMESLICE_MS:
		return args->value <= U32_MAX;
	case MOCKGPU_ATTR_READ_ONLY:
		return args->value <= 1;
	case MOCKGPU_ATTR_ATOMIC:
		return args->value <= MOCKGPU_ATOMIC_SYSTEM;
	default:
		return false;
	}
}

static bool mockgpu_attr_is_offered(const struct mockgpu_device *mdev,
				    const struct drm_mockgpu_attr_range *args)
{
	switch (args->attr) {
	case MOCKGPU_ATTR_PREFERRED:
		return args->value != MOCKGPU_PREFER_DEVICE ||
		       mockgpu_device_has_vram(mdev);
	case MOCKGPU_ATTR_ATOMIC:
		return mockgpu_atomic_is_offered(mdev, args->value);
	default:
		return true;
	}
}

/**
 * mockgpu_set_attr_ioctl() - DRM_IOCTL_MOCKGPU_SET_ATTR
 * @drm: the device
 * @data: a struct drm_mockgpu_attr_range
 * @file: the file
 *
 * Context: Process context, may sleep.
 * Return: 0, -EINVAL, -ENOENT or -EPERM for the VM, -EOPNOTSUPP what the device
 * or the kernel cannot do, -EBUSY too many ranges, -ENOMEM, -EINTR.
 */
int mockgpu_set_attr_ioctl(struct drm_device *drm, void *data,
			   struct drm_file *file)
{
	const struct drm_mockgpu_attr_range *args = data;
	struct mockgpu_vm *vm;
	int ret = -EOPNOTSUPP;

	if (!mockgpu_args_range_is_valid(args->addr, args->size, PAGE_SIZE) ||
	    !mockgpu_attr_value_is_valid(args))
		return -EINVAL;

	vm = mockgpu_vm_lookup(file, args->vm_id);
	if (IS_ERR(vm))
		return PTR_ERR(vm);

	if (mockgpu_attr_is_offered(vm->mdev, args))
		ret = mockgpu_svm_set_attr(&vm->svm, args->attr, args->addr,
					   args->addr + args->size,
					   args->value);
	mockgpu_vm_put(vm);
	return ret;
}

/**
 * mockgpu_get_attr_ioctl() - DRM_IOCTL_MOCKGPU_GET_ATTR
 * @drm: the device
 * @data: a struct drm_mockgpu_attr_range
 * @file: the file
 *
 * Context: Process context, may sleep.
 * Return: 0, -EINVAL, -ENOENT or -EPERM for the VM, -EINTR.
 */
int mockgpu_get_attr_ioctl(struct drm_device *drm, void *data,
			   struct drm_file *file)
{
	struct drm_mockgpu_attr_range *args = data;
	struct mockgpu_attr_values values;
	struct mockgpu_vm *vm;
	int ret;

	if (args->attr >= MOCKGPU_ATTR_COUNT || args->size || args->value ||
	    !mockgpu_args_range_is_valid(args->addr, 1, 1))
		return -EINVAL;

	vm = mockgpu_vm_lookup(file, args->vm_id);
	if (IS_ERR(vm))
		return PTR_ERR(vm);

	ret = mockgpu_svm_look_attr(&vm->svm, args->addr, &values);
	if (!ret) {
		args->addr = values.start;
		args->size = values.end - values.start;
		args->value = values.values[args->attr];
	}
	mockgpu_vm_put(vm);
	return ret;
}
