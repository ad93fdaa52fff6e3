#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# DMA as the kernel does it for real devices: in a guest with an IOMMU, or with
# bounce buffers forced upon all devices (swiotlb=force).

# shellcheck source=tests/guest/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

# One that has no driver, behind the IOMMU; and one that each machine has.
BEHIND_IOMMU=0000:00:1e.0
OTHER=0000:00:00.0
WITH_DRIVER=

device() {
	if [[ -e /sys/bus/pci/devices/$BEHIND_IOMMU ]]; then
		echo "$BEHIND_IOMMU"
	else
		echo "$OTHER"
	fi
}

find_driven_device() {
	local link
	for link in /sys/bus/pci/devices/*/driver; do
		[[ ! -e $link ]] || WITH_DRIVER=$(basename "$(dirname "$link")")
	done
}

test_bad_device() {
	# What it needs says something when it is loaded.
	load devices=1
	unload
	refused 'no such PCI device' dma_device=9999:00:00.0
	refused 'no such PCI device' dma_device=
	refused 'do not go together' dma_device="$(device)" links=all
	find_driven_device
	[[ -n $WITH_DRIVER ]] || skip "no PCI device has a driver"
	refused 'has a driver' dma_device="$WITH_DRIVER"
}

run_tier() {
	add_mock vram_size=64M dma_device="$(device)" "$@" || return
	DMA_KIND=$KIND with_prefix "$(tier)-" run_program "$TESTS/dma"
	# These use memory where it is, which bounce buffers do not allow.
	if [[ $KIND = iommu ]]; then
		with_prefix "$(tier)-" run_program "$TESTS/migrate"
		with_prefix "$(tier)-" run_program "$TESTS/holes"
	fi
	with_prefix "$(tier)-" run_tests unload-after
}

main() {
	local first
	KIND=bounce
	[[ ! -e /sys/bus/pci/devices/$BEHIND_IOMMU ]] || KIND=iommu
	with_prefix "$KIND-" run_tests bad-device
	with_prefix "$KIND-" run_tier tier=auto
	# The prefix has a subshell, so look again.
	modprobe mockgpu
	first=$(tier)
	if every_tier && [[ $first = private ]]; then
		with_prefix "$KIND-" run_tier tier=coherent
	fi
	unload_if_loaded
}

main
