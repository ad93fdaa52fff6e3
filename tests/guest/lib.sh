# SPDX-License-Identifier: GPL-2.0-only OR MIT
# shellcheck shell=bash
#
# For test scripts that run in a guest: functions test_NAME are the tests, and
# results are lines "ok NAME", "not ok NAME: reason" and "skip NAME: reason".
# Sourced, never run.

export TESTS DRIVER
TESTS=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
DRIVER=/sys/bus/platform/drivers/mockgpu
# How many times slower than usual this machine is; see ../speed.c.
export TEST_SLOW=${TEST_SLOW:-1}
# How long the kernel may take for one thing.
PATIENCE=$((60 * TEST_SLOW))
# Where a test that ends before its time says why; outside of tests nowhere.
REASON=

# run_tests NAME...: each in a subshell that may end it at any point. What failed in one
# side of a pipe, whose status is lost, has said so, too.
run_tests() {
	local name status
	REASON=$(mktemp)
	for name; do
		: >"$REASON"
		status=0
		mark_log
		("test_${name//-/_}") || status=$?
		((status)) || [[ ! -s $REASON ]] || status=1
		case $status in
		0) echo "ok $name" ;;
		77) echo "skip $name: $(<"$REASON")" ;;
		*)
			new_log | tail -n 20 | sed 's/^/# /'
			echo "not ok $name: $(<"$REASON")"
			;;
		esac
	done
	rm -f "$REASON"
	REASON=
}

# give_up STATUS WORD REASON: outside of a test it is a result of its own.
give_up() {
	if [[ $REASON ]]; then
		printf '%s' "$3" >"$REASON"
	else
		echo "$2 outside-of-tests: $3"
	fi
	exit "$1"
}

fail() {
	give_up 1 'not ok' "$*"
}

skip() {
	give_up 77 skip "$*"
}

# must COMMAND...: which may not take for ever, either.
must() {
	local output status=0
	output=$(timeout "$PATIENCE" "$@" 2>&1) || status=$?
	case $status in
	0) ;;
	124) fail "'$*' did not end in $PATIENCE s" ;;
	*) fail "'$*' failed: ${output//$'\n'/ }" ;;
	esac
}

# must_not COMMAND...: fails, in time.
must_not() {
	local status=0
	timeout "$PATIENCE" "$@" >/dev/null 2>&1 || status=$?
	((status != 124)) || fail "'$*' did not end in $PATIENCE s"
	((status != 0)) || fail "'$*' succeeded"
}

# until_true SECONDS COMMAND...
until_true() {
	local deadline=$((SECONDS + $1))
	until "${@:2}"; do
		((SECONDS < deadline)) || return 1
		sleep 0.05
	done
}

# with_prefix TEXT COMMAND...: puts TEXT before each test's name.
with_prefix() {
	"${@:2}" | sed -u -E "s/^(ok|not ok|skip) /\\1 $1/"
}

# run_program COMMAND...: a program in $TESTS that says how its tests ended, and whose exit
# status is 1 if some failed. One that is missing, knows no such test or was killed has not
# said so itself.
run_program() {
	local word name=$1 results status
	for word; do
		[[ $word != "$TESTS"/* ]] || { name=${word##*/}; break; }
	done
	results=$(mktemp)
	"$@" | tee "$results"
	status=${PIPESTATUS[0]}
	if ((status > 1)) || { ((status == 1)) && ! grep -q '^not ok ' "$results"; }; then
		echo "not ok $name: ended with status $status"
	elif ! grep -qE '^(ok|not ok|skip) ' "$results"; then
		echo "not ok $name: ended without a result"
	fi
	rm -f "$results"
}

# run_each PROGRAM: each test in a program of its own, which then sees no device go but
# the test's.
run_each() {
	local test tests
	if ! tests=$("$TESTS/$1" --list) || [[ -z $tests ]]; then
		echo "not ok $1: cannot list its tests"
		return
	fi
	for test in $tests; do
		run_program "$TESTS/$1" "$test"
	done
}

# A place to swap to, as fast as memory: reads from it pass by the swap cache.
swap_on_zram() {
	modprobe zram num_devices=1 &&
		echo 256M >/sys/block/zram0/disksize &&
		mkswap /dev/zram0 >/dev/null &&
		swapon /dev/zram0
}

swap_off_zram() {
	swapoff /dev/zram0
	modprobe -r zram
}

# A slower place to swap to than zram: what was read from it stays in the swap cache.
swap_on_file() {
	dd if=/dev/zero of=/swap bs=1M count=128 status=none &&
		chmod 600 /swap &&
		mkswap /swap >/dev/null &&
		swapon /swap
}

swap_off_file() {
	swapoff /swap
	rm /swap
}

# hold_start [MIB]: a process that obeys; see tests/hold.c.
hold_start() {
	coproc HOLD { exec "$TESTS/hold" "$@"; }
	# A test that fails must not leave it behind, and neither be killed by it.
	trap 'kill "$HOLDER" 2>/dev/null' EXIT
	trap '' PIPE
	HOLDER=$HOLD_PID
}

# tell COMMAND: sets ANSWER.
tell() {
	{ echo "$1" >&"${HOLD[1]}"; } 2>/dev/null || fail "the process is gone"
	read -r -t "$PATIENCE" ANSWER <&"${HOLD[0]}" || fail "'$1' did not end in $PATIENCE s"
}

# expect COMMAND ANSWER: what the process must say to it.
expect() {
	tell "$1"
	# shellcheck disable=SC2053 # the answer may be a pattern
	[[ $ANSWER == $2 ]] || fail "'$1' answers '$ANSWER', not '$2'"
}

hold_populated() {
	hold_start 16
	expect open ok
	expect populate ok
	expect transform ok
	expect residency 'ok none 0 system 0 device 4096 other 0'
}

hold_quit() {
	echo quit >&"${HOLD[1]}"
	wait "$HOLDER"
}

# put TEXT FILE: one write, as drivers want it.
put() {
	must sh -c "echo '$1' >'$2'"
}

# need_nap freeze|disk: skips a test that wants to nap() where that cannot be.
need_nap() {
	[[ -e /sys/power/pm_test && " $(</sys/power/state) " = *" $1 "* ]] ||
		skip "the kernel was built without the state $1, or without tests of it"
}

# nap freeze|disk: all processes and devices sleep for a second.
nap() {
	need_nap "$1"
	must guest-nap "$1"
}

is_loaded() {
	[[ -d /sys/module/mockgpu ]]
}

has_nodes() {
	compgen -G '/dev/dri/renderD*' >/dev/null
}

load() {
	must modprobe mockgpu "$@"
	must guest-fix-dri
}

# Both modules; what is released by workers may take a moment.
unload() {
	until_true $((20 * TEST_SLOW)) timeout "$PATIENCE" modprobe -r mockgpu 2>/dev/null ||
		fail "mockgpu cannot be unloaded"
	[[ ! -d /sys/module/drm_gpusvm_backport ]] ||
		until_true $((20 * TEST_SLOW)) timeout "$PATIENCE" modprobe -r drm_gpusvm_backport 2>/dev/null ||
		fail "drm_gpusvm_backport cannot be unloaded"
}

unload_if_loaded() {
	! is_loaded || unload
}

# What this machine has no memory for, by the words of the driver: not what it should have.
is_missing() {
	case $1 in
	*'no reserved RAM'*) ! grep -q 'memmap=' /proc/cmdline ;;
	*'tier=coherent is not possible'* | *'CONFIG_DEVICE_PRIVATE'*) true ;;
	*) false ;;
	esac
}

# add_module NAME COMMAND...: false, and says so, if that cannot load it.
add_module() {
	local name=$1 said verdict='not ok'
	shift
	mark_log
	said=$("$@" 2>&1) && return
	said+=" $(new_log | grep -E 'mockgpu|gpusvm' | tail -n 1)"
	! is_missing "$said" || verdict=skip
	echo "$verdict $name: '$*' failed: ${said//$'\n'/ }"
	return 1
}

# add_mock PARAMETER...: false, and says so, if there is no such device.
add_mock() {
	(unload_if_loaded) || { echo "not ok add-mock: what is loaded cannot go"; return 1; }
	add_module add-mock modprobe mockgpu test_knobs=1 "$@" || return
	guest-fix-dri || { echo "not ok add-mock: nobody may open the devices"; return 1; }
}

# Whether the best one is not all that was asked for.
every_tier() {
	[[ ${TIERS:-all} != best ]]
}

# What is still counted would keep the module in memory, or be mapped for ever.
still_alive() {
	grep '^live_' /sys/kernel/debug/drm_gpusvm_backport/stats | grep -v ' 0$'
}

test_nothing_left() {
	local left
	grep -q '^live_ranges ' /sys/kernel/debug/drm_gpusvm_backport/stats || fail "no counters"
	until_true $((20 * TEST_SLOW)) eval '! still_alive >/dev/null' && return
	left=$(still_alive)
	fail "still alive: ${left//$'\n'/, }"
}

unload_after() {
	test_nothing_left
	unload
	! is_loaded || fail "mockgpu is still there"
	# Who could say it otherwise is gone.
	! new_log | grep -q 'device error: ' || fail "a device caught something as it went"
}

test_unload_after() {
	unload_after
}

# mark_log; new_log: lines of the kernel log since the mark, without those about
# modules that are not the kernel's own.
mark_log() {
	MARK=
	if [[ -w /dev/kmsg ]]; then
		MARK="mark $RANDOM$RANDOM"
		echo "$MARK" >/dev/kmsg
	fi
}

new_log() {
	local log
	log=$(dmesg 2>/dev/null)
	[[ $MARK && $log ]] || return 0
	grep -qF "$MARK" <<<"$log" || lost_log
	sed "1,/$MARK/d" <<<"$log" | grep -v taint
}

# Who looks for something in it and finds nothing must not think that all is well.
lost_log() {
	local lost='the kernel log is too short: what came since the mark is lost'
	echo "$lost"
	[[ ! $REASON || -s $REASON ]] || printf '%s' "$lost" >"$REASON"
}

# refused HINT PARAMETER...: modprobe fails, and one line of the driver says what is wrong.
refused() {
	local lines
	mark_log
	must_not modprobe mockgpu "${@:2}"
	! is_loaded || fail "${*:2}: the module is loaded"
	! has_nodes || fail "${*:2}: there are render nodes"
	lines=$(new_log | grep mockgpu)
	(($(grep -c . <<<"$lines") == 1)) || fail "${*:2}: not one line in the log: ${lines//$'\n'/ | }"
	grep -q "mockgpu: .*$1" <<<"$lines" || fail "${*:2}: '$lines' does not say '$1'"
}

# The tier of the devices that were made last.
tier() {
	dmesg | sed -n 's/.*mockgpu: [0-9]* devices*, \([a-z]*\) tier.*/\1/p' | tail -n 1
}

# expect_tier: what was made by itself is what the host knows the kernel to allow.
expect_tier() {
	[[ -z ${EXPECT_TIER:-} || $(tier) = "$EXPECT_TIER" ]] ||
		fail "the tier is '$(tier)', not $EXPECT_TIER as the kernel allows"
}

# release_is_at_least VERSION: of the kernel that runs.
release_is_at_least() {
	[[ $(printf '%s\n' "$1" "$(uname -r)" | sort -V | head -n 1) = "$1" ]]
}

# Huge pages can stay whole where the kernel has private memory and all fixes for that.
expect_large_folios() {
	[[ ${EXPECT_TIER:-} = private ]] && release_is_at_least 7.3 || return 0
	[[ -e /sys/module/drm_gpusvm_backport/parameters/large_folios ]] ||
		fail "drm_gpusvm_backport has no parameter large_folios"
}

# With the devices of the best tier loaded.
test_as_kernel_allows() {
	expect_tier
	expect_large_folios
}
