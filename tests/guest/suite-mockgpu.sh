#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# What the device can do, with each tier.

# shellcheck source=tests/guest/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

# What is still counted would keep the module in memory, or be mapped for ever.
test_unload_after() {
	local left stats=/sys/kernel/debug/drm_gpusvm_backport/stats
	grep -q '^live_ranges ' "$stats" || fail "no counters in $stats"
	left=$(grep '^live_' "$stats" | grep -v ' 0$')
	[[ -z $left ]] || fail "still alive: ${left//$'\n'/, }"
	unload
	! is_loaded || fail "mockgpu is still there"
}

run_tier() {
	unload_if_loaded
	modprobe mockgpu test_knobs=1 "$@" 2>/dev/null || return
	guest-fix-dri
	with_prefix "$(tier)-" "$TESTS/attrs"
	with_prefix "$(tier)-" "$TESTS/commands"
	with_prefix "$(tier)-" "$TESTS/queues"
	with_prefix "$(tier)-" "$TESTS/cheats"
	with_prefix "$(tier)-" "$TESTS/tools"
	with_prefix "$(tier)-" "$TESTS/atomics"
	with_prefix "$(tier)-" "$TESTS/fuzz" --seconds 5
	with_prefix "$(tier)-" run_tests unload-after
}

main() {
	local first
	run_tier tier=auto
	modprobe mockgpu
	first=$(tier)
	[[ $first != private ]] || run_tier tier=coherent
	run_tier tier=system
}

main
