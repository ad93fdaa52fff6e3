#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# How long a processor is busy with device memory at a stretch.

# shellcheck source=tests/guest/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

run_tier() {
	add_mock devices=1 vram_size=256M "$@" || return
	with_prefix "$(tier)-" run_each latency
}

main() {
	run_tier tier=auto
	if every_tier && [[ $(tier) = private ]]; then
		run_tier tier=coherent
	fi
	run_tests unload-after
}

main
