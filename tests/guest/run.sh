#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# run.sh SUITE...: runs suites of tests in this guest, one after the other. The
# exit status is 0 if they all came to their end, whatever their tests said.

KMEMLEAK=/sys/kernel/debug/kmemleak

# Memory of the kernel that nobody can find any more, if it was booted with kmemleak=on.
# What was allocated in the last seconds is not told yet.
find_leaks() {
	echo scan >"$KMEMLEAK" || return 0
	sleep 6
	echo scan >"$KMEMLEAK"
	echo "# suite leaks"
	if [[ $(<"$KMEMLEAK") ]]; then
		sed 's/^/# /' "$KMEMLEAK"
		echo "not ok kmemleak: memory is lost, see above"
	else
		echo "ok kmemleak"
	fi
}

cd "$(dirname "$(readlink -f "$0")")" || exit 1
export TEST_SLOW=${TEST_SLOW:-$(./speed 2>/dev/null || echo 1)}
echo "# time limits are those of a usual machine, times $TEST_SLOW"
status=0
for suite; do
	echo "# suite $suite"
	"./suite-$suite.sh" || status=$?
done
find_leaks 2>/dev/null
exit "$status"
