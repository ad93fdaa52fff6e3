#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# The C tests, with the best tier of this kernel and with the other one.

# shellcheck source=tests/guest/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

PROGRAMS=(uapi migrate holes errors life)

run_programs() {
	local program
	for program in "${PROGRAMS[@]}"; do
		run_program "$TESTS/$program"
	done
}

# What needs no rights must work without.
run_as_user() {
	with_prefix user- run_program setpriv --reuid 1000 --regid 1000 --init-groups "$TESTS/uapi"
}

run_swap() {
	local kind
	for kind in zram file; do
		if "swap_on_$kind" 2>/dev/null; then
			SWAP_KIND=$kind with_prefix "$kind-" run_program "$TESTS/swap"
		else
			echo "skip $kind-swap: cannot swap to $kind here"
		fi
		"swap_off_$kind" 2>/dev/null
	done
}

run_tier() {
	add_mock "$@" || return
	[[ $1 != tier=auto ]] || run_tests as-kernel-allows
	run_programs
	run_swap
}

main() {
	run_tier tier=auto vram_size=64M
	run_as_user
	run_tests unload-after
	# Where private is the usual tier, coherent is the other one.
	if every_tier && [[ $(tier) = private ]]; then
		with_prefix coherent- run_tier tier=coherent vram_size=64M
		with_prefix coherent- run_tests unload-after
	fi
}

main
