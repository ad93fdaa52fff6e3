#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# The KUnit tests of drm_gpusvm_backport. They run when their module is loaded, and say
# in the kernel's log what came of it.

# shellcheck source=tests/guest/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

MODULE=$TESTS/gpusvm_kunit.ko
SUITES=(mixing chunks encoding segments walking mappings)

# results SUITE: a line for each of its tests out of the log, which is on stdin.
results() {
	sed -E 's/^\[[^]]*\] //' | awk -v suite="gpusvm-$1" '
		/# Subtest: / { mine = $NF == suite }
		!mine { next }
		/EXPECTATION FAILED|ASSERTION FAILED|Expected / { sub(/^ +(# )?/, ""); reason = reason " " $0 }
		/^ +1\.\./ { planned = substr($1, 4) }
		/^ +ok [0-9]+ .*# SKIP/ { name = $3; sub(/.*# SKIP ?/, ""); print "skip " name ": " $0; seen++; next }
		/^ +ok [0-9]+ / { print "ok " $3; seen++; reason = "" }
		/^ +not ok [0-9]+ / { print "not ok " $4 ":" reason; seen++; reason = "" }
		/^(not )?ok [0-9]+ / { mine = 0 }
		END { if (!seen || seen != planned)
			print "not ok all: " seen + 0 " of " planned + 0 " tests have a result" }'
}

main() {
	local suite log
	if ! modprobe kunit 2>/dev/null; then
		echo "skip all: the kernel has no KUnit"
		return
	fi
	add_module add-backport modprobe drm_gpusvm_backport || return
	# It marks the log first.
	add_module add-kunit insmod "$MODULE" || return
	log=$(new_log)
	for suite in "${SUITES[@]}"; do
		with_prefix "$suite." results "$suite" <<<"$log"
	done
	rmmod gpusvm_kunit
}

main
