#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# The IGT subtests: with the best tier of this kernel, and if TIERS is not "best"
# with the others, too. IGT_SHARD=K/N is for one of N machines that share the work.

# shellcheck source=tests/guest/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

# What the knobs of a device do: what a subtest that finds it out is, for a device or a
# driver that makes a mistake; otherwise nobody may notice.
declare -A SEEN_BY=(
	[skip_unmap]='mockgpu_unmap munmap-second-half'
	[skip_flush]='mockgpu_unmap munmap-second-half'
	[skip_copy]='mockgpu_hmm migrate'
	[skip_clear]='mockgpu_place cleared-for-the-next'
	[map_writable]='mockgpu_protect populate-read-only'
	[fail_populate]='mockgpu_hmm migrate'
	[fail_copy]='mockgpu_hmm migrate'
	[fail_dma_map]='mockgpu_hmm migrate'
	[fail_device_map]='mockgpu_devices with-links-mmap'
	[hold_faults]='mockgpu_queues forked'
)
# These need links between the devices.
LINKED=(fail_device_map)
UNSEEN=(clear_delay_ms copy_delay_us scatter no_clear_op poison vram_loses_power)
# With these things wait, for tests that look at them then.
STOPS=(hold_page hold_copy asleep)
# What this one leaves behind is found out in whatever comes next, until unbind: it has
# tests of its own, in ../cheats.c.
LASTING=(skip_dma_unmap)

SHARD=${IGT_SHARD:-1/1}
IGT_RUN=("$TESTS/igt/igt-run" --lines --timeout $((10 * PATIENCE)))

first_card() {
	local card
	for card in /sys/class/drm/card[0-9]*; do
		[[ $(readlink -f "$card/device") != */mockgpu.0 ]] || echo "${card##*/card}"
	done
}

knobs() {
	# Those are written to empty them.
	find "$KNOBS" -maxdepth 1 -type f -perm -u+w ! -name 'error*' -printf '%f\n'
}

# run_with_knob PROGRAM SUBTEST: with the knob KNOB; its output is in OUTPUT.
run_with_knob() {
	put 1 "$KNOBS/$KNOB"
	timeout "$PATIENCE" "$TESTS/igt/$1" --run-subtest "$2" >"$OUTPUT" 2>&1
	put 0 "$KNOBS/$KNOB"
}

# With the mistake a subtest fails.
test_mistake() {
	local run
	read -ra run <<<"${SEEN_BY[$KNOB]}"
	run_with_knob "${run[@]}"
	grep -q 'ubtest .*: FAIL' "$OUTPUT" || fail "no subtest fails: $(tail -n 1 "$OUTPUT")"
}

# Without them none of these does.
test_no_mistake() {
	local run
	while read -ra run; do
		must "$TESTS/igt/${run[0]}" --run-subtest "${run[1]}" </dev/null
	done < <(for KNOB in "${TRIED[@]}"; do echo "${SEEN_BY[$KNOB]}"; done | sort -u)
}

test_unseen() {
	run_with_knob mockgpu_hmm migrate
	grep -q 'ubtest .*: SUCCESS' "$OUTPUT" || fail "$(grep '^reason: ' "$OUTPUT")"
}

# What a knob does that is in neither list nobody looks at.
test_all_knobs() {
	local knob known=" ${!SEEN_BY[*]} ${UNSEEN[*]} ${STOPS[*]} ${LASTING[*]} "
	for knob in $(knobs); do
		[[ $known = *" $knob "* ]] || fail "no subtest is known to find out about $knob"
	done
	for knob in $known; do
		[[ $knob = hold_page || -e $KNOBS/$knob ]] || fail "there is no $knob"
	done
}

find_knobs() {
	KNOBS=/sys/kernel/debug/dri/$(first_card) OUTPUT=/tmp/with-knob
}

# for_knobs TEST KNOB...
for_knobs() {
	for KNOB in "${@:2}"; do
		run_tests "$1" | sed "s/ $1/&-$KNOB/"
	done
}

run_knobs() {
	TRIED=("$@")
	for_knobs mistake "$@"
	run_tests no-mistake
}

# A device and a driver that make mistakes are found out.
run_mistakes() {
	local knob others=" ${LINKED[*]} " alone=()
	for knob in "${!SEEN_BY[@]}"; do
		[[ $others = *" $knob "* ]] || alone+=("$knob")
	done
	find_knobs
	run_tests all-knobs
	run_knobs "${alone[@]}"
	for_knobs unseen "${UNSEEN[@]}"
}

load_mockgpu() {
	add_mock devices=3 vram_size=64M "$@"
}

# Devices that reach each other's memory.
run_linked() {
	load_mockgpu links=all "$@" || return
	run_program "${IGT_RUN[@]}" /tmp/igt-linked mockgpu_devices
	is_first_tier || return 0
	find_knobs
	run_knobs "${LINKED[@]}"
}

# Mistakes that are found out are not about a tier.
is_first_tier() {
	[[ $TIER = "${FIRST_TIER:=$TIER}" ]]
}

# What is no program of the list.
is_last_shard() {
	[[ ${SHARD%/*} = "${SHARD#*/}" ]]
}

# Which tier it is has to be asked at once: the kernel's log forgets.
run_tier() {
	load_mockgpu "$@" || return
	TIER=$(tier)
	with_prefix "$TIER-" run_program "${IGT_RUN[@]}" --shard "$SHARD" "/tmp/igt-$TIER"
	if is_last_shard; then
		! is_first_tier || with_prefix "$TIER-" run_mistakes
		with_prefix "$TIER-linked-" run_linked "$@"
	fi
	with_prefix "$TIER-" run_tests unload-after
}

main() {
	if [[ ! -e $TESTS/igt/igt-run ]]; then
		echo "not ok igt: the tests were built without libigt"
		return
	fi
	# Some of what is tested comes about only where there is somewhere to swap to.
	swap_on_zram || echo "skip swap: cannot swap to zram here"
	run_tier tier=auto
	every_tier || return 0
	# Where private is the best tier, coherent is another one.
	if [[ $TIER = private ]]; then
		run_tier tier=coherent
	fi
}

main
