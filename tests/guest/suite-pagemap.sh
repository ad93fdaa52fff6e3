#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# What can go wrong with memory in VRAM; ../hazards.tsv says which test is for
# what. TEST_SECONDS says how long what depends on time goes on.

# shellcheck source=tests/guest/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

PROGRAMS=(arrive home locked held family users devices livelock trace)

run_programs() {
	local program
	for program in "${PROGRAMS[@]}"; do
		run_program "$TESTS/$program"
	done
}

# Programs that want to have somewhere to swap to.
run_with_swap() {
	if ! swap_on_zram 2>/dev/null; then
		echo "skip swap: cannot swap to zram here"
		return
	fi
	with_prefix swap- run_program "$TESTS/users" group-full
	with_prefix swap- run_program "$TESTS/family" reclaim
	with_prefix swap- run_program "$TESTS/stress"
	swap_off_zram
}

run_tier() {
	add_mock devices=4 vram_size=64M "$@" || return
	run_programs
	run_each unbind
	run_each cache
	run_program "$TESTS/stress"
	run_with_swap
	run_tests unload-after
	run_linked "$@"
}

test_unload_linked() {
	test_unload_after
}

# load_linked LINKS OPTION...
load_linked() {
	add_mock devices=3 vram_size=16M links="$1" "${@:2}"
}

# Devices with links to all others, and a chain of them.
run_linked() {
	load_linked all "$@" || return
	run_each linked
	with_prefix linked- run_program "$TESTS/devices"
	with_prefix linked- run_program "$TESTS/held" peer-not-mapped
	load_linked 0-1,1-2 "$@" || return
	with_prefix chain- run_program "$TESTS/linked" every-pair
	with_prefix chain- run_program "$TESTS/devices"
	run_tests unload-linked
}

# Huge pages stay whole in private memory, which they do only if asked for.
run_large() {
	unload_if_loaded
	add_module add-backport modprobe drm_gpusvm_backport large_folios=1 || return
	add_module add-mock modprobe mockgpu test_knobs=1 devices=2 vram_size=64M tier=private || return
	guest-fix-dri
	run_program "$TESTS/large"
	with_prefix large- run_program "$TESTS/migrate" sizes-huge torn-huge-page half-huge-page other-device
	with_prefix large- run_program "$TESTS/holes"
	with_prefix large- run_program "$TESTS/family"
	with_prefix large- run_program "$TESTS/stress"
	with_prefix large- run_tests unload-after
}

main() {
	run_tier tier=auto
	# Where private is the usual tier, coherent is the other one.
	if [[ $(tier) = private ]]; then
		run_large
		! every_tier || with_prefix coherent- run_tier tier=coherent
	fi
}

main
