#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# A driver that is not ours: the same source with our drm_gpusvm and, on kernels
# that have it, with the kernel's own; each alone, and both at the same time.

# shellcheck source=tests/guest/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

HELPER=drm_gpusvm_helper
OURS=drm_gpusvm_backport
# What is looked at again in each setting; alone, everything is.
SOME_TESTS=(small-pages huge-pages dropped torn forked gone race-protect)

has_module() {
	modinfo -n "$1" >/dev/null 2>&1
}

need_module() {
	has_module "$1" || skip "this kernel has no $1"
}

loaded() {
	[[ -d /sys/module/$1 ]]
}

# add, drop MODULE...: what is released by workers may take a moment.
add() {
	local module
	for module; do
		must modprobe "$module"
		loaded "$module" || fail "$module is not loaded"
	done
	must guest-fix-dri
}

drop() {
	local module
	for module; do
		[[ $module != "$OURS" ]] || ! loaded "$OURS" || test_nothing_left
		! loaded "$module" || until_true $((20 * TEST_SLOW)) timeout "$PATIENCE" modprobe -r "$module" 2>/dev/null ||
			fail "$module cannot be unloaded"
		! loaded "$module" || fail "$module is still loaded"
	done
}

drop_all() {
	drop svmsum svmsum_intree mockgpu xe "$OURS" "$HELPER"
}

# node MODULE: of its device.
node() {
	echo /dev/dri/"$(basename /sys/devices/platform/"$1"/drm/renderD*)"
}

# use MODULE...: one process uses the devices of all of them.
use() {
	local nodes=() module results
	for module; do
		nodes+=("$(node "$module")")
	done
	results=$("$TESTS/svmsum" "${nodes[@]}" -- "${SOME_TESTS[@]}") || fail "with $*: ended with status $?"
	all_ok "with $*" <<<"$results"
}

# all_ok WHAT: the results on standard input are those of one test.
all_ok() {
	local results
	results=$(sed 's/^not ok/# &/')
	echo "$results" | grep '^#'
	grep -q '^ok' <<<"$results" || fail "$1: there were no tests"
	! grep -q '^# not ok' <<<"$results" || fail "$1: $(grep -m 1 '^# not ok' <<<"$results")"
}

# The kernel's module is there first, and is the last to go.
test_helper_first() {
	need_module "$HELPER"
	drop_all
	add "$HELPER" "$OURS" svmsum
	use svmsum
	drop svmsum "$OURS" "$HELPER"
}

test_backport_first() {
	need_module "$HELPER"
	drop_all
	add "$OURS" svmsum "$HELPER"
	use svmsum
	drop "$HELPER" svmsum "$OURS"
}

# xe, which needs the kernel's module, finds it and nothing else.
test_with_xe() {
	need_module xe
	need_module "$HELPER"
	drop_all
	add xe svmsum
	loaded "$HELPER" || fail "xe came without $HELPER"
	use svmsum
	drop svmsum "$OURS" xe "$HELPER"
	add svmsum xe
	use svmsum
	drop_all
}

# One process, its memory seen through both.
test_both_helper_first() {
	need_module svmsum_intree
	drop_all
	add svmsum_intree svmsum
	use svmsum svmsum_intree
	drop svmsum_intree "$HELPER"
	use svmsum
	drop_all
}

test_both_backport_first() {
	need_module svmsum_intree
	drop_all
	add svmsum svmsum_intree
	use svmsum_intree svmsum
	drop svmsum "$OURS"
	use svmsum_intree
	drop_all
}

# Our own driver moves memory while others use the kernel's module.
test_beside_mockgpu() {
	local other results
	need_module svmsum_intree
	drop_all
	add svmsum_intree svmsum mockgpu
	"$TESTS/svmsum" "$(node svmsum_intree)" "$(node svmsum)" -- "${SOME_TESTS[@]}" >/tmp/beside &
	other=$!
	results=$(run_program "$TESTS/migrate")
	wait "$other" || fail "svmsum ended with status $?"
	all_ok migrate <<<"$results"
	all_ok svmsum </tmp/beside
	drop_all
}

# exports MODULE: the symbols that others may use.
exports() {
	local file unpacked=/tmp/exports-$1.ko
	file=$(modinfo -n "$1")
	case $file in
	*.xz) xz --decompress --stdout "$file" ;;
	*.zst) zstd --quiet --decompress --stdout "$file" ;;
	*) cat "$file" ;;
	esac >"$unpacked"
	nm "$unpacked" | sed -n 's/.* __ksymtab_//p' | sort
}

test_symbols() {
	local names
	names=$(exports "$OURS")
	[[ -n $names ]] || fail "$OURS exports nothing"
	! grep -vE '^(gsb_|drm_gpusvm_backport_)' <<<"$names" >/dev/null ||
		fail "no prefix: $(grep -m 1 -vE '^(gsb_|drm_gpusvm_backport_)' <<<"$names")"
}

test_symbols_apart() {
	local shared
	need_module "$HELPER"
	shared=$(comm -12 <(exports "$HELPER") <(exports "$OURS"))
	[[ -z $shared ]] || fail "exported by both: ${shared//$'\n'/ }"
}

# What the kernel's module has for drivers ours has too.
test_complete() {
	local missing
	need_module svmsum_intree
	missing=$(comm -23 <(exports "$HELPER") <(exports "$OURS" | sed 's/^gsb_//' | sort))
	[[ -z $missing ]] || fail "not exported: ${missing//$'\n'/ }"
}

# uses MODULE THIS OTHER: it was built for this one.
uses() {
	local depends
	depends=,$(modinfo -F depends "$1"),
	[[ $depends = *,$2,* ]] || fail "$1 does not use $2"
	[[ $depends != *,$3,* ]] || fail "$1 uses $3"
}

test_depends() {
	uses svmsum "$OURS" "$HELPER"
}

test_depends_intree() {
	need_module svmsum_intree
	uses svmsum_intree "$HELPER" "$OURS"
}

run_alone() {
	run_tests "load-$1"
	run_program "$TESTS/svmsum" "$(node "$1")"
	run_tests unload
}

test_load_svmsum() {
	drop_all
	add svmsum
	! loaded "$HELPER" || fail "$HELPER was loaded too"
}

test_load_svmsum_intree() {
	drop_all
	add svmsum_intree
	! loaded "$OURS" || fail "$OURS was loaded too"
}

test_unload() {
	drop_all
}

main() {
	run_tests depends depends-intree symbols symbols-apart complete
	run_alone svmsum
	! has_module svmsum_intree || with_prefix intree- run_alone svmsum_intree
	run_tests helper-first backport-first with-xe both-helper-first both-backport-first beside-mockgpu
}

main
