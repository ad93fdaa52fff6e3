// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The module parameters, and the configuration they add up to.
 *
 * All checks are made here, before there is any device: whatever is wrong is
 * said in one line, with what to do about it.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/ctype.h>
#include <linux/ioport.h>
#include <linux/kernel.h>
#include <linux/memory.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/overflow.h>
#include <linux/range.h>
#include <linux/sizes.h>
#include <linux/string.h>

#include "blocks.h"
#include "config.h"
#include "links.h"
#include "provider.h"
#include "reserved.h"

#define MOCKGPU_DEFAULT_PRIVATE_SIZE	((u64)SZ_256M)

static unsigned int devices = 2;
module_param(devices, uint, 0444);
MODULE_PARM_DESC(devices, "Number of devices, 0 to 16; 0 for none but the PCI devices that are bound to mockgpu (default: 2)");

static char *vram_size;
module_param(vram_size, charp, 0444);
MODULE_PARM_DESC(vram_size, "Bytes of VRAM per device, a multiple of 2M; K, M and G are understood (default: 256M but at most 1/8 of RAM; with reserved RAM, an equal share of it)");

static char *vram_base;
module_param(vram_base, charp, 0444);
MODULE_PARM_DESC(vram_base, "Physical start of the RAM for VRAM, a multiple of 2M; asks for the coherent tier (default: found; of several regions, the largest)");

static char *vram_source = "reserved";
module_param(vram_source, charp, 0444);
MODULE_PARM_DESC(vram_source, "RAM for the coherent tier: reserved (memmap=SIZE$ADDR), pmem (memmap=SIZE!ADDR; what is in there is lost) or blocks (memory blocks that the kernel gives up while the module is loaded); the last two ask for that tier (default: reserved)");

static const char * const mockgpu_source_names[] = {
	[MOCKGPU_SOURCE_RESERVED] = "reserved",
	[MOCKGPU_SOURCE_PMEM] = "pmem",
	[MOCKGPU_SOURCE_BLOCKS] = "blocks",
};

/* What it is that they lead to. */
static const char * const mockgpu_source_rams[] = {
	[MOCKGPU_SOURCE_RESERVED] = "reserved RAM",
	[MOCKGPU_SOURCE_PMEM] = "RAM set aside as pmem",
	[MOCKGPU_SOURCE_BLOCKS] = "RAM",
};

static char *tier = "auto";
module_param(tier, charp, 0444);
MODULE_PARM_DESC(tier, "Kind of VRAM: auto, private, coherent or system (default: auto, the best the kernel can do)");

static char *links = "none";
module_param(links, charp, 0444);
MODULE_PARM_DESC(links, "Links over which devices use each other's VRAM: none, all, or pairs of device numbers such as 0-1,1-2; data moves over those within groups in which each device has a link to each other (default: none)");

static char *dma_device;
module_param(dma_device, charp, 0444);
MODULE_PARM_DESC(dma_device, "PCI device without a driver, such as 0000:00:1e.0, in whose name all devices do DMA: through its IOMMU or the kernel's bounce buffers (default: each has an IOMMU of its own)");

static bool test_knobs;
module_param(test_knobs, bool, 0444);
MODULE_PARM_DESC(test_knobs, "Files in debugfs that make the devices fail on purpose; taints the kernel (default: off)");

/* Like memparse(), but what is no number or too big for one is an error. */
static int mockgpu_parse_bytes(const char *text, u64 *bytes)
{
	static const char suffixes[] = "kmg";
	unsigned int shift = 0;
	const char *suffix;
	char digits[24];
	size_t len;

	len = strlen(text);
	if (!len || len >= sizeof(digits))
		return -EINVAL;
	strscpy(digits, text, sizeof(digits));

	suffix = strchr(suffixes, tolower(digits[len - 1]));
	if (suffix && *suffix) {
		shift = 10 * (suffix - suffixes + 1);
		digits[len - 1] = '\0';
	}

	if (kstrtoull(digits, 0, bytes))
		return -EINVAL;
	return check_shl_overflow(*bytes, shift, bytes) ? -EINVAL : 0;
}

static int mockgpu_config_set_devices(struct mockgpu_config *config)
{
	if (devices > MOCKGPU_MAX_DEVICES) {
		pr_err("devices=%u: give a number from 0 to %d\n",
		       devices, MOCKGPU_MAX_DEVICES);
		return -EINVAL;
	}
	if (!devices && (vram_base || dma_device)) {
		pr_err("devices=0 leaves PCI devices, for which vram_base= and dma_device= mean nothing: leave these out\n");
		return -EINVAL;
	}

	config->devices = devices;
	return 0;
}

static int mockgpu_config_set_source(struct mockgpu_config *config)
{
	int ret = sysfs_match_string(mockgpu_source_names, vram_source);

	if (ret < 0) {
		pr_err("vram_source=%s is unknown: use reserved, pmem or blocks\n",
		       vram_source);
		return -EINVAL;
	}
	if (ret != MOCKGPU_SOURCE_RESERVED && !devices) {
		pr_err("devices=0 leaves PCI devices, which have VRAM of their own: leave vram_source= out\n");
		return -EINVAL;
	}

	config->source = ret;
	return 0;
}

/* Leaves 0 when the size was not given. */
static int mockgpu_config_set_size(struct mockgpu_config *config)
{
	if (!vram_size)
		return 0;

	if (mockgpu_parse_bytes(vram_size, &config->vram_size)) {
		pr_err("vram_size=%s is not a size: give bytes, or a number with K, M or G\n",
		       vram_size);
		return -EINVAL;
	}
	if (!config->vram_size || !IS_ALIGNED(config->vram_size, SZ_2M)) {
		pr_err("vram_size=%s: give a multiple of 2M that is not 0\n",
		       vram_size);
		return -EINVAL;
	}
	return 0;
}

/* Leaves 0 when the base was not given. */
static int mockgpu_config_set_base(struct mockgpu_config *config)
{
	if (!vram_base)
		return 0;

	if (mockgpu_parse_bytes(vram_base, &config->vram_base)) {
		pr_err("vram_base=%s is not an address: give a number such as 0x140000000\n",
		       vram_base);
		return -EINVAL;
	}
	if (!config->vram_base || !IS_ALIGNED(config->vram_base, SZ_2M)) {
		pr_err("vram_base=%s: give a multiple of 2M that is not 0\n",
		       vram_base);
		return -EINVAL;
	}
	return 0;
}

/* What is not possible at all is refused with the other parameters. */
static void mockgpu_config_set_pci(struct mockgpu_config *config)
{
	bool any = sysfs_streq(tier, "auto");

	config->pci_vram_size = config->vram_size;
	if ((any || sysfs_streq(tier, "private")) &&
	    mockgpu_provider_has_private())
		config->pci_tier = MOCKGPU_TIER_PRIVATE;
	else if ((any || sysfs_streq(tier, "coherent")) &&
		 mockgpu_provider_has_coherent())
		config->pci_tier = MOCKGPU_TIER_COHERENT;
	else
		config->pci_tier = MOCKGPU_TIER_SYSTEM;
}

static int mockgpu_config_set_links(struct mockgpu_config *config)
{
	if (!mockgpu_links_parse(links, config->devices, config->links))
		return 0;

	pr_err("links=%s: give none, all, or pairs of device numbers below %u such as 0-1,1-2\n",
	       links, config->devices);
	return -EINVAL;
}

static int mockgpu_config_check_total(const struct mockgpu_config *config,
				      u64 available, const char *of_what)
{
	u64 total;

	if (!check_mul_overflow(config->vram_size, (u64)config->devices,
				&total) && total <= available)
		return 0;

	pr_err("%u devices with %llu MiB of VRAM each do not fit into %llu MiB of %s: lower vram_size= or devices=\n",
	       config->devices, config->vram_size / SZ_1M, available / SZ_1M,
	       of_what);
	return -EINVAL;
}

/* Not more than 1/8 of RAM for one device and half of what is free for all. */
static u64 mockgpu_config_default_private(unsigned int count, u64 available)
{
	u64 ram = (u64)totalram_pages() << PAGE_SHIFT;
	u64 size = min3(MOCKGPU_DEFAULT_PRIVATE_SIZE, ram / 8,
			available / 2 / count);

	return max_t(u64, round_down(size, SZ_2M), SZ_2M);
}

static int mockgpu_config_private(struct mockgpu_config *config)
{
	u64 available = (u64)si_mem_available() << PAGE_SHIFT;

	if (!mockgpu_provider_has_private()) {
		pr_err("tier=private needs a kernel with CONFIG_DEVICE_PRIVATE: use tier=auto\n");
		return -EOPNOTSUPP;
	}
	if (config->vram_base || config->source != MOCKGPU_SOURCE_RESERVED) {
		pr_err("vram_base= and vram_source= are for the coherent tier only: leave them out or use tier=coherent\n");
		return -EINVAL;
	}

	if (!config->devices)
		return 0;

	config->tier = MOCKGPU_TIER_PRIVATE;
	if (!config->vram_size)
		config->vram_size =
			mockgpu_config_default_private(config->devices,
						       available);
	return mockgpu_config_check_total(config, available, "free RAM");
}

static int mockgpu_config_claim(struct mockgpu_config *config)
{
	u64 total = config->vram_size * config->devices;

	if (request_mem_region(config->vram_base, total, KBUILD_MODNAME))
		return 0;

	pr_err("%s at 0x%llx is in use, see /proc/iomem: give another vram_base=\n",
	       mockgpu_source_rams[config->source], config->vram_base);
	return -EBUSY;
}

static int mockgpu_config_use_region(struct mockgpu_config *config,
				     const struct range *region)
{
	u64 available = range_len(region);
	int ret;

	config->tier = MOCKGPU_TIER_COHERENT;
	config->vram_base = region->start;
	if (!config->vram_size)
		config->vram_size = max_t(u64, SZ_2M,
					  round_down(available / config->devices,
						     SZ_2M));

	ret = mockgpu_config_check_total(config, available,
					 mockgpu_source_rams[config->source]);
	if (ret)
		return ret;
	return mockgpu_config_claim(config);
}

static int mockgpu_config_find(const struct mockgpu_config *config,
			       struct range *region)
{
	u64 total, end;

	/* One that wraps is too big for any region and refused as such. */
	if (check_mul_overflow(config->vram_size, (u64)config->devices,
			       &total) ||
	    check_add_overflow(config->vram_base, total, &end))
		total = 0;
	return mockgpu_reserved_find(config->source == MOCKGPU_SOURCE_PMEM,
				     config->vram_base, total, region);
}

static int mockgpu_config_take_blocks(struct mockgpu_config *config)
{
	struct mockgpu_blocks *blocks = &config->blocks;
	struct range region;
	int ret;

	if (!config->vram_size)
		config->vram_size = max_t(u64, SZ_2M,
					  round_down(memory_block_size_bytes() /
						     config->devices, SZ_2M));

	ret = mockgpu_config_check_total(config,
					 (u64)totalram_pages() << PAGE_SHIFT,
					 mockgpu_source_rams[config->source]);
	if (!ret)
		ret = mockgpu_blocks_take(blocks, config->vram_base,
					  config->vram_size * config->devices);
	if (ret)
		return ret;

	region = (struct range){ blocks->start, blocks->start + blocks->size - 1 };
	ret = mockgpu_config_use_region(config, &region);
	if (ret)
		mockgpu_blocks_give_back(blocks);
	return ret;
}

/* What stands between size and address in memmap=. */
static const char *mockgpu_config_mark(const struct mockgpu_config *config)
{
	return config->source == MOCKGPU_SOURCE_PMEM ? "!" : "$";
}

static int mockgpu_config_coherent(struct mockgpu_config *config)
{
	struct range region;

	if (!mockgpu_provider_has_coherent()) {
		pr_err("tier=coherent is not possible on this kernel: use tier=auto\n");
		return -EOPNOTSUPP;
	}
	if (!config->devices)
		return 0;
	if (config->source == MOCKGPU_SOURCE_BLOCKS)
		return mockgpu_config_take_blocks(config);

	switch (mockgpu_config_find(config, &region)) {
	case 0:
		return mockgpu_config_use_region(config, &region);
	case -EBUSY:
		pr_err("VRAM at vram_base=%s overlaps System RAM: boot with memmap=SIZE%s%s, or use less\n",
		       vram_base, mockgpu_config_mark(config), vram_base);
		return -EINVAL;
	default:
		pr_err("no %s%s%s: boot with memmap=512M%sADDR, see README\n",
		       mockgpu_source_rams[config->source],
		       vram_base ? " at " : "", vram_base ?: "",
		       mockgpu_config_mark(config));
		return -EINVAL;
	}
}

static int mockgpu_config_system(struct mockgpu_config *config)
{
	config->tier = MOCKGPU_TIER_SYSTEM;
	config->vram_size = 0;
	config->vram_base = 0;
	return 0;
}

static int mockgpu_config_auto(struct mockgpu_config *config)
{
	struct range region;

	if (!config->devices)
		return 0;

	/* Nobody gives these without meaning what is there. */
	if (config->vram_base || config->source != MOCKGPU_SOURCE_RESERVED)
		return mockgpu_config_coherent(config);

	if (mockgpu_provider_has_private())
		return mockgpu_config_private(config);

	if (!mockgpu_provider_has_coherent()) {
		config->limit = "this kernel has no device memory at all";
		return mockgpu_config_system(config);
	}
	if (mockgpu_config_find(config, &region)) {
		config->limit = "no CONFIG_DEVICE_PRIVATE and no reserved RAM: boot with memmap=512M$ADDR, see README";
		return mockgpu_config_system(config);
	}

	config->limit = "no CONFIG_DEVICE_PRIVATE";
	return mockgpu_config_use_region(config, &region);
}

static int mockgpu_config_set_tier(struct mockgpu_config *config)
{
	config->limit = "as asked for";

	if (sysfs_streq(tier, "auto"))
		return mockgpu_config_auto(config);
	if (sysfs_streq(tier, "private"))
		return mockgpu_config_private(config);
	if (sysfs_streq(tier, "coherent"))
		return mockgpu_config_coherent(config);
	if (sysfs_streq(tier, "system"))
		return mockgpu_config_system(config);

	pr_err("tier=%s is unknown: use auto, private, coherent or system\n",
	       tier);
	return -EINVAL;
}

static int mockgpu_config_check_dma_device(const struct mockgpu_config *config)
{
	if (!config->dma_device) {
		pr_err("dma_device=%s: there is no such PCI device, see lspci -D\n",
		       dma_device);
		return -ENODEV;
	}
	if (READ_ONCE(config->dma_device->driver)) {
		pr_err("dma_device=%s has a driver: name one that has none\n",
		       dma_device);
		return -EBUSY;
	}
	if (!sysfs_streq(links, "none")) {
		pr_err("dma_device= and links= do not go together: devices with links are told apart by their DMA\n");
		return -EINVAL;
	}
	return 0;
}

static int mockgpu_config_set_dma_device(struct mockgpu_config *config)
{
	int ret;

	if (!dma_device)
		return 0;

	config->dma_device = bus_find_device_by_name(&pci_bus_type, NULL,
						     dma_device);
	ret = mockgpu_config_check_dma_device(config);
	if (ret)
		put_device(config->dma_device);
	return ret;
}

/**
 * mockgpu_config_build() - make a configuration from the module parameters
 * @config: filled
 *
 * Context: Process context, may sleep.
 * Return: 0; or, after saying what is wrong, -EINVAL for a bad parameter,
 * -EOPNOTSUPP for what this kernel cannot do, -ENODEV for a device that is not
 * there, -EBUSY when it or the reserved RAM is in use; or what
 * mockgpu_blocks_take() says.
 */
int mockgpu_config_build(struct mockgpu_config *config)
{
	int ret;

	*config = (struct mockgpu_config){ .test_knobs = test_knobs };

	ret = mockgpu_config_set_devices(config);
	if (!ret)
		ret = mockgpu_config_set_source(config);
	if (!ret)
		ret = mockgpu_config_set_size(config);
	if (!ret)
		ret = mockgpu_config_set_base(config);
	if (!ret)
		ret = mockgpu_config_set_links(config);
	if (!ret)
		ret = mockgpu_config_set_dma_device(config);
	if (ret)
		return ret;

	mockgpu_config_set_pci(config);
	ret = mockgpu_config_set_tier(config);
	if (ret)
		put_device(config->dma_device);
	return ret;
}

/**
 * mockgpu_config_release() - give back what a configuration has claimed
 * @config: made by mockgpu_config_build()
 *
 * Context: Process context, may sleep.
 */
void mockgpu_config_release(struct mockgpu_config *config)
{
	if (config->tier == MOCKGPU_TIER_COHERENT)
		release_mem_region(config->vram_base,
				   config->vram_size * config->devices);
	mockgpu_blocks_give_back(&config->blocks);
	put_device(config->dma_device);
}

/**
 * mockgpu_config_log() - say in one line what there is, and why not more
 * @config: the configuration
 *
 * Context: Any.
 */
void mockgpu_config_log(const struct mockgpu_config *config)
{
	unsigned long long mib = config->vram_size / SZ_1M;

	if (!config->devices) {
		pr_info("no devices but the PCI devices that will be bound to it, see README\n");
		return;
	}

	switch (config->tier) {
	case MOCKGPU_TIER_PRIVATE:
		pr_info("%u devices, private tier, %llu MiB of VRAM each\n",
			config->devices, mib);
		break;
	case MOCKGPU_TIER_COHERENT:
		pr_info("%u devices, coherent tier (%s), %llu MiB of VRAM each in %s at 0x%llx\n",
			config->devices, config->limit, mib,
			mockgpu_source_rams[config->source], config->vram_base);
		break;
	case MOCKGPU_TIER_SYSTEM:
		pr_info("%u devices, system tier: no VRAM (%s)\n",
			config->devices, config->limit);
		break;
	}
}

/**
 * mockgpu_config_device() - cut out the part of one device
 * @config: of all devices
 * @index: which device
 * @device: filled
 *
 * Context: Any.
 */
void mockgpu_config_device(const struct mockgpu_config *config,
			   unsigned int index,
			   struct mockgpu_device_config *device)
{
	*device = (struct mockgpu_device_config){
		.index = index,
		.tier = config->tier,
		.vram_size = config->vram_size,
		.vram_base = config->vram_base + index * config->vram_size,
		.links = config->links[index],
		.dma_device = config->dma_device,
		.test_knobs = config->test_knobs,
	};
}
