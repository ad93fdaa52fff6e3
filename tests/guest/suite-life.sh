#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# The modules and devices come and go, also while processes use them.

# shellcheck source=tests/guest/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

DEVICE=mockgpu.0
# Enough for `hold`: the more there is, the longer it takes to make it.
LITTLE=(vram_size=32M)
# More often where what depends on time goes on for longer.
TEST_SECONDS=${TEST_SECONDS:-2}
TIMES=$((${TEST_SECONDS%.*}0 > 20 ? 50 : 8))

iomem() {
	grep -c mockgpu /proc/iomem
}

test_load() {
	mark_log
	load
	has_nodes || fail "no render node"
	(($(new_log | grep -c 'mockgpu: .*devices, .* tier') == 1)) || fail "no line that says what there is"
	(($(new_log | grep -c 'drm_gpusvm_backport: ') == 1)) || fail "not one line from drm_gpusvm_backport"
	expect_tier
	expect_large_folios
	unload
	! has_nodes || fail "render nodes are left"
	[[ ! -d /sys/module/drm_gpusvm_backport ]] || fail "drm_gpusvm_backport is left"
	(($(iomem) == 0)) || fail "/proc/iomem still names mockgpu"
}

test_load_many_times() {
	local i
	for ((i = 0; i < TIMES; i++)); do
		load "${LITTLE[@]}"
		unload
	done
}

# As before, with something that was in VRAM each time.
test_load_and_use() {
	for _ in {1..5}; do
		load "${LITTLE[@]}"
		hold_populated
		expect verify ok
		expect populate ok
		hold_quit
		unload
	done
}

# Unloading is refused, or everything comes home before.
test_unload_held() {
	load "${LITTLE[@]}"
	hold_populated
	must_not rmmod mockgpu
	is_loaded || fail "mockgpu is gone although it was in use"
	expect residency 'ok none 0 system 0 device 4096 other 0'
	expect verify ok
	hold_quit
	unload
}

# The file is closed, so only the pages are left to hold the module.
test_unload_closed() {
	load "${LITTLE[@]}"
	hold_populated
	expect close ok
	if timeout "$PATIENCE" rmmod mockgpu 2>/dev/null; then
		echo "# rmmod brought the pages home"
	else
		is_loaded || fail "rmmod did not end in $PATIENCE s"
		echo "# rmmod was refused"
	fi
	expect verify ok
	hold_quit
	unload_if_loaded
}

# check_rebind: the first device, which is the one that `hold` opens.
check_rebind() {
	put "$DEVICE" "$DRIVER/bind"
	until_true "$TEST_SLOW" has_nodes || fail "no render node a second after bind"
	must guest-fix-dri
	hold_populated
	expect verify ok
	hold_quit
}

test_unbind_held() {
	load "${LITTLE[@]}"
	hold_populated
	put "$DEVICE" "$DRIVER/unbind"
	[[ ! -e $DRIVER/$DEVICE ]] || fail "$DEVICE is still bound"
	expect query ENODEV
	expect populate ENODEV
	expect transform ENODEV
	expect verify ok
	expect close ok
	expect verify ok
	hold_quit
	check_rebind
	unload
}

test_unbind_closed() {
	load "${LITTLE[@]}"
	hold_populated
	expect close ok
	put "$DEVICE" "$DRIVER/unbind"
	expect verify ok
	hold_quit
	check_rebind
	unload
}

# Threads use the device when it goes away; they may fail, the kernel must not.
test_unbind_busy() {
	local busy round
	load "${LITTLE[@]}"
	for round in 1 2 3; do
		TEST_SECONDS=5 "$TESTS/threads" everything-small unmap-race >/dev/null 2>&1 &
		busy=$!
		sleep "0.$((round * 3))"
		put "$DEVICE" "$DRIVER/unbind"
		wait "$busy"
		check_rebind
	done
	unload
}

# All devices are gone, then the module too, as soon as nobody has it open.
test_unbind_and_unload() {
	local device
	load "${LITTLE[@]}"
	hold_populated
	for device in "$DRIVER"/mockgpu.*; do
		put "$(basename "$device")" "$DRIVER/unbind"
	done
	expect query ENODEV
	expect close ok
	unload
	expect verify ok
	hold_quit
}

test_unbind_many_times() {
	local i
	load "${LITTLE[@]}"
	for ((i = 0; i < TIMES; i++)); do
		put "$DEVICE" "$DRIVER/unbind"
		put "$DEVICE" "$DRIVER/bind"
	done
	put "$DEVICE" "$DRIVER/unbind"
	check_rebind
	unload
}

test_suspend() {
	load "${LITTLE[@]}"
	hold_populated
	nap freeze
	expect verify ok
	expect transform ok
	expect verify ok
	hold_quit
	unload
}

# Threads use the device when the system goes to sleep, and go on afterwards.
test_suspend_busy() {
	local busy
	load "${LITTLE[@]}"
	TEST_SECONDS=2 "$TESTS/threads" everything-small &
	busy=$!
	sleep 0.5
	nap freeze
	wait "$busy" || fail "the threads failed"
	unload
}

# lose_power: VRAM of all devices is overwritten when they sleep.
lose_power() {
	local knob
	for knob in /sys/kernel/debug/dri/*/vram_loses_power; do
		put 1 "$knob"
	done
}

# What is in VRAM that loses power comes home before.
test_suspend_without_power() {
	need_nap freeze
	load test_knobs=1 "${LITTLE[@]}"
	lose_power
	hold_populated
	nap freeze
	expect residency 'ok none 0 system 4096 device 0 other 0'
	expect verify ok
	expect populate ok
	expect transform ok
	expect verify ok
	hold_quit
	unload
}

# With jobs whose page faults bring more into VRAM at any time: nap_busy STATE.
nap_busy() {
	local busy
	need_nap "$1"
	load test_knobs=1 vram_size=16M
	TEST_SECONDS=3 "$TESTS/oversubscribe" random-twice &
	busy=$!
	sleep 2
	lose_power
	nap "$1"
	wait "$busy" || fail "the jobs failed"
	unload
}

test_suspend_without_power_busy() {
	nap_busy freeze
}

test_hibernate_busy() {
	nap_busy disk
}

# What is nowhere but in VRAM in reserved RAM would not be saved.
test_hibernate() {
	load "${LITTLE[@]}"
	hold_populated
	nap disk
	if [[ $(tier) = coherent ]]; then
		expect residency 'ok none 0 system 4096 device 0 other 0'
	fi
	expect verify ok
	expect populate ok
	expect verify ok
	hold_quit
	unload
}

# pin_one: of VRAM in reserved RAM there is a page that cannot move.
pin_one() {
	need_nap disk
	grep -q 'memmap=' /proc/cmdline || skip "no RAM is reserved"
	load tier=coherent "${LITTLE[@]}"
	hold_populated
	expect pin ok
	mark_log
}

came_home() {
	new_log | grep -q 'the last page of VRAM came home'
}

# unpin_and_nap: nothing is left that would be lost.
unpin_and_nap() {
	expect verify ok
	expect unpin ok
	until_true $((20 * TEST_SLOW)) came_home || fail "the page did not come home"
	nap disk
	expect verify ok
	expect close ok
	hold_quit
	check_rebind
	unload
}

# Without a driver nobody brings home what would be lost.
test_hibernate_unbound() {
	pin_one
	put "$DEVICE" "$DRIVER/unbind"
	must_not guest-nap disk
	new_log | grep -q 'no hibernation: ' || fail "it does not say why it does not hibernate"
	unpin_and_nap
}

# The page is given up when the system is on its way already.
test_hibernate_unbinding() {
	local unbinding
	pin_one
	echo "$DEVICE" >"$DRIVER/unbind" &
	unbinding=$!
	sleep 1
	must_not guest-nap disk
	wait "$unbinding"
	unpin_and_nap
}

test_bad_size() {
	unload_if_loaded
	refused 'multiple of 2M' vram_size=0
	refused 'multiple of 2M' vram_size=3145729
	refused 'multiple of 2M' vram_size=1M
	refused 'vram_size=1T' vram_size=1T
	refused 'not fit' vram_size=1024G
	refused 'not fit' vram_size=17179869183G
	refused 'not a size' vram_size=17179869184G
	refused 'not a size' vram_size=-1
	refused 'not a size' vram_size=many
	refused 'not a size' vram_size=
}

test_bad_base() {
	unload_if_loaded
	refused 'multiple of 2M' vram_base=0x1000
	refused 'System RAM' vram_base=0x2000000 vram_size=2M
	refused 'not an address' vram_base=there
	refused 'no reserved RAM' vram_base=0x800000000000 vram_size=2M
	refused 'no reserved RAM' vram_base=0xffffffffffe00000 vram_size=2M
}

test_bad_tier() {
	unload_if_loaded
	refused 'unknown' tier=golden
	refused 'unknown' tier=
	refused 'vram_base\|CONFIG_DEVICE_PRIVATE' tier=private vram_base=0x20000000
}

test_private_missing() {
	unload_if_loaded
	load "${LITTLE[@]}"
	[[ $(tier) != private ]] || { unload; skip "this kernel has CONFIG_DEVICE_PRIVATE"; }
	unload
	refused 'CONFIG_DEVICE_PRIVATE' tier=private
}

test_bad_devices() {
	unload_if_loaded
	refused "mean nothing" devices=0 vram_base=0x20000000
	refused 'from 0 to' devices=17
	refused 'from 0 to' devices=4294967295
	must_not modprobe mockgpu devices=-1
	must_not modprobe mockgpu devices=few
}

# Values at the edge of what is allowed.
test_good_parameters() {
	local parameters
	unload_if_loaded
	for parameters in 'devices=1 vram_size=16M' 'devices=16 vram_size=4M' 'vram_size=2M' 'vram_size=0x400000 devices=3' tier=system; do
		# shellcheck disable=SC2086 # a list
		load $parameters
		has_nodes || fail "$parameters: no render node"
		unload
	done
}

# Without VRAM the device works on system memory.
test_system_tier() {
	load tier=system
	hold_start 16
	expect open ok
	expect populate EOPNOTSUPP
	expect transform ok
	expect verify ok
	expect residency 'ok none 0 system 4096 device 0 other 0'
	hold_quit
	"$TESTS/demo" >/dev/null
	(($? == 2)) || fail "the demo does not say that there is no VRAM"
	unload
}

# Who is in the group render, and nobody else.
test_group_render() {
	local somebody=(setpriv --reuid 65534 --regid 65534)
	load devices=1 "${LITTLE[@]}"
	must "${somebody[@]}" --groups render "$TESTS/demo" --size 4
	must_not "${somebody[@]}" --clear-groups "$TESTS/demo" --size 4
	unload
}

main() {
	unload_if_loaded
	run_tests load load-many-times load-and-use group-render unload-held unload-closed \
		unbind-held unbind-closed unbind-busy unbind-and-unload unbind-many-times suspend \
		suspend-busy suspend-without-power suspend-without-power-busy hibernate \
		hibernate-busy hibernate-unbound hibernate-unbinding bad-size bad-base bad-tier \
		private-missing bad-devices good-parameters system-tier
}

main
