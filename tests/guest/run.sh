#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# run.sh SUITE...: runs suites of tests in this guest, one after the other. The
# exit status is 0 if they all came to their end, whatever their tests said.

cd "$(dirname "$(readlink -f "$0")")" || exit 1
export TEST_SLOW=${TEST_SLOW:-$(./speed 2>/dev/null || echo 1)}
echo "# time limits are those of a usual machine, times $TEST_SLOW"
status=0
for suite; do
	echo "# suite $suite"
	"./suite-$suite.sh" || status=$?
done
exit "$status"
