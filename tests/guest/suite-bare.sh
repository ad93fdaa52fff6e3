#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# A machine on which no memory was reserved for VRAM.

# shellcheck source=tests/guest/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

# modprobe without parameters gives the best there is, and says why not more.
test_load() {
	local line
	must modprobe mockgpu
	must guest-fix-dri
	line=$(dmesg | grep 'mockgpu: .* tier' | tail -n 1)
	case $(tier) in
	private) ;;
	system) [[ $line = *memmap=* ]] || fail "'$line' does not say what to do" ;;
	*) fail "'$line' says neither private nor system" ;;
	esac
}

test_demo() {
	local status=0 want=0
	[[ $(tier) = private ]] || want=2
	"$TESTS/demo" || status=$?
	((status == want)) || fail "the demo's exit status is $status, not $want"
}

test_coherent() {
	unload
	refused 'memmap=' tier=coherent
	refused 'memmap=' tier=coherent vram_size=2M devices=1
}

run_programs() {
	load tier=auto
	run_program "$TESTS/uapi"
}

main() {
	run_tests load demo coherent
	run_programs
	unload
}

main
