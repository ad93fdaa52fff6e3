#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# usage: probe.sh KDIR OUTPUT
#
# Finds out what the kernel whose build directory is KDIR has, and writes it
# to OUTPUT as GSB_HAVE_* words. Exported symbols are looked up in
# Module.symvers and plain facts in the headers; what depends on a signature
# is compiled, all of it in one kbuild pass that also tells where the headers
# are. OUTPUT is only touched when the answers change.
set -eu

kdir=$1
output=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# dash does not count being killed as an exit.
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

die()
{
	echo "probe.sh: $*" >&2
	exit 1
}

# The kernel must have what no code of ours can replace.
check_config()
{
	config=$kdir/include/config/auto.conf
	[ -f "$config" ] ||
		die "no kernel headers in $kdir (Debian: apt install linux-headers-$(uname -r))"
	for option in ZONE_DEVICE DEVICE_MIGRATION HMM_MIRROR MMU_NOTIFIER DRM MEMORY_HOTREMOVE; do
		grep -q "^CONFIG_$option=[ym]" "$config" ||
			die "this kernel is built without CONFIG_$option, which is required"
	done
}

# Each probe is one object; what its file says compiles or does not.
probe()
{
	name=$1
	shift
	{
		printf '#include <linux/%s>\n' "$@"
		cat
	} > "$work/$name.c"
	targets="$targets $name.o"
}

write_probes()
{
	targets=
	probe sanity_passes mm.h <<-'C'
		struct page *probe;
	C
	probe sanity_fails mm.h <<-'C'
		int (*probe)(struct page *) = this_function_does_not_exist;
	C
	probe DEV_SET_DMA_COHERENT device.h <<-'C'
		void (*probe)(struct device *) = dev_set_dma_coherent;
	C
	probe ZONE_DEVICE_PAGE_INIT_ORDER mm.h memremap.h <<-'C'
		void (*probe)(struct page *, struct dev_pagemap *, unsigned int) =
			zone_device_page_init;
	C
	probe FOLIO_FREE mm.h memremap.h <<-'C'
		static void folio_free(struct folio *folio) { }
		struct dev_pagemap_ops probe = { .folio_free = folio_free };
	C
	probe FOLIO_SPLIT mm.h memremap.h <<-'C'
		static void split(struct folio *head, struct folio *tail) { }
		struct dev_pagemap_ops probe = { .folio_split = split };
	C
	probe GET_DEV_PAGEMAP_PFN mm.h memremap.h <<-'C'
		struct dev_pagemap *(*probe)(unsigned long) = get_dev_pagemap;
	C
	probe PLATFORM_REMOVE_VOID platform_device.h <<-'C'
		static void unbind(struct platform_device *pdev) { }
		struct platform_driver probe = { .remove = unbind };
	C
}

run_kbuild()
{
	cat > "$work/Kbuild" <<-'K'
		obj-m := $(notdir $(patsubst %.c,%.o,$(wildcard $(src)/*.c)))
		ccflags-y := -Werror -Wno-unused -Wno-missing-prototypes
		$(info headers-in $(abspath $(srctree)))
	K
	# shellcheck disable=SC2086 # one word per target
	make -k -j"$(nproc)" W= -C "$kdir" M="$work" $targets > "$work/log" 2>&1 || :
	headers=$(sed -n 's/^headers-in //p' "$work/log" | head -n 1)
	if [ ! -f "$work/sanity_passes.o" ] || [ ! -d "$headers/include" ]; then
		cat "$work/log" >&2
		die "cannot compile for the kernel in $kdir, see above"
	fi
	[ ! -f "$work/sanity_fails.o" ] ||
		die "the compiler accepts functions that do not exist"
}

answer()
{
	if [ "$2" = yes ]; then
		echo "#define GSB_HAVE_$1 1"
	else
		echo "/* GSB_HAVE_$1: no */"
	fi
}

compiled()
{
	if [ -f "$work/$1.o" ]; then answer "$1" yes; else answer "$1" no; fi
}

exported()
{
	if awk -v s="$2" '$2 == s { found = 1 } END { exit !found }' "$kdir/Module.symvers"
	then answer "$1" yes; else answer "$1" no; fi
}

header_has()
{
	word=$1
	pattern=$2
	shift 2
	if (cd "$headers/include" && grep -qs -e "$pattern" "$@")
	then answer "$word" yes; else answer "$word" no; fi
}

release()
{
	sed -n 's/^#define UTS_RELEASE "\(.*\)"/\1/p' "$kdir/include/generated/utsrelease.h"
}

answers()
{
	echo "/* Found by src/compat/probe.sh for $(release). */"
	compiled DEV_SET_DMA_COHERENT
	compiled ZONE_DEVICE_PAGE_INIT_ORDER
	compiled FOLIO_FREE
	compiled FOLIO_SPLIT
	compiled GET_DEV_PAGEMAP_PFN
	compiled PLATFORM_REMOVE_VOID
	exported MIGRATE_DEVICE_PFNS migrate_device_pfns
	exported DMA_IOVA dma_iova_try_alloc
	exported HMM_FAULT_UNLOCKED hmm_range_fault_unlocked_timeout
	exported SHRINKER_ALLOC shrinker_alloc
	header_has FOLIO_BATCH_HEADER 'struct folio_batch {' linux/folio_batch.h
	header_has PAGE_PGMAP_FN ' \*page_pgmap(' linux/mmzone.h linux/mm.h linux/memremap.h
	header_has DMA_OPS_MAP_PHYS '(\*map_phys)(struct device' linux/dma-map-ops.h
	header_has USE_DMA_IOMMU 'use_dma_iommu(struct device' linux/iommu-dma.h
	exported MAKE_EXCLUSIVE make_device_exclusive
	exported MAKE_EXCLUSIVE_RANGE make_device_exclusive_range
	exported DRM_SHOW_FDINFO drm_show_fdinfo
	header_has DRM_DRIVER_DATE 'char \*date;' drm/drm_drv.h
	header_has GEM_PRIME_MMAP '(\*gem_prime_mmap)' drm/drm_drv.h
}

check_config
write_probes
run_kbuild
answers > "$work/features.h"
cmp -s "$work/features.h" "$output" || cp "$work/features.h" "$output"
sed -n -e 's|^/\* \(Found.*\)\. \*/|\1:|p' \
	-e 's/^#define GSB_HAVE_\(.*\) 1/  has    \1/p' \
	-e 's|^/\* GSB_HAVE_\(.*\): no \*/|  lacks  \1|p' "$output"
