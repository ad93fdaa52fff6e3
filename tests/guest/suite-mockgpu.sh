#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# What the device can do, with each tier.

# shellcheck source=tests/guest/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

# As fast as possible, until there is a file "stop"; whoever reads must not hang.
read_files() {
	while [[ ! -e $1/stop ]]; do
		cat /sys/kernel/debug/dri/*/{vms,ranges,tlb,queues,vram,errors,error_state,counters} \
			/sys/bus/platform/devices/mockgpu.*/{tier,vram_size,vram_used,links} \
			>/dev/null 2>&1 || true
		echo >>"$1/rounds"
	done
}

test_read_files_during_unbind() {
	local dir reader
	dir=$(mktemp -d)
	read_files "$dir" &
	reader=$!
	for _ in {1..3}; do
		timeout "$PATIENCE" "$TESTS/atomics" any >/dev/null || fail "the device does not work"
		put mockgpu.0 "$DRIVER/unbind"
		put mockgpu.0 "$DRIVER/bind"
		must guest-fix-dri
	done
	touch "$dir/stop"
	until_true "$PATIENCE" eval "! kill -0 $reader 2>/dev/null" || fail "a reader hangs"
	(($(wc -l <"$dir/rounds") > 1)) || fail "nothing was read"
	rm -r "$dir"
}

run_tier() {
	add_mock "$@" || return
	with_prefix "$(tier)-" run_program "$TESTS/attrs"
	with_prefix "$(tier)-" run_program "$TESTS/commands"
	with_prefix "$(tier)-" run_program "$TESTS/queues"
	with_prefix "$(tier)-" run_program "$TESTS/crowd"
	with_prefix "$(tier)-" run_program "$TESTS/cheats"
	with_prefix "$(tier)-" run_program "$TESTS/tools"
	with_prefix "$(tier)-" run_program "$TESTS/atomics"
	with_prefix "$(tier)-" run_program "$TESTS/stalled"
	with_prefix "$(tier)-" run_program "$TESTS/fuzz" --seconds 5
	with_prefix "$(tier)-" run_tests read-files-during-unbind unload-after
}

# With little VRAM, that is soon full, or none.
run_small() {
	add_mock devices=2 "$@" || return
	with_prefix "$(tier)-" run_program "$TESTS/oversubscribe"
	with_prefix "$(tier)-" run_program "$TESTS/buffers"
	with_prefix "$(tier)-small-" run_tests unload-after
}

main() {
	modprobe udmabuf 2>/dev/null
	run_tier tier=auto vram_size=64M
	run_small tier=auto vram_size=16M
	every_tier || return 0
	if [[ $(tier) == private ]]; then
		run_tier tier=coherent vram_size=64M
		run_small tier=coherent vram_size=16M
	fi
	run_tier tier=system
	run_small tier=system
}

main
