// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * RAM taken from the kernel while the module is loaded.
 *
 * The kernel gives up whole memory blocks, after moving away what is in them, when
 * nothing in there is its own: what is in ZONE_MOVABLE, or was offline before. The
 * kernels this is for have a fault, though: a block that is only part of what one
 * entry of the direct map covers, which may be 1 GiB, is given up without complaint,
 * and then all of that is unmapped, with the rest of the machine in it. So that is
 * looked at before.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/errno.h>
#include <linux/ioport.h>
#include <linux/kernel.h>
#include <linux/memory.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/numa.h>
#include <linux/sizes.h>

#include "blocks.h"
#include "compat/directmap.h"
#include "text.h"

/* One search, and the last thing that was against a piece. */
struct mockgpu_blocks_search {
	struct mockgpu_blocks *blocks;
	u64 size;
	int reason;
};

/* One block as it is now, in the form of what it will have been. */
static struct mockgpu_blocks mockgpu_blocks_look(u64 start)
{
	struct page *page = pfn_to_online_page(PHYS_PFN(start));
	struct mockgpu_blocks now = { .start = start };

	now.online = page;
	now.movable = page && page_zonenum(page) == ZONE_MOVABLE;
	now.nid = page ? page_to_nid(page) : memory_add_physaddr_to_nid(start);
	return now;
}

static bool mockgpu_blocks_are_alike(const struct mockgpu_blocks *one,
				     const struct mockgpu_blocks *other)
{
	return one->online == other->online && one->nid == other->nid &&
	       one->movable == other->movable;
}

/* All of it RAM, and of one kind, as it is to be given back in one piece. */
static int mockgpu_blocks_check_kind(struct mockgpu_blocks *blocks, u64 start,
				     u64 size)
{
	struct mockgpu_blocks now;
	u64 at;

	if (region_intersects(start, size, IORESOURCE_SYSTEM_RAM,
			      IORES_DESC_NONE) != REGION_INTERSECTS)
		return -ENXIO;

	*blocks = mockgpu_blocks_look(start);
	for (at = start; at < start + size; at += memory_block_size_bytes()) {
		now = mockgpu_blocks_look(at);
		if (!mockgpu_blocks_are_alike(&now, blocks))
			return -ENXIO;
	}
	return 0;
}

static int mockgpu_blocks_check_direct_map(u64 start, u64 size)
{
	u64 at = start, leaf;

	while (at < start + size) {
		leaf = gsb_direct_map_leaf(at);
		if (!leaf)
			return -EOPNOTSUPP;
		/* That of a larger page begins before, or ends behind. */
		if (!IS_ALIGNED(at, leaf) || leaf > start + size - at)
			return -EXDEV;
		at += leaf;
	}
	return 0;
}

static int mockgpu_blocks_try(struct mockgpu_blocks *blocks, u64 start,
			      u64 size)
{
	int ret;

	ret = mockgpu_blocks_check_kind(blocks, start, size);
	if (!ret)
		ret = mockgpu_blocks_check_direct_map(start, size);
	if (!ret)
		ret = offline_and_remove_memory(start, size);
	if (!ret)
		blocks->size = size;
	return ret;
}

/* Looks from the top of one piece of RAM downwards. */
static int mockgpu_blocks_consider(struct resource *resource, void *arg)
{
	struct mockgpu_blocks_search *search = arg;
	u64 block = memory_block_size_bytes();
	u64 first = round_up(resource->start, block);
	u64 end = round_down(resource->end + 1, block);
	struct mockgpu_blocks now;

	for (; end >= first && end - first >= search->size; end -= block) {
		now = mockgpu_blocks_look(end - search->size);
		if (now.online && !now.movable)
			continue;
		search->reason = mockgpu_blocks_try(search->blocks, now.start,
						    search->size);
		if (!search->reason || search->reason == -EINTR)
			return 1;
	}
	return 0;
}

static int mockgpu_blocks_find(struct mockgpu_blocks *blocks, u64 size)
{
	struct mockgpu_blocks_search search = {
		.blocks = blocks,
		.size = size,
		.reason = -ENOENT,
	};

	walk_iomem_res_desc(IORES_DESC_NONE,
			    IORESOURCE_SYSTEM_RAM | IORESOURCE_BUSY, 0, -1,
			    &search, mockgpu_blocks_consider);
	return search.reason;
}

static const char *mockgpu_blocks_reason(int error)
{
	switch (error) {
	case -EINVAL:
		return "vram_base= is not the start of one";
	case -ENOENT:
		return "there is no ZONE_MOVABLE with so much: boot with movablecore=SIZE";
	case -ENXIO:
		return "not all of that is RAM of one kind";
	case -EXDEV:
		return "the kernel maps 1 GiB at once there, and part of that cannot go: take whole GiB, or boot with nogbpages";
	case -EOPNOTSUPP:
		return "how this kernel maps them cannot be told, so it is not safe";
	case -EBUSY:
		return "the kernel needs what is in there: take what is in ZONE_MOVABLE (movablecore=SIZE)";
	default:
		return "the kernel did not give them up";
	}
}

/**
 * mockgpu_blocks_take() - have the kernel give up RAM
 * @blocks: filled
 * @base: where it has to start; 0 for anywhere in ZONE_MOVABLE
 * @size: bytes that are needed at least
 *
 * What is wrong is said in one line. Nothing was taken then.
 *
 * Context: Process context, may sleep for as long as it takes to move away what is
 * in there; can be interrupted by a signal.
 * Return: 0; -EINVAL or -ENXIO for a bad @base, -ENOENT, -EXDEV, -EOPNOTSUPP or
 * -EBUSY when there is nothing that could be taken, -EINTR, -ENOMEM.
 */
int mockgpu_blocks_take(struct mockgpu_blocks *blocks, u64 base, u64 size)
{
	u64 block = memory_block_size_bytes();
	int ret;

	size = round_up(size, block);
	if (!IS_ALIGNED(base, block))
		ret = -EINVAL;
	else if (base)
		ret = mockgpu_blocks_try(blocks, base, size);
	else
		ret = mockgpu_blocks_find(blocks, size);
	if (!ret)
		return 0;

	blocks->size = 0;
	pr_err("no %llu MiB of RAM in memory blocks of %llu MiB: %s (error %d)\n",
	       size / SZ_1M, block / SZ_1M, mockgpu_blocks_reason(ret), ret);
	return ret;
}

/* There is no other way for a module; it is what an administrator would do. */
static int mockgpu_blocks_write_state(u64 start, const char *state)
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/devices/system/memory/memory%llu/state",
		 start / memory_block_size_bytes());
	return mockgpu_text_write(path, state);
}

/*
 * As a matter of policy the kernel may bring what is new to it online at once, in a
 * zone of its choice: what it then puts there may never go away again, and it is too
 * late for another zone. So that has to wait.
 */
static int mockgpu_blocks_add(const struct mockgpu_blocks *blocks)
{
	static const char policy[] = "/sys/devices/system/memory/auto_online_blocks";
	char usual[32];
	int ret, known;

	known = mockgpu_text_read(policy, usual, sizeof(usual)) ?:
		mockgpu_text_write(policy, "offline");
	ret = add_memory(blocks->nid, blocks->start, blocks->size, MHP_NONE);
	if (!known && mockgpu_text_write(policy, usual))
		pr_warn("new memory stays offline now, see %s\n", policy);
	return ret;
}

static int mockgpu_blocks_restore(const struct mockgpu_blocks *blocks,
				  u64 start)
{
	struct mockgpu_blocks now = mockgpu_blocks_look(start);
	int ret = 0;

	if (mockgpu_blocks_are_alike(&now, blocks))
		return 0;
	if (now.online)
		ret = mockgpu_blocks_write_state(start, "offline");
	if (!ret && blocks->online)
		ret = mockgpu_blocks_write_state(start, blocks->movable ?
						 "online_movable" :
						 "online_kernel");
	return ret;
}

/**
 * mockgpu_blocks_give_back() - undo mockgpu_blocks_take()
 * @blocks: what was taken, not used any more; nothing happens if nothing was
 *
 * Context: Process context, may sleep.
 */
void mockgpu_blocks_give_back(struct mockgpu_blocks *blocks)
{
	u64 at, end = blocks->start + blocks->size;
	int ret;

	if (!blocks->size)
		return;

	ret = mockgpu_blocks_add(blocks);
	if (ret) {
		pr_err("%llu MiB of RAM at 0x%llx are lost until the next boot: error %d\n",
		       blocks->size / SZ_1M, blocks->start, ret);
		return;
	}

	for (at = blocks->start; at < end; at += memory_block_size_bytes()) {
		ret = mockgpu_blocks_restore(blocks, at);
		if (ret)
			pr_warn("memory block at 0x%llx was given back but is not %s as before: error %d, see /sys/devices/system/memory/memory%llu\n",
				at, blocks->online ? "online" : "offline", ret,
				at / memory_block_size_bytes());
	}
	blocks->size = 0;
}
