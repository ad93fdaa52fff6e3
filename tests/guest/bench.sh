#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# bench.sh DIR [OPTION]...: measures this project's module, also with large folios,
# and after it in the same boot what DIR has: the mock device built against the kernel's
# own module (mockgpu-kernel.ko), and the kernel's HMM test module (hmm/test_hmm.ko).
# The results are in DIR/bench.tsv. Options are those of gpusvm-bench. VRAM_SIZE is how
# much VRAM a device has, if not the usual.

# shellcheck source=tests/guest/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

DIR=$1
shift

# bench LABEL OPTION...
bench() {
	"$TESTS/gpusvm-bench" --label "$@" >>"$DIR/bench.tsv" || fail "gpusvm-bench ended with status $?"
}

# Nothing else is to run meanwhile: no daemon that looks for pages to merge, to
# make huge or to compact.
test_ours() {
	load "${DEVICES[@]}"
	bench ours "${OPTIONS[@]}"
	unload
}

# The last one: it stays loaded, as the kernel's own module leaves DMA mappings behind
# in one of the rows, which the mock device complains of when it goes.
test_kernel() {
	[[ -e $DIR/mockgpu-kernel.ko ]] || skip "the kernel has no drm_gpusvm of its own"
	must modprobe drm_gpusvm_helper
	must insmod "$DIR/mockgpu-kernel.ko" "${DEVICES[@]}"
	must guest-fix-dri
	bench kernel "${OPTIONS[@]}"
}

# What has huge pages only: the rest is the same without.
test_large() {
	modinfo --field parm drm_gpusvm_backport | grep -q ^large_folios: ||
		skip "this kernel has no large folios of devices"
	must modprobe drm_gpusvm_backport large_folios=1
	load "${DEVICES[@]}"
	bench large --variant huge "${OPTIONS[@]}"
	unload
}

test_hmm() {
	[[ -e $DIR/hmm/test_hmm.ko ]] || skip "the kernel has no memory for the HMM test module"
	must insmod "$DIR/hmm/test_hmm.ko"
	bench hmm --hmm "${OPTIONS[@]}"
	must rmmod test_hmm
}

quiet() {
	local file
	for file in /sys/kernel/mm/transparent_hugepage/khugepaged/defrag \
		/sys/kernel/mm/ksm/run /proc/sys/vm/compaction_proactiveness; do
		[[ ! -w $file ]] || echo 0 >"$file"
	done
	echo 4000000 >/proc/sys/vm/max_map_count
}

OPTIONS=("$@")
DEVICES=(devices=1)
[[ -z ${VRAM_SIZE:-} ]] || DEVICES+=("vram_size=$VRAM_SIZE")
: >"$DIR/bench.tsv"
quiet
run_tests ours large hmm kernel
