#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# Kernels that no package has: built here from Debian's sources with the
# configuration in debug.config, which kcsan.config changes to look for data races.
# What remains of a build is a tar of what packages of the kernel and its headers
# would install.  Sourced by lib-root.sh.

BUILD_CONFIG=$SCRIPTS/debug.config
KCSAN_CONFIG=$SCRIPTS/kcsan.config
BUILD_PACKAGES=(flex bison bc libelf-dev libssl-dev rsync cpio)

# Seen on two cores that were not much used otherwise, and what the build takes on the disk.
BUILD_MINUTES=10
BUILD_MIB=6144

# build_config NAME: what that kernel must have; of two lines about one option the
# second counts.
build_config() {
	local files=("$BUILD_CONFIG")
	[[ $1 != *-kcsan ]] || files+=("$KCSAN_CONFIG")
	awk -F = '/^CONFIG_/ { line[$1] = $0 } END { for (option in line) print line[option] }' \
		"${files[@]}" | sort
}

# build_variables NAME: for make.  The kernel itself is not asked about its data races:
# that would take most of the time, and the answers are not about the project.  Nor does
# KASAN look at lockdep, which is at work all the time and uses nobody's memory.
build_variables() {
	case $1 in
	*-kcsan) echo KCSAN_SANITIZE=n ;;
	*) echo KASAN_SANITIZE_lockdep.o=n ;;
	esac
}

# Not of all that the base is made of: a newer dkms needs no other kernel.
build_key() {
	{
		declare -f build_kernel
		# shellcheck disable=SC2153 # set by kernel_load
		printf '%s\n' "$RELEASE $PACKAGES ${BUILD_PACKAGES[*]}"
		index_lines "$DEBIAN" "$DEBIAN" "$DEBIAN-updates" "$DEBIAN-security" | grep -P '\tgcc\t' | sort
		build_config "$KERNEL"
		build_variables "$KERNEL"
		cat "$SCRIPTS/root/build-kernel"
	} | hash_of
}

# build_find: sets REPLY to the directory with the tar of the kernel that
# kernel_load loaded.
build_find() {
	cached built "$KERNEL" "$(build_key)" build_kernel
}

# build_kernel OUT: sources and objects lie in the cache, not in memory, and go
# when this is over.
build_kernel() {
	local work=$SCRATCH/work log=$CACHE/log/kernel-of-$KERNEL base packages
	base_find
	base=$REPLY
	require_space "$BUILD_MIB"
	note "$KERNEL: building Linux $RELEASE (once, about $BUILD_MINUTES minutes on two cores), log: $log"
	mkdir -p "$work" "$CACHE/log"
	build_config "$KERNEL" >"$work/config"
	packages=$(missing_packages "$base" "${BUILD_PACKAGES[@]}")
	# shellcheck disable=SC2086 # lists
	ARCHIVE=$work/archive logged "sources of $KERNEL" fetch_packages $packages $PACKAGES
	# shellcheck disable=SC2046 # one word or none
	in_root --bind "$work:/mnt" --bind "$SCRIPTS/root:/media" "$base" \
		nice -n 19 /media/build-kernel "$RELEASE" /mnt $(build_variables "$KERNEL") >"$log" 2>&1 ||
		build_failure "$log" "building Linux $RELEASE"
	mkdir "$1"
	mv "$work/kernel.tar.zst" "$1/"
}
