#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# bench.sh KERNEL OUT [OPTION]...: measures in a virtual machine whose time counts
# instructions, leaves the results in the directory OUT and prints the table. Options
# are those of gpusvm-bench. The lines are those of guest/lib.sh.

PROJECT=$(dirname "$(dirname "$(readlink -f "$0")")")
VM=${VM:-$PROJECT/scripts/vm}
CHROOT=${CHROOT:-$PROJECT/scripts/chroot}
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
	' >"$out/build.log" 2>&1
}

rm -f "$out/mockgpu-kernel.ko"
build_rival || { sed 's/^/# /' "$out/build.log"; echo "not ok rival: it cannot be built"; }
"$VM" --kernel "$kernel" --icount --timeout "$SECONDS_AT_MOST" --share "$out" -- \
	/opt/mockgpu-tests/bench.sh /mnt/share "$@" || exit
"$PROJECT/tests/bench/table" "$out/bench.tsv"
