#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# The IGT subtests in the hands of IGT's own runner, with its own library.

# shellcheck source=tests/guest/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

IGT=/opt/igt/usr
LIBRARIES=$IGT/lib/x86_64-linux-gnu

# A tool of IGT that has never heard of this driver.
with_igt() {
	PATH=$IGT/bin:$PATH LD_LIBRARY_PATH=$LIBRARIES timeout "$PATIENCE" "$@" 2>&1
}

test_lsgpu() {
	local output
	output=$(with_igt lsgpu -s) || fail "lsgpu: $output"
	[[ $output = */mockgpu.0/drm/renderD* ]] || fail "no mockgpu in what lsgpu says: $output"
}

# Of somebody who uses the device just now. Without a terminal it has no lines to write to.
test_gputop() {
	local output user
	TEST_SECONDS=10 "$TESTS/oversubscribe" random-twice >/dev/null 2>&1 &
	user=$!
	output=$(with_igt script -qc 'stty cols 120 rows 40; gputop -n 4 -d 1' /dev/null) ||
		fail "gputop: $output"
	wait "$user"
	grep -q 'compute' <<<"$output" || fail "gputop shows no engine"
	grep -qE '[0-9]+M .*oversubscribe' <<<"$output" ||
		fail "gputop does not show the memory of a process"
}

main() {
	add_mock devices=3 vram_size=64M || return
	PATH=$IGT/bin:$PATH LD_LIBRARY_PATH=$LIBRARIES \
		run_program "$TESTS/igt/igt-run" --runner --lines /tmp/runner
	run_tests lsgpu gputop
	tail -n 3 /tmp/runner/runner.log | sed 's/^/# /'
}

main
