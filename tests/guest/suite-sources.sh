#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# What VRAM can be made of, other than RAM reserved at boot: SOURCE is what this
# machine was started for.

# shellcheck source=tests/guest/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

PCI=/sys/bus/pci
PCI_DRIVER=$PCI/drivers/mockgpu
MEMORY=/sys/devices/system/memory

test_unload_after() {
	unload_after
	! grep -q mockgpu /proc/iomem || fail "/proc/iomem still names mockgpu"
}

run_programs() {
	local program
	for program; do
		run_program "$TESTS/$program"
	done
}

# Of a PCI device. It may be another one each time it comes back.
address() {
	guest-vram find || fail "there is no device"
}

bind() {
	put mockgpu "$PCI/devices/$(address)/driver_override"
	put "$(address)" "$PCI/drivers_probe"
	[[ -e $PCI_DRIVER/$(address) ]] || fail "the device was not bound: $(dmesg | tail -n 1)"
	must guest-fix-dri
}

# use_again: the device is there and works.
use_again() {
	bind
	hold_populated
	expect verify ok
	hold_quit
}

test_not_by_itself() {
	put '' "$PCI/devices/$(address)/driver_override"
	load devices=0
	[[ ! -e $PCI/devices/$(address)/driver ]] || fail "the device was bound although nobody asked"
	! has_nodes || fail "there are render nodes"
	bind
	has_nodes || fail "no render node"
	grep -q mockgpu /proc/iomem || fail "/proc/iomem does not name mockgpu"
	unload
	[[ ! -e $PCI/devices/$(address)/driver ]] || fail "the device is still bound"
}

test_new_id() {
	local id
	id="$(<"$PCI/devices/$(address)/vendor") $(<"$PCI/devices/$(address)/device")"
	# From before: it would be bound by that.
	put '' "$PCI/devices/$(address)/driver_override"
	load devices=0
	[[ ! -e $PCI_DRIVER/$(address) ]] || fail "the device was bound although nobody asked"
	put "$id" "$PCI_DRIVER/new_id"
	[[ -e $PCI_DRIVER/$(address) ]] || fail "the device was not bound"
	must guest-fix-dri
	hold_populated
	expect verify ok
	hold_quit
	put "$(address)" "$PCI_DRIVER/unbind"
	put "$id" "$PCI_DRIVER/remove_id"
	unload
}

# Beside those that the module makes, which come first.
test_beside_others() {
	load devices=2 vram_size=64M
	bind
	(($(compgen -G '/dev/dri/renderD*' | grep -c .) == 3)) || fail "not three render nodes"
	"$TESTS/migrate" --device 2 access-mixed >/dev/null || fail "device 2 does not work"
	unload
}

test_too_big() {
	load devices=0 vram_size=512M
	put mockgpu "$PCI/devices/$(address)/driver_override"
	must_not sh -c "echo $(address) >$PCI_DRIVER/bind"
	dmesg | tail -n 5 | grep -q 'do not fit into the 256 MiB of BAR 2' || fail "it does not say what is wrong"
	unload
}

test_unbind_held() {
	load devices=0
	bind
	hold_populated
	put "$(address)" "$PCI_DRIVER/unbind"
	expect query ENODEV
	expect verify ok
	expect close ok
	hold_quit
	use_again
	unload
}

test_unbind_ten_times() {
	load devices=0
	for _ in {1..10}; do
		use_again
		put "$(address)" "$PCI_DRIVER/unbind"
	done
	unload
}

# Pulled out while a process has its memory in there.
test_remove_and_rescan() {
	load devices=0
	bind
	hold_populated
	put 1 "$PCI/devices/$(address)/remove"
	! guest-vram find 2>/dev/null || fail "the device is still there"
	expect query ENODEV
	expect verify ok
	expect close ok
	hold_quit
	put 1 "$PCI/rescan"
	use_again
	unload
}

test_unplug_and_plug() {
	load devices=0
	bind
	hold_populated
	must guest-vram unplug
	expect query ENODEV
	expect verify ok
	expect close ok
	hold_quit
	must guest-vram plug
	use_again
	unload
}

# While threads use the device.
test_unplug_busy() {
	local busy
	load devices=0
	bind
	TEST_SECONDS=5 "$TESTS/threads" everything-small unmap-race >/dev/null 2>&1 &
	busy=$!
	sleep 0.5
	must guest-vram unplug
	wait "$busy"
	must guest-vram plug
	use_again
	unload
}

test_suspend() {
	load devices=0
	bind
	hold_populated
	nap freeze
	expect verify ok
	nap disk
	expect verify ok
	expect transform ok
	hold_quit
	unload
}

# What the driver keeps using after it was unmapped, the IOMMU does not know any more.
test_unmapped_faults() {
	local program=$TESTS/igt/mockgpu_unmap card
	[[ -e $PCI/devices/$(address)/iommu_group ]] || skip "there is no IOMMU"
	[[ -x $program ]] || skip "the tests were built without libigt"
	load devices=0 test_knobs=1
	bind
	card=$(basename "$PCI/devices/$(address)/drm/card"*)
	put 1 "/sys/kernel/debug/dri/${card#card}/skip_unmap"
	mark_log
	timeout "$PATIENCE" "$program" --run-subtest munmap-second-half >/dev/null 2>&1
	put 0 "/sys/kernel/debug/dri/${card#card}/skip_unmap"
	new_log | grep -q 'device error: dma_unmapped: ' || fail "nothing was caught"
	mark_log
	must "$program" --run-subtest munmap-second-half
	! new_log | grep 'device error' || fail "something was caught although all is right"
	unload
}

# run_pci_tier TIER
run_pci_tier() {
	add_module add-mock modprobe mockgpu devices=0 test_knobs=1 tier="$1" || return
	run_tests bind
	run_programs uapi migrate holes errors life attrs commands queues crowd tools
	run_tests unload-after
}

# Without reserved RAM, nor private memory, those that the module makes have no VRAM.
run_pci_mixed() {
	add_module add-mock modprobe mockgpu devices=1 || return
	run_tests bind
	run_program "$TESTS/shared" mixed-access mixed-prefetch mixed-atomic
	run_tests unload-after
}

test_bind() {
	bind
}

run_pci() {
	local tier prefix=pci-
	[[ ! -e $PCI/devices/$(address)/iommu_group ]] || prefix=iommu-
	with_prefix "$prefix" run_tests not-by-itself new-id beside-others too-big unbind-held \
		unbind-ten-times remove-and-rescan unplug-and-plug unplug-busy suspend unmapped-faults
	for tier in private coherent system; do
		with_prefix "$prefix$tier-" run_pci_tier "$tier"
	done
	with_prefix "${prefix}mixed-" run_pci_mixed
}

ram_total() {
	awk '/^MemTotal:/ { print $2 }' /proc/meminfo
}

# Where the kernel uses RAM, to see whether it is as before.
ram() {
	local block
	for block in "$MEMORY"/memory*; do
		[[ ! -e $block/state ]] || echo "${block##*/} $(<"$block/state") $(<"$block/valid_zones")"
	done
}

# expect_ram WHAT TEXT: is it as it was?
expect_ram() {
	local now
	now=$(ram)
	[[ $now = "$2" ]] || fail "$1: RAM is not as it was: $(diff <(echo "$2") <(echo "$now") | tr '\n' ' ')"
}

block_size() {
	echo $((16#$(<"$MEMORY/block_size_bytes")))
}

# One that the kernel uses for what can be moved away; the very last is not always free.
movable_block() {
	grep -l Movable "$MEMORY"/memory*/valid_zones | sort -V | tail -n 2 | head -n 1 | xargs dirname
}

# Where the block begins that has the kernel's code.
kernel_block() {
	local start
	start=$((16#$(sed -n 's/^ *\([0-9a-f]*\)-.* : Kernel code/\1/p' /proc/iomem)))
	printf '%#x\n' $((start / $(block_size) * $(block_size)))
}

test_taken_and_given_back() {
	local before total
	before=$(ram) total=$(ram_total)
	for _ in 1 2 3; do
		load vram_source=blocks
		[[ $(tier) = coherent ]] || fail "the tier is $(tier)"
		[[ $(ram) != "$before" ]] || fail "no RAM was taken"
		(($(ram_total) < total - 100000)) || fail "the kernel counts as much RAM as before"
		use_here
		unload
		expect_ram "after unloading" "$before"
		# What the kernel knows of these pages was not RAM when it was there from boot.
		(($(ram_total) >= total)) || fail "$(ram_total) KiB of RAM, not $total"
	done
}

use_here() {
	hold_populated
	expect verify ok
	hold_quit
}

# What was offline before is so afterwards.
test_offline_before() {
	local block before
	block=$(movable_block)
	put offline "$block/state"
	before=$(ram)
	load vram_source=blocks vram_base="$(printf '%#x' $((${block##*memory} * $(block_size))))"
	use_here
	unload
	expect_ram "after unloading" "$before"
	put online_movable "$block/state"
}

# As if all of it were in use.
test_blocks_refused() {
	local before
	unload_if_loaded
	before=$(ram)
	refused 'not the start of one' vram_source=blocks vram_base=0x20200000
	refused 'needs what is in there\|that is not 0' vram_source=blocks vram_base="$(kernel_block)"
	refused 'not all of that is RAM' vram_source=blocks vram_base=0x800000000000
	refused 'no ZONE_MOVABLE with so much' vram_source=blocks devices=1 vram_size=1536M
	refused 'not fit' vram_source=blocks vram_size=1024G
	refused 'are for the coherent tier\|CONFIG_DEVICE_PRIVATE' vram_source=blocks tier=private
	refused 'is unknown' vram_source=nowhere
	refused 'leave vram_source= out' vram_source=blocks devices=0
	expect_ram "after all refusals" "$before"
}

run_blocks() {
	run_tests taken-and-given-back offline-before blocks-refused
	add_module add-mock modprobe mockgpu vram_source=blocks vram_size=128M test_knobs=1 || return
	guest-fix-dri
	with_prefix blocks- run_programs uapi migrate holes errors
	with_prefix blocks- run_tests unload-after
}

# The first GiB above 4 GiB, of two, is mapped in one piece: part of that must not go.
GIGABYTE=0x100000000

test_part_refused() {
	local before
	grep -q pdpe1gb /proc/cpuinfo || skip "this processor has no pages of 1 GiB"
	before=$(ram)
	refused '1 GiB at once' vram_source=blocks vram_base=$GIGABYTE
	refused '1 GiB at once' vram_source=blocks vram_base=$GIGABYTE devices=1 vram_size=896M
	refused '1 GiB at once' vram_source=blocks vram_base=0x108000000 devices=1 vram_size=1G
	expect_ram "after it was refused" "$before"
}

# All of it can, and is as good as before afterwards.
test_whole_taken() {
	local before
	before=$(ram)
	load vram_source=blocks vram_base=$GIGABYTE devices=1 vram_size=1G
	use_here
	unload
	expect_ram "after unloading" "$before"
	must dd if=/dev/zero of=/dev/shm/fill bs=1M count=1800
	rm /dev/shm/fill
}

run_gigabytes() {
	run_tests part-refused whole-taken
}

# What is in there may be of value, so it has to be asked for.
test_pmem_not_by_itself() {
	unload_if_loaded
	refused 'no reserved RAM' tier=coherent
	refused 'no RAM set aside as pmem\|overlaps System RAM' vram_source=pmem vram_base=0x40000000
}

test_pmem() {
	load vram_source=pmem
	[[ $(tier) = coherent ]] || fail "the tier is $(tier)"
	use_here
	unload
	! grep -q mockgpu /proc/iomem || fail "/proc/iomem still names mockgpu"
}

# Last, as the driver of such memory stays.
test_pmem_in_use() {
	must modprobe -a nd_e820 nd_pmem
	until_true 10 test -e /dev/pmem0 || fail "there is no /dev/pmem0"
	refused 'is in use' vram_source=pmem
}

run_pmem() {
	run_tests pmem pmem-not-by-itself
	add_module add-mock modprobe mockgpu vram_source=pmem test_knobs=1 || return
	guest-fix-dri
	with_prefix pmem- run_programs uapi migrate
	with_prefix pmem- run_tests unload-after
	run_tests pmem-in-use
}

main() {
	case ${SOURCE:-} in
	pci | blocks | gigabytes | pmem) "run_$SOURCE" ;;
	*) echo "not ok sources: SOURCE=${SOURCE:-} is none of pci, blocks, gigabytes, pmem" ;;
	esac
}

main
