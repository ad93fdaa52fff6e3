#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# The IGT subtests: with the best tier of this kernel, and if IGT_TIERS is not "best"
# with the others, too.

# shellcheck source=tests/guest/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

# What is still counted would keep the module in memory, or be mapped for ever.
test_unload_after() {
	unload
	! is_loaded || fail "mockgpu is still there"
}

# sees PROGRAM SUBTEST: does it fail with the first device's knob KNOB at VALUE, and
# only then?
sees() {
	local program=$TESTS/igt/$1 output=/tmp/mistake
	put "$VALUE" "$KNOBS/$KNOB"
	timeout "$PATIENCE" "$program" --run-subtest "$2" >"$output" 2>&1
	put 0 "$KNOBS/$KNOB"
	grep -q 'ubtest .*: FAIL' "$output" || fail "no subtest fails: $(tail -n 1 "$output")"
	must "$program" --run-subtest "$2"
}

# A device and a driver that make mistakes are found out.
run_mistakes() {
	local index
	index=$(first_card)
	KNOBS=/sys/kernel/debug/dri/$index VALUE=1
	for KNOB in skip_unmap skip_flush skip_copy skip_clear fail_populate fail_copy fail_dma_map; do
		run_tests "mistake-$KNOB"
	done
}

first_card() {
	local card
	for card in /sys/class/drm/card[0-9]*; do
		[[ $(readlink -f "$card/device") != */mockgpu.0 ]] || echo "${card##*/card}"
	done
}

test_mistake_skip_unmap() {
	sees mockgpu_unmap munmap-second-half
}

test_mistake_skip_flush() {
	sees mockgpu_unmap munmap-second-half
}

test_mistake_skip_copy() {
	sees mockgpu_hmm migrate
}

test_mistake_skip_clear() {
	sees mockgpu_place cleared-for-the-next
}

test_mistake_fail_populate() {
	sees mockgpu_hmm migrate
}

test_mistake_fail_copy() {
	sees mockgpu_hmm migrate
}

test_mistake_fail_dma_map() {
	sees mockgpu_hmm migrate
}

run_tier() {
	unload_if_loaded
	modprobe mockgpu test_knobs=1 devices=3 vram_size=64M "$@" 2>/dev/null || return
	guest-fix-dri
	with_prefix "$(tier)-" "$TESTS/igt/igt-run" --lines "/tmp/igt-$(tier)"
	with_prefix "$(tier)-" run_mistakes
	with_prefix "$(tier)-" run_tests unload-after
}

main() {
	local best
	if [[ ! -e $TESTS/igt/igt-run ]]; then
		echo "not ok igt: the tests were built without libigt"
		return
	fi
	# Some of what is tested comes about only where there is somewhere to swap to.
	swap_on_zram || echo "skip swap: cannot swap to zram here"
	run_tier tier=auto
	best=$(tier)
	[[ ${IGT_TIERS:-all} != best ]] || return 0
	# Where private is the best tier, coherent is another one.
	if [[ $best = private ]]; then
		run_tier tier=coherent
	fi
}

main
