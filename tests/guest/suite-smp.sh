#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# Many threads at once, on as many processors as this guest has. TEST_SECONDS
# says how long each test goes on.

# shellcheck source=tests/guest/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

run_tier() {
	add_mock "$@" || return
	run_program "$TESTS/threads" | sed -u -E "s/^(ok|not ok|skip) /\\1 $(nproc)-cpus-$(tier)-/"
}

main() {
	run_tier tier=auto
	if every_tier && [[ $(tier) = private ]]; then
		run_tier tier=coherent
	fi
	unload
}

main
