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
	for _ in {1..5}; do
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
	with_prefix "$(tier)-" run_tests read-files-during-unbind unload-after
}

# With little VRAM, that is soon full, or none.
run_small() {
	unload_if_loaded
	modprobe mockgpu test_knobs=1 devices=2 "$@" 2>/dev/null || return
	guest-fix-dri
	with_prefix "$(tier)-" "$TESTS/oversubscribe"
	with_prefix "$(tier)-" "$TESTS/buffers"
	with_prefix "$(tier)-small-" run_tests unload-after
}

main() {
	local first
	modprobe udmabuf 2>/dev/null
	run_tier tier=auto
	run_small tier=auto vram_size=16M
	modprobe mockgpu
	first=$(tier)
	if [[ $first == private ]]; then
		run_tier tier=coherent
		run_small tier=coherent vram_size=16M
	fi
	run_tier tier=system
	run_small tier=system
}

main
