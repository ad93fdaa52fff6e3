#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# A root file system with what looks at sources but does not run them: another
# compiler, a compiler for another processor, checkers.  It has no kernel: the headers
# of each are shown in it.  Sourced after lib-root.sh.

# The release whose tools are used, and the kernel whose checkers are.
TOOLS_DEBIAN=trixie
TOOLS_KERNEL=debug-next

TOOLS_PACKAGES=(
	clang lld llvm sparse coccinelle shellcheck gcc-aarch64-linux-gnu libc6-dev-arm64-cross
	perl python3 libpython3-dev gcc-12 git
)

# shellcheck disable=SC2153 # set by kernel_load
tools_key() {
	{
		base_key
		declare -f tools_build tools_scripts
		printf '%s\n' "${TOOLS_PACKAGES[*]} $PACKAGES"
	} | hash_of
}

# tools_scripts ROOT: of the kernel's sources, the scripts that check others.
tools_scripts() {
	local package
	# shellcheck disable=SC2086 # a list
	ARCHIVE=$CACHE/archives/tools logged "sources of $KERNEL" fetch_packages $PACKAGES
	for package in "$CACHE"/archives/tools/linux-source-*.deb; do
		dpkg-deb --fsys-tarfile "$package" | tar --extract --to-stdout --wildcards '*.tar.xz' |
			xz --decompress --threads 0 | tar --extract --directory "$1/opt" --wildcards \
			'linux-source-*/scripts/checkpatch.pl' 'linux-source-*/scripts/spelling.txt' \
			'linux-source-*/scripts/const_structs.checkpatch' 'linux-source-*/scripts/coccinelle/*'
	done
	mv -T "$1"/opt/linux-source-* "$1/opt/kernel"
	rm "$CACHE"/archives/tools/linux-source-*.deb
}

# Runs with what kernel_load sets for TOOLS_KERNEL.
tools_build() {
	local packages=() files=()
	base_find
	require_space 8192
	need xz:xz-utils
	note "making the root file system of the tools that check sources (once)"
	cp -a --reflink=auto "$REPLY" "$1"
	readarray -t packages < <(missing_packages "$1" "${TOOLS_PACKAGES[@]}")
	ARCHIVE=$CACHE/archives/tools logged "packages of tools" fetch_packages "${packages[@]}"
	readarray -t files < <(package_files "$CACHE/archives/tools" "${packages[@]}")
	logged "root of tools" in_root --write --bind "$CACHE/archives/tools:/mnt" "$1" \
		apt-get -q --yes --no-install-recommends install "${files[@]/#//mnt/}"
	tools_scripts "$1"
}

# tools_find: sets TOOLS, the path of the root.
tools_find() {
	kernel_find "$TOOLS_KERNEL"
	[[ $DEBIAN = "$TOOLS_DEBIAN" ]] || die "the tools are not of $DEBIAN"
	cached tools "$TOOLS_DEBIAN" "$(tools_key)" tools_build
	# shellcheck disable=SC2034 # for those who source this file
	TOOLS=$REPLY
}

# show_headers ROOT...: sets HEADERS, the options for in_root that show what there is
# in these roots to build modules with, in its place.
show_headers() {
	local root path
	HEADERS=()
	for root; do
		for path in "$root"/usr/src/linux-* "$root"/usr/lib/linux-kbuild-*; do
			[[ ! -d $path ]] || HEADERS+=(--bind "$path:${path#"$root"}")
		done
	done
}

# arm_apt TOOL ARGUMENT...: apt for the packages of 64-bit ARM.
arm_apt() {
	local dir=$CACHE/apt/$DEBIAN-arm64
	apt_for "$DEBIAN" "$1" -o Dir::State="$dir/state" -o Dir::Cache="$dir/cache" \
		-o APT::Architecture=arm64 -o APT::Architectures=arm64 "${@:2}"
}

# arm_fetch OUT PACKAGE...: what these packages for that processor hold.
arm_fetch() {
	local dir=$CACHE/apt/$DEBIAN-arm64 file
	mkdir -p "$dir/state/lists/partial" "$dir/cache/archives/partial" "$SCRATCH/arm"
	logged "lists of arm64" arm_apt apt-get -qq -o APT::Update::Error-Mode=any update
	(cd "$SCRATCH/arm" && logged "packages of arm64" arm_apt apt-get -q download "${@:2}")
	mkdir "$1"
	for file in "$SCRATCH"/arm/*.deb; do
		dpkg-deb --extract "$file" "$1"
	done
}

# arm_key FUNCTION: of what depends on the kernel that kernel_load loaded.
# shellcheck disable=SC2153 # likewise
arm_key() {
	printf '%s\n' "$PACKAGES" "$(declare -f arm_fetch "$1")" | hash_of
}

# arm_build OUT: the headers of that kernel, as that processor has them.  What they share
# with others, and the programs to build with, are in the root of that kernel already.
arm_build() {
	arm_fetch "$1" "linux-headers-$ARM_RELEASE"
}

# arm_find: sets ARM, the path of the headers, and ARM_RELEASE.
arm_find() {
	ARM_RELEASE=${RELEASE%-*}-arm64
	cached arm64 "$KERNEL" "$(arm_key arm_build)" arm_build
	# shellcheck disable=SC2034 # likewise
	ARM=$REPLY
}

# arm_kernel_build OUT: the kernel itself, its modules, and programs for a machine with it.
arm_kernel_build() {
	local packages=() package
	require_space 1024
	for package in $PACKAGES; do
		package=${package%%=*}
		[[ $package = linux-headers-* ]] || packages+=("${package%-*}-arm64")
	done
	arm_fetch "$1" "${packages[@]}" busybox-static
}

# arm_kernel_find: sets ARM_KERNEL, the path of that, after arm_find.
arm_kernel_find() {
	cached arm64-kernel "$KERNEL" "$(arm_key arm_kernel_build)" arm_kernel_build
	# shellcheck disable=SC2034 # likewise
	ARM_KERNEL=$REPLY
}
