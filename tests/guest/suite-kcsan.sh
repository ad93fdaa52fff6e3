#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# What runs many things at once, on a kernel that looks for data races in our modules
# (scripts/kernels debug-kcsan). A race is a report of the kernel, which ends the machine;
# scripts/vm --append panic_on_warn=0 lets it go on, to see more of them.

# shellcheck source=tests/guest/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

KCSAN=/sys/kernel/debug/kcsan
PROGRAMS=(threads family users commands queues crowd attrs atomics shared linked devices)

# kcsan COUNTER: what the kernel counted under that name.
kcsan() {
	sed -n "s/^$1: //p" "$KCSAN"
}

test_switched_on() {
	put on "$KCSAN"
	grep -qx 'enabled: 1' "$KCSAN" || fail "the kernel does not look for data races"
}

# Of our accesses enough were watched for others that come between.
test_watched() {
	local watched
	watched=$(($(kcsan setup_watchpoints) - WATCHED_BEFORE))
	echo "# $watched accesses were watched"
	((watched > 1000)) || fail "only $watched accesses were watched"
}

run_tier() {
	local program
	add_mock devices=3 vram_size=64M links=all "$@" || return
	WATCHED_BEFORE=$(kcsan setup_watchpoints)
	for program in "${PROGRAMS[@]}"; do
		with_prefix "$(tier)-" run_program "$TESTS/$program"
	done
	with_prefix "$(tier)-" run_program "$TESTS/stress" "$((10 * TEST_SLOW))"
	with_prefix "$(tier)-" run_tests unload-after watched
}

main() {
	if [[ ! -e $KCSAN ]]; then
		echo "skip kcsan: the kernel has no CONFIG_KCSAN"
		return
	fi
	run_tests switched-on
	run_tier tier=auto
	if [[ $(tier) = private ]]; then
		run_tier tier=coherent
	fi
}

main
