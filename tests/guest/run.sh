#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# run.sh SUITE...: runs suites of tests in this guest, one after the other. The
# exit status is 0 if they all came to their end, whatever their tests said.

KMEMLEAK=/sys/kernel/debug/kmemleak

# Where the kernel was booted with kmemleak=on, it looks for memory that nobody can find any
# more when it is told to, at the end, not by itself in the middle of a test.
wants_leaks() {
	grep -qw kmemleak=on /proc/cmdline
}

# What was allocated in the last seconds is not told yet. Where memory was short, on purpose
# or not, kmemleak may have found none for its own use, and switched itself off.
find_leaks() {
	echo "# suite leaks"
	if ! { echo scan && sleep 6 && echo scan; } 2>/dev/null >"$KMEMLEAK"; then
		echo "skip kmemleak: the kernel gave it up, see dmesg"
	elif [[ $(<"$KMEMLEAK") ]]; then
		sed 's/^/# /' "$KMEMLEAK"
		echo "not ok kmemleak: memory is lost, see above"
	else
		echo "ok kmemleak"
	fi
}

cd "$(dirname "$(readlink -f "$0")")" || exit 1
export TEST_SLOW=${TEST_SLOW:-$(./speed 2>/dev/null || echo 1)}
echo "# time limits are those of a usual machine, times $TEST_SLOW"
! wants_leaks || echo scan=off >"$KMEMLEAK"
status=0
for suite; do
	echo "# suite $suite"
	"./suite-$suite.sh" || status=$?
done
! wants_leaks || find_leaks
exit "$status"
