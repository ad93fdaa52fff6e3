#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# Random commands on a kernel that says where in the modules they led (CONFIG_KCOV):
# first by dice alone, then with those again, changed, that led where none was before.

# shellcheck source=tests/guest/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

COVER_SECONDS=${COVER_SECONDS:-30}

# fuzz_places CORPUS: sets PLACES to how many places of the modules were seen.
fuzz_places() {
	local output
	output=$("$TESTS/fuzz" --seconds "$COVER_SECONDS" --corpus "$1") || fail "$output"
	echo "$output" | grep '^# .* places'
	PLACES=$(sed -n 's/^# \([0-9]*\) places.*/\1/p' <<<"$output")
}

test_places() {
	local dice
	fuzz_places 0
	dice=$PLACES
	fuzz_places 1
	((dice > 500 && PLACES > 500)) || fail "only $dice places were found, and $PLACES with a corpus"
	echo "# with a corpus $((PLACES * 100 / dice)) % of the places that dice alone find"
}

run_tier() {
	add_mock devices=2 vram_size=64M "$@" || return
	with_prefix "$(tier)-" run_tests places unload-after
}

main() {
	if [[ ! -e /sys/kernel/debug/kcov ]]; then
		echo "skip cover: the kernel has no CONFIG_KCOV"
		return
	fi
	run_tier tier=auto
	if [[ $(tier) = private ]]; then
		run_tier tier=coherent
	fi
}

main
