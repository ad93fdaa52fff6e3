#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# Beside another driver with memory of its own, the kernel's test of HMM. It is not
# unloaded: in 6.12 it loses memory then. TIER is that of our device.

# shellcheck source=tests/guest/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

# Where the memory is that was reserved at boot, if the mock's is another.
spare_memory() {
	[[ $(tier) = private ]] || return
	grep -o 'memmap=512M\$[0-9a-fx]*' /proc/cmdline | cut -d '$' -f 2
}

load_other() {
	local at options=()
	at=$(spare_memory)
	# It wants the memory of two devices, 256 MiB each.
	[[ -z $at ]] || options=("spm_addr_dev0=$at" "spm_addr_dev1=$((at + (256 << 20)))")
	must modprobe test_hmm "${options[@]}"
}

main() {
	if ! modprobe -n test_hmm 2>/dev/null; then
		echo "skip foreign: this kernel was built without test_hmm"
		return
	fi
	add_mock devices=1 vram_size=64M tier="$TIER" || return
	load_other
	with_prefix "$TIER-" run_each foreign
	with_prefix "$TIER-" run_tests unload-after
}

main
