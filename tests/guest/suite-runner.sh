#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# The IGT subtests in the hands of IGT's own runner, with its own library.

# shellcheck source=tests/guest/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

IGT=/opt/igt/usr
LIBRARIES=$IGT/lib/x86_64-linux-gnu

main() {
	modprobe mockgpu test_knobs=1 devices=3 vram_size=64M || return
	guest-fix-dri
	PATH=$IGT/bin:$PATH LD_LIBRARY_PATH=$LIBRARIES \
		"$TESTS/igt/igt-run" --runner --lines /tmp/runner
	tail -n 3 /tmp/runner/runner.log | sed 's/^/# /'
}

main
