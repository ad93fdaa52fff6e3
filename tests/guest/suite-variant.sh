#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# Some of everything on a machine that is set up as VARIANT says; scripts/variants boots
# it. What the machine cannot do is skipped, with the reason.

# shellcheck source=tests/guest/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

VARIANT=${VARIANT:-plain}
PROGRAMS=(migrate holes life mirror)
MOCK=(devices=2 vram_size=64M)
STRESS=y
WRAPPER=()
# What the tests of DMA must find.
export DMA_KIND=
THP=/sys/kernel/mm/transparent_hugepage
KSM=/sys/kernel/mm/ksm
PREEMPT=/sys/kernel/debug/sched/preempt
GROUP=/sys/fs/cgroup/variant

# expect_on FILE: the variant is nothing without it.
expect_on() {
	[[ -e $1 ]] || skip "there is no $1"
}

command_line() {
	grep -qw -- "$1" /proc/cmdline || fail "the machine was not booted with $1"
}

prepare_plain() { :; }

prepare_cpus() {
	(($(nproc) == $1)) || fail "there are $(nproc) processors, not $1"
}

prepare_preempt() {
	command_line "preempt=$1"
	expect_on "$PREEMPT"
	grep -qw "$1" "$PREEMPT" || skip "the kernel can be made $(<"$PREEMPT") only"
	grep -q "($1)" "$PREEMPT" || fail "preemption is $(<"$PREEMPT")"
}

# One processor, and nobody who has it loses it before he waits for something.
prepare_alone() {
	(($(nproc) == 1)) || fail "there are $(nproc) processors"
	command_line preempt=none
}

prepare_rt() {
	[[ $(</sys/kernel/realtime) = 1 ]] || fail "this kernel is not one for real time"
}

prepare_iommu() {
	dmesg | grep -q 'DMAR: IOMMU enabled' || fail "there is no IOMMU"
}

prepare_swiotlb() {
	command_line swiotlb=force
}

prepare_numa() {
	[[ -d /sys/devices/system/node/node1 ]] || skip "the kernel does not make two nodes of one"
}

prepare_thp() {
	expect_on "$THP/enabled"
	must sh -c "echo $1 >$THP/enabled"
}

prepare_khugepaged() {
	prepare_thp always
	must sh -c "echo 0 >$THP/khugepaged/scan_sleep_millisecs; echo 0 >$THP/khugepaged/alloc_sleep_millisecs"
	must sh -c "echo 100000 >$THP/khugepaged/pages_to_scan"
}

# What is alike is merged, whether programs say so or not; all that it scans costs time.
prepare_ksm() {
	expect_on "$KSM/run"
	"$TESTS/mergeable" true || skip "the kernel merges only what a program says"
	must sh -c "echo 0 >$KSM/sleep_millisecs; echo 100000 >$KSM/pages_to_scan; echo 1 >$KSM/run"
}

prepare_zram() {
	swap_on_zram || skip "cannot swap to zram here"
}

# With somewhere to swap to, as some tests want more than that.
prepare_memcg() {
	prepare_zram
	must sh -c 'echo +memory >/sys/fs/cgroup/cgroup.subtree_control'
	mkdir "$GROUP"
	must sh -c "echo 64M >$GROUP/memory.max"
}

# What runs, and on which devices. A mock GPU has a DMA API of its own, unless it does DMA
# for another device; bounce buffers are for moving memory only, not for using it in place.
# Pages that are merged do not move: most programs take that for a mistake. VRAM is charged
# to the group and cannot be reclaimed; programs that fill it need room beside it, or what they
# look for is swapped out.
configure() {
	case $VARIANT in
	alone) PROGRAMS+=(threads crowd home) ;;
	iommu) MOCK+=(dma_device=0000:00:1e.0) PROGRAMS=(dma migrate holes) DMA_KIND=iommu ;;
	swiotlb) MOCK+=(dma_device=0000:00:00.0) PROGRAMS=(dma) STRESS='' DMA_KIND=bounce ;;
	memcg) MOCK=(devices=2 vram_size=16M) ;;
	ksm) PROGRAMS=(users) WRAPPER=("$TESTS/mergeable") ;;
	esac
}

test_prepare() {
	"prepare_${VARIANT%%-*}" "${VARIANT#*-}"
}

# What a variant does meanwhile ends well if it really did something.
test_disturbed() {
	((DISTURBED == 0)) || fail "nothing came of it, see above"
}

prepare_compaction() {
	expect_on /proc/sys/vm/compact_memory
}

# Blocks of what can be moved away, which is where memory of processes comes from first.
prepare_hotunplug() {
	mapfile -t BLOCKS < <(grep -l Movable /sys/devices/system/memory/memory*/valid_zones)
	((${#BLOCKS[@]} > 1)) || skip "there are no memory blocks that can go"
}

# Those go on as long as the programs run.
disturb_compaction() {
	local rounds=0
	trap 'echo "# memory was compacted $rounds times"; ((rounds)); exit' TERM
	while :; do
		echo 1 >/proc/sys/vm/compact_memory || return
		rounds=$((rounds + 1))
	done
}

# Who is short of memory meanwhile is out of luck, so one block at a time. That one
# cannot go this time is no mistake.
disturb_hotunplug() {
	local block gone=0 tries=0
	trap 'echo "# of $tries blocks $gone went"; ((gone)); exit' TERM
	prepare_hotunplug
	while :; do
		for block in "${BLOCKS[@]%/*}"; do
			tries=$((tries + 1))
			echo offline 2>/dev/null >"$block/state" && gone=$((gone + 1))
			echo online_movable 2>/dev/null >"$block/state"
		done
	done
}

# The pages that were merged at one time, as a program that ends has none any more.
disturb_ksm() {
	local most=0 now
	trap 'echo "# at most $most pages were shared"; ((most)); exit' TERM
	while :; do
		now=$(<"$KSM/pages_shared")
		((most >= now)) || most=$now
		sleep 0.2
	done
}

run_programs() {
	local program
	if [[ -d $GROUP ]]; then
		echo "$BASHPID" >"$GROUP/cgroup.procs"
	fi
	for program in "${PROGRAMS[@]}"; do
		run_program "$TESTS/$program"
	done
	[[ -z $STRESS ]] || run_program "${WRAPPER[@]}" "$TESTS/stress" "$((20 * TEST_SLOW))"
}

# run_disturbed: with what a variant does meanwhile, if it does anything.
run_disturbed() {
	local disturber=
	if declare -F "disturb_$VARIANT" >/dev/null; then
		"disturb_$VARIANT" &
		disturber=$!
	fi
	(run_programs)
	[[ $disturber ]] || return 0
	kill "$disturber"
	wait "$disturber" && DISTURBED=0 || DISTURBED=$?
	run_tests disturbed
}

main() {
	local results
	results=$(run_tests prepare)
	echo "$results"
	[[ $results = 'ok '* ]] || return 0
	configure
	add_mock "${MOCK[@]}" || return
	run_disturbed
	run_tests unload-after
}

with_prefix "$VARIANT-" main
