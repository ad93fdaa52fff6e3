#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# Everything at once for TEST_SECONDS with each tier, at least half a minute:
# ../pagemap/stress.c. There is somewhere to swap to, as memory is to be paged out.

# shellcheck source=tests/guest/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

LEAST_SECONDS=30

run_stress() {
	local seconds=${TEST_SECONDS:-0}
	seconds=${seconds%.*}
	((seconds >= LEAST_SECONDS)) || seconds=$LEAST_SECONDS
	echo "# $(nproc) processors, $(tier) tier"
	run_program "$TESTS/stress" "$seconds"
}

run_tier() {
	add_mock devices=4 vram_size=64M "$@" || return
	with_prefix "$(tier)-" run_stress
	with_prefix "$(tier)-" run_tests unload-after
}

main() {
	local first
	swap_on_zram 2>/dev/null || echo "# there is nowhere to swap to"
	run_tier tier=auto
	first=$(tier)
	if [[ $first = private ]]; then
		run_tier tier=coherent
	fi
	swap_off_zram 2>/dev/null
	true
}

main
