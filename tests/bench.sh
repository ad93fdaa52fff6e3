#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# bench.sh KERNEL OUT [OPTION]...: measures in a virtual machine whose time counts
# instructions, leaves the results in the directory OUT and prints the table. Options
# are those of gpusvm-bench. The lines are those of guest/lib.sh. BENCH_MEMORY is the
# memory of the machine (4G) and BENCH_VRAM that of the device, if not the usual.

PROJECT=$(dirname "$(dirname "$(readlink -f "$0")")")
VM=${VM:-$PROJECT/scripts/vm}
CHROOT=${CHROOT:-$PROJECT/scripts/chroot}
SOURCE=${SOURCE:-$PROJECT/scripts/kernel-source}
# What measuring takes on a machine that is not much used otherwise, ten times.
SECONDS_AT_MOST=7200

kernel=$1 out=$2
shift 2

# The same driver, for the kernel's own module, if it has one.
build_rival() {
	# shellcheck disable=SC2016 # the chroot expands it
	"$CHROOT" --kernel "$kernel" --source --share "$out" -- sh -ec '
		release=$(basename /lib/modules/*)
		ls /lib/modules/$release/kernel/drivers/gpu/drm/drm_gpusvm_helper.ko* >/dev/null 2>&1 || exit 0
		cd /usr/src/*-backport-*/
		make -s features KDIR=/lib/modules/$release/build
		make -s -C /lib/modules/$release/build M="$PWD/mockgpu" MOCKGPU_KERNEL_SVM=y modules
		strip --strip-debug -o /mnt/share/mockgpu-kernel.ko mockgpu/mockgpu.ko
	'
}

# The kernel's HMM test module, if the kernel has memory that the CPU cannot touch:
# Debian does not build it, but has the source.
build_hmm() {
	rm -rf "$out/hmm"
	mkdir "$out/hmm"
	"$SOURCE" --kernel "$kernel" "$out/hmm" lib/test_hmm.c lib/test_hmm_uapi.h || return
	echo 'obj-m := test_hmm.o' >"$out/hmm/Kbuild"
	# shellcheck disable=SC2016 # the chroot expands it
	"$CHROOT" --kernel "$kernel" --share "$out/hmm" -- sh -ec '
		build=/lib/modules/$(basename /lib/modules/*)/build
		grep -q "^CONFIG_DEVICE_PRIVATE=y" $build/.config || exit 0
		make -s -C $build M=/mnt/share modules
		strip --strip-debug /mnt/share/test_hmm.ko
	'
}

# or_fail WHAT COMMAND...
or_fail() {
	"${@:2}" >"$out/build-$1.log" 2>&1 && return
	sed 's/^/# /' "$out/build-$1.log"
	echo "not ok $1: it cannot be built"
}

rm -f "$out/mockgpu-kernel.ko"
or_fail rival build_rival
or_fail hmm build_hmm
"$VM" --kernel "$kernel" --memory "${BENCH_MEMORY:-4G}" --icount --timeout "$SECONDS_AT_MOST" \
	--share "$out" -- env VRAM_SIZE="${BENCH_VRAM:-}" \
	/opt/mockgpu-tests/bench.sh /mnt/share "$@" || exit
"$PROJECT/tests/bench/table" "$out/bench.tsv"
"$PROJECT/tests/bench/targets" "$out/bench.tsv" | awk -F '\t' '
	{ printf "target: %s: %s (%s): %s\n", $1, $2, $3, $4 == "yes" ? "reached" : $4 == "no" ? "not reached" : $2 == "-" ? "not measured" : "for comparison" }'
