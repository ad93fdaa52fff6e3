#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# Root file systems: a base for each Debian release, a root for each kernel
# (base + that kernel and its headers), and the files to boot it in a virtual
# machine.  Each is made once and found again by a key of what went into it:
# package versions and the text of the functions that made it.  Sourced after
# lib-kernel.sh.

# shellcheck source=scripts/lib-build.sh
. "$SCRIPTS/lib-build.sh"

# Compiler and dkms build the project, the rest is for tests in the guest.
# busybox makes the initramfs.
BASE_PACKAGES=(
	ca-certificates kmod procps util-linux zstd xz-utils strace busybox-static iproute2
	gcc libc6-dev make dkms dwarves intel-gpu-tools
)

# What a guest does not need: it builds nothing.
BOOT_EXCLUDE=(
	boot usr/src usr/include usr/lib/gcc usr/libexec/gcc usr/share/doc usr/share/man
	usr/share/info usr/share/locale var/cache/apt var/lib/apt var/cache/debconf
)

# Modules that the initramfs loads, and those that must be at hand in it.
BOOT_MODULES=(virtio_pci virtio_blk ext4 virtio_console)

# in_root OPTION... ROOT COMMAND...: see scripts/enter.
in_root() {
	mkdir -p "$CACHE/mnt"
	unshare --mount --pid --fork --kill-child -- "$SCRIPTS/enter" "$CACHE/mnt" "$@"
}

base_key() {
	{
		declare -f base_build initramfs_stand_in
		printf '%s\n' "${BASE_PACKAGES[*]}"
		# The versions that make a difference to what is built or tested.
		index_lines "$DEBIAN" "$DEBIAN" "$DEBIAN-updates" "$DEBIAN-security" |
			grep -P "\t(dkms|gcc|libc6-dev|pahole|intel-gpu-tools)\t" | sort
	} | hash_of
}

base_build() {
	local out=$1 include
	require_space 4096
	need mmdebstrap:mmdebstrap
	note "making the base system of Debian $DEBIAN (once)"
	include=$(IFS=,; echo "${BASE_PACKAGES[*]}")
	# shellcheck disable=SC2016 # the hooks expand their own arguments
	logged "base of $DEBIAN" mmdebstrap --quiet --mode=root --variant=minbase --architectures=amd64 \
		--include="$include" --aptopt='APT::Install-Recommends "false"' \
		--dpkgopt=force-unsafe-io --dpkgopt='path-exclude=/usr/share/man/*' \
		--dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='path-exclude=/usr/share/doc/*' \
		--customize-hook='chroot "$1" sh -c "
			groupadd --force --system render && groupadd --force --system video &&
			useradd --create-home --uid 1000 --groups render,video --shell /bin/bash user"' \
		--customize-hook='echo vm >"$1/etc/hostname"; echo "127.0.0.1 localhost vm" >"$1/etc/hosts"' \
		"$DEBIAN" "$out" "$CACHE/apt/$DEBIAN/sources.list"
	initramfs_stand_in "$out"
}

# Kernel packages want a tool that makes an initramfs at every change, with all
# of systemd behind it.  A root is never booted that way: an empty package says
# that there is one.
initramfs_stand_in() {
	local dir=$SCRATCH/stand-in
	mkdir -p "$dir/DEBIAN"
	printf '%s: %s\n' Package no-initramfs Version 1 Architecture all Maintainer root \
		Provides linux-initramfs-tool Description 'No initramfs is made here' >"$dir/DEBIAN/control"
	logged "base of $DEBIAN" dpkg-deb --build "$dir" "$1/tmp/stand-in.deb"
	logged "base of $DEBIAN" in_root --write "$1" dpkg --install /tmp/stand-in.deb
	rm "$1/tmp/stand-in.deb"
}

base_find() {
	cached base "$DEBIAN" "$(base_key)" base_build
}

root_key() {
	{
		base_key
		printf '%s\n' "$RELEASE $PACKAGES"
		declare -f root_build install_kernel install_built missing_packages fetch_packages
		! kernel_is_built "$KERNEL" || build_key
	} | hash_of
}

# missing_packages ROOT PACKAGE...: of these and all that they need, what the root
# does not have, as NAME=VERSION in an order to install them.
missing_packages() {
	apt_for "$DEBIAN" apt-get -qq --simulate -o Dir::State::status="$1/var/lib/dpkg/status" \
		-o Debug::NoLocking=1 install "${@:2}" |
		awk '/^Inst / { sub(/^\(/, "", $3); print $2 "=" $3 }'
}

# fetch_packages NAME=VERSION...: into the directory ARCHIVE, unless they are there.
# The archive outlives the roots, so a new root downloads nothing twice.
fetch_packages() {
	mkdir -p "$ARCHIVE"
	(cd "$ARCHIVE" && apt_for "$DEBIAN" apt-get -q download "$@" && touch ./*.deb)
}

# package_files DIR NAME=VERSION...: the names of these packages' files in DIR.
package_files() {
	local package path
	for package in "${@:2}"; do
		package=${package//:/%3a}
		for path in "$1/${package%%=*}_${package#*=}"_*.deb; do
			printf '%s\n' "${path##*/}"
		done
	done
}

root_build() {
	local out=$1
	base_find
	require_space 4096
	# shellcheck disable=SC2153 # set by kernel_load
	note "$KERNEL: making the root of Linux $RELEASE (once)"
	cp -a --reflink=auto "$REPLY" "$out"
	if kernel_is_built "$KERNEL"; then
		install_built "$out"
	else
		install_kernel "$out"
	fi
	logged "modules of $KERNEL" in_root --write "$out" depmod "$RELEASE"
}

# install_kernel ROOT: the packages of a kernel and its headers.
install_kernel() {
	local packages=() files=()
	# shellcheck disable=SC2086 # a list
	readarray -t packages < <(missing_packages "$1" $PACKAGES)
	((${#packages[@]})) || die "$KERNEL: the packages of Linux $RELEASE cannot be installed in Debian $DEBIAN"
	ARCHIVE=$CACHE/archives/$KERNEL
	logged "packages of $KERNEL" fetch_packages "${packages[@]}"
	readarray -t files < <(package_files "$ARCHIVE" "${packages[@]}")
	logged "root of $KERNEL" in_root --write --bind "$ARCHIVE:/mnt" "$1" \
		apt-get -q --yes --no-install-recommends install "${files[@]/#//mnt/}"
	find "$ARCHIVE" -name '*.deb' -mtime +60 -delete
}

# install_built ROOT: the same of a kernel that no package has.
install_built() {
	build_find
	logged "root of $KERNEL" in_root --write --bind "$REPLY:/mnt" "$1" \
		tar --extract --no-same-owner --directory / --file /mnt/kernel.tar.zst
}

# kernel_is_here: whether all that the mirror has of the kernel is in the cache.
kernel_is_here() {
	[[ -e $CACHE/root/$KERNEL/$(root_key) ]] ||
		{ kernel_is_built "$KERNEL" && [[ -e $CACHE/built/$KERNEL/$(build_key) ]]; }
}

# root_find NAME: sets ROOT, and what kernel_load sets.  A kernel that was looked
# up some time ago and is not here may be gone from the mirror: look again.
root_find() {
	kernel_find "$1"
	if ! kernel_is_here; then
		require_root
		kernel_resolve "$1" 60
		kernel_load "$1"
	fi
	cached root "$1" "$(root_key)" root_build
	ROOT=$REPLY
}

# kernel_file ROOT NAME: the kernel's vmlinuz or config.  From 7.x on they are not
# in /boot but with the modules, and their names tell whether they are signed.
kernel_file() {
	local path dir=$1/usr/lib/modules/$RELEASE
	for path in "$1/boot/$2-$RELEASE" "$dir/$2" "$dir/$2.unsigned"; do
		[[ ! -e $path ]] || { printf '%s\n' "$path"; return; }
	done
	die "$KERNEL: there is no $2 of Linux $RELEASE in $1"
}

boot_key() {
	{
		root_key
		declare -f boot_build image_pack initramfs_build initramfs_modules
		printf '%s\n' "${BOOT_EXCLUDE[*]} ${BOOT_MODULES[*]}"
		cat "$SCRIPTS/guest/initramfs-init"
	} | hash_of
}

# What a virtual machine boots from: kernel, initramfs and disk.
boot_build() {
	local out=$1 kernel
	require_space 4096
	need mke2fs:e2fsprogs xz:xz-utils zstd:zstd
	note "$KERNEL: making the disk image of Linux $RELEASE (once)"
	mkdir "$out"
	kernel=$(kernel_file "$ROOT" vmlinuz)
	cp "$kernel" "$out/vmlinuz"
	initramfs_build "$out/initramfs"
	export -f image_pack
	logged "disk image of $KERNEL" unshare --mount bash -ec "image_pack \"\$@\"" bash \
		"$ROOT" "$out/root.ext4" "${BOOT_EXCLUDE[@]}"
}

# image_pack ROOT IMAGE EXCLUDE...: in a mount namespace of its own, where an
# empty directory covers each one that is left out.  The image has 1 GiB to spare
# and no journal: a guest's changes to it are thrown away anyway.
image_pack() {
	local root=$1 image=$2 dir size
	for dir in "${@:3}"; do
		[[ ! -d $root/$dir ]] || mount -t tmpfs -o mode=755 tmpfs "$root/$dir"
	done
	size=$(du --summarize --block-size=1M "$root" | cut -f 1)
	mke2fs -q -t ext4 -O ^has_journal -m 0 -L root -d "$root" "$image" "$((size * 11 / 10 + 1024))M"
}

# The modules that the root disk needs, in the order to load them.
initramfs_modules() {
	local module
	for module in "${BOOT_MODULES[@]}"; do
		chroot "$ROOT" modprobe --set-version "$RELEASE" --show-depends "$module"
	done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }'
}

# Not compressed: without hardware help that takes longer than reading it.
initramfs_build() {
	local dir module count=100
	dir=$(mktemp -d "$SCRATCH/initramfs.XXXX")
	mkdir -p "$dir"/{bin,dev,proc,sys,root,modules}
	cp "$ROOT/bin/busybox" "$dir/bin/busybox"
	cp "$SCRIPTS/guest/initramfs-init" "$dir/init"
	initramfs_modules >"$dir/list"
	while read -r module; do
		count=$((count + 1))
		unpack_module "$ROOT$module" >"$dir/modules/$count.ko"
	done <"$dir/list"
	(cd "$dir" && find . | pack_cpio) >"$1"
}

pack_cpio() {
	"$ROOT/bin/busybox" cpio --create --format newc --owner 0:0 2>/dev/null
}

unpack_module() {
	case $1 in
	*.xz) xz --decompress --stdout "$1" ;;
	*.zst) zstd --quiet --decompress --stdout "$1" ;;
	*) cat "$1" ;;
	esac
}

# boot_find NAME: sets BOOT, and what root_find sets.
boot_find() {
	root_find "$1"
	cached boot "$1" "$(boot_key)" boot_build
	# shellcheck disable=SC2034 # for those who source this file
	BOOT=$REPLY
}

# The configuration of the kernel that kernel_load loaded: that of a stock one is known
# when it is fetched.
kernel_config() {
	local root
	root=$CACHE/root/$KERNEL/$(root_key)
	if [[ -e $root ]]; then
		kernel_file "$root" config
	elif kernel_is_built "$KERNEL"; then
		printf '%s\n' "$BUILD_CONFIG"
	fi
}

# kernel_tier: the kind of device memory that it allows, as mockgpu names it.
kernel_tier() {
	local config
	config=$(kernel_config)
	if [[ -z $config ]]; then
		echo -
	elif grep -q '^CONFIG_DEVICE_PRIVATE=y' "$config"; then
		echo private
	else
		echo coherent
	fi
}
