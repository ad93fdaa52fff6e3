// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Finding RAM that was set aside at boot (memmap=SIZE$ADDR or SIZE!ADDR).
 *
 * In the resource tree such memory looks just like the ranges firmware keeps
 * for itself, which must not be touched. What tells them apart is the memory
 * map as firmware gave it, from before the boot options changed it: there, it
 * is System RAM. That map is in sysfs and nowhere else a module can look: newer
 * kernels keep the functions that read it for KVM.
 */
#include <linux/errno.h>
#include <linux/ioport.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/range.h>
#include <linux/sizes.h>
#include <linux/string.h>

#include "reserved.h"
#include "text.h"

#define MOCKGPU_FIRMWARE_MAP	"/sys/firmware/memmap"

/*
 * One search: @kind is that of the resource, @base is the address the region has
 * to be at, 0 for any.
 */
struct mockgpu_reserved_search {
	unsigned long kind;
	u64 base;
	struct range ram;
	struct range best;
};

static int mockgpu_firmware_read(unsigned int entry, const char *name,
				 char *text, size_t size)
{
	char path[64];

	snprintf(path, sizeof(path), MOCKGPU_FIRMWARE_MAP "/%u/%s", entry,
		 name);
	return mockgpu_text_read(path, text, size);
}

static int mockgpu_firmware_number(unsigned int entry, const char *name,
				   u64 *number)
{
	char text[32];
	int ret;

	ret = mockgpu_firmware_read(entry, name, text, sizeof(text));
	return ret ?: kstrtoull(text, 0, number);
}

/*
 * Reads one entry of the map; @ram is empty when it is not of RAM. Fails
 * behind the last entry.
 */
static int mockgpu_firmware_entry(unsigned int entry, struct range *ram)
{
	char type[32];
	int ret;

	ret = mockgpu_firmware_read(entry, "type", type, sizeof(type));
	if (ret)
		return ret;

	*ram = (struct range){ .start = 1, .end = 0 };
	if (!sysfs_streq(type, "System RAM"))
		return 0;

	ret = mockgpu_firmware_number(entry, "start", &ram->start);
	return ret ?: mockgpu_firmware_number(entry, "end", &ram->end);
}

/* Takes the part of @resource that is RAM, in whole 2 MiB and from @base on. */
static int mockgpu_reserved_consider(struct resource *resource, void *arg)
{
	struct mockgpu_reserved_search *search = arg;
	u64 start = max_t(u64, resource->start, search->ram.start);
	u64 end = min_t(u64, resource->end, search->ram.end) + 1;

	start = round_up(start, SZ_2M);
	end = round_down(end, SZ_2M);
	if (search->base) {
		if (search->base < start)
			return 0;
		start = search->base;
	}

	if (start < end && end - start > range_len(&search->best))
		search->best = (struct range){ start, end - 1 };
	return 0;
}

static void mockgpu_reserved_walk(struct mockgpu_reserved_search *search)
{
	walk_iomem_res_desc(search->kind, IORESOURCE_MEM,
			    search->ram.start, search->ram.end, search,
			    mockgpu_reserved_consider);
}

static bool mockgpu_reserved_is_ram(u64 base, u64 size)
{
	return region_intersects(base, size, IORESOURCE_SYSTEM_RAM,
				 IORES_DESC_NONE) != REGION_DISJOINT;
}

/**
 * mockgpu_reserved_find() - find RAM that was set aside at boot
 * @as_pmem: as persistent memory, which may have contents; not as reserved
 * @base: where it has to start, a multiple of 2 MiB; 0 for anywhere
 * @size: bytes that will be used, 0 for all there is
 * @region: filled; of several, the largest; whole 2 MiB
 *
 * Where firmware gave no map to compare with (not x86), nothing can be found,
 * but @base and @size together are taken at their word.
 *
 * Context: Process context, may sleep.
 * Return: 0, -ENOENT when there is none, -EBUSY when the kernel itself uses
 * @base as RAM.
 */
int mockgpu_reserved_find(bool as_pmem, u64 base, u64 size,
			  struct range *region)
{
	struct mockgpu_reserved_search search = {
		.kind = as_pmem ? IORES_DESC_PERSISTENT_MEMORY_LEGACY :
				  IORES_DESC_RESERVED,
		.base = base,
		.best = { .start = 1, .end = 0 },
	};
	unsigned int entry;

	if (base && mockgpu_reserved_is_ram(base, size ?: SZ_2M))
		return -EBUSY;

	for (entry = 0; !mockgpu_firmware_entry(entry, &search.ram); entry++)
		if (range_len(&search.ram))
			mockgpu_reserved_walk(&search);

	if (!entry && base && size)
		search.best = (struct range){ base, base + size - 1 };

	*region = search.best;
	return range_len(region) ? 0 : -ENOENT;
}
