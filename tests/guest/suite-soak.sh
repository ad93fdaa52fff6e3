#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# Everything at once with each tier, SOAK_MINUTES in all, with the dice of SOAK_SEED:
# ../pagemap/stress.c. Without a seed it takes one and says which; what differs between
# two runs of a seed is only how threads and processors overtake each other.

# shellcheck source=tests/guest/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

SEED=${SOAK_SEED:-$((RANDOM * 32768 + RANDOM + 1))}

run_soak() {
	echo "# to repeat: scripts/check soak --minutes ${SOAK_MINUTES:-5} --seed $SEED --kernel NAME"
	run_program "$TESTS/stress" "$1" "$SEED"
}

# run_tier SECONDS OPTION...
run_tier() {
	add_mock devices=4 vram_size=64M "${@:2}" || return
	with_prefix "$(tier)-" run_soak "$1"
	with_prefix "$(tier)-" run_tests unload-after
}

main() {
	local name seconds=$((60 * ${SOAK_MINUTES:-5})) tiers=(auto)
	swap_on_zram 2>/dev/null || echo "# there is nowhere to swap to"
	unload_if_loaded
	modprobe mockgpu
	# Where private is the usual tier, coherent is the other one.
	[[ $(tier) != private ]] || tiers+=(coherent)
	for name in "${tiers[@]}"; do
		run_tier "$((seconds / ${#tiers[@]}))" "tier=$name"
	done
	swap_off_zram 2>/dev/null
	true
}

main
