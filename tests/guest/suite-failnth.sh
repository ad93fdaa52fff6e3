#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# Everything that a process asks the kernel for is refused once: ../failnth.c, with each
# tier. Where the kernel cannot do that, the one test that says so is skipped.

# shellcheck source=tests/guest/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

run_tier() {
	add_mock devices=2 vram_size=16M "$@" || return
	# shellcheck disable=SC2086 # a list of tests, or nothing for all
	with_prefix "$(tier)-" run_program "$TESTS/failnth" $FAILNTH_TESTS
	with_prefix "$(tier)-" run_tests unload-after
}

main() {
	if [[ ! -e /proc/self/fail-nth ]]; then
		echo "skip failnth: the kernel has no CONFIG_FAULT_INJECTION"
		return
	fi
	run_tier tier=auto
	if [[ $(tier) = private ]]; then
		run_tier tier=coherent
	fi
}

main
