#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# Tests in which things happen at once, and everything at once, in a build that waits
# between all stages of migration, invalidation and teardown (src/delay.h): for
# scripts/check races, which boots a machine with one. What hangs for 20 s is reported by
# the kernel.

# shellcheck source=tests/guest/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

PROGRAMS=(family linked shared devices home mirror atomics)

test_hung_task_limit() {
	[[ -e /proc/sys/kernel/hung_task_timeout_secs ]] || skip "the kernel does not look for tasks that hang"
	echo $((20 * TEST_SLOW)) >/proc/sys/kernel/hung_task_timeout_secs || fail "no limit"
}

run_tier() {
	local program
	add_mock devices=3 vram_size=64M links=all "$@" || return
	run_program "$TESTS/threads"
	for program in "${PROGRAMS[@]}"; do
		run_program "$TESTS/$program"
	done
	run_program "$TESTS/stress" "$((10 * TEST_SLOW))"
	run_tests unload-after
}

main() {
	run_tests hung-task-limit
	with_prefix races- run_tier tier=auto
	if [[ $(tier) = private ]]; then
		with_prefix races-coherent- run_tier tier=coherent
	fi
}

main
