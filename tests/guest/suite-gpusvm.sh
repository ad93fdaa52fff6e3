#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# The process's memory in the device's page table, with each tier; and drm_gpusvm
# as a driver of the tests' own uses it. In a guest with an IOMMU, or with bounce
# buffers forced upon all devices (swiotlb=force), only what that is about.

# shellcheck source=tests/guest/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

# What needs no VRAM, and no device but the driver's own.
PROGRAMS=(driver ranges kinds missing)
DRIVER_FILE=$TESTS/gpusvm_test.ko
# The PCI device that has no driver.
BEHIND_IOMMU=0000:00:1e.0

add_driver() {
	add_module add-driver insmod "$DRIVER_FILE" "$@"
}

drop_driver() {
	[[ ! -d /sys/module/gpusvm_test ]] || must rmmod gpusvm_test
}

# start_mock PARAMETER...: false, and says so, if there is no such device.
start_mock() {
	drop_driver
	add_mock "$@"
}

test_unload_after() {
	drop_driver
	unload_after
}

run_mirror() {
	start_mock "$@" || return
	with_prefix "$(tier)-" run_program "$TESTS/mirror"
	with_prefix "$(tier)-" run_each shared
	with_prefix "$(tier)-" run_tests unload-after
}

# Three devices with links between them, and one without.
run_mixed() {
	start_mock devices=4 vram_size=16M links=0-1,0-2,1-2 "$@" && add_driver || return
	with_prefix "$(tier)-" run_program "$TESTS/mixed"
	with_prefix "$(tier)-" run_tests unload-after
}

run_driver() {
	local program
	start_mock devices=1 vram_size=64M && add_driver || return
	for program in "${PROGRAMS[@]}"; do
		run_program "$TESTS/$program"
		with_prefix "$program-" run_tests nothing-left
	done
	run_with_swap
	run_tests unload-after
}

# What is read from a file stays in the swap cache, and need not be written again.
run_with_swap() {
	local kind
	for kind in zram file; do
		if "swap_on_$kind" 2>/dev/null; then
			SWAP_KIND=$kind with_prefix "$kind-" run_program "$TESTS/reclaim"
			with_prefix "$kind-" run_program "$TESTS/ranges" together together-in-parallel
		else
			echo "skip $kind-reclaim: cannot swap to $kind here"
		fi
		"swap_off_$kind" 2>/dev/null
	done
}

# run_reach KIND TESTS PARAMETER...: with a driver's device of its own kind.
run_reach() {
	local tests
	read -ra tests <<<"$2"
	start_mock devices=1 vram_size=16M "${MOCK[@]}" && add_driver "${@:3}" || return
	with_prefix "$1-" run_program "$TESTS/reach" "${tests[@]}"
	with_prefix "$1-" run_tests unload-after
}

main_plain() {
	local first
	run_driver
	MOCK=()
	run_reach narrow refused mask=30
	run_mixed tier=auto
	run_mirror tier=auto vram_size=64M
	every_tier || return 0
	first=$(tier)
	run_mirror tier=system
	[[ $first != private ]] || run_mirror tier=coherent vram_size=64M
	[[ $first != private ]] || run_mixed tier=coherent
}

# The mock's VRAM is within reach of whoever does DMA as the same device.
main_iommu() {
	MOCK=(dma_device="$BEHIND_IOMMU")
	run_reach iommu 'cut-off cut-off-while-removed cut-off-by-close' device="$BEHIND_IOMMU"
	run_reach iommu-32 'given-back given-back-after-error' device="$BEHIND_IOMMU" mask=32
	run_reach iommu-30 refused device="$BEHIND_IOMMU" mask=30
}

main_bounce() {
	MOCK=()
	run_reach bounce refused
}

main() {
	if [[ -e /sys/bus/pci/devices/$BEHIND_IOMMU ]]; then
		main_iommu
	elif grep -qw 'swiotlb=force' /proc/cmdline; then
		main_bounce
	else
		main_plain
	fi
}

main
