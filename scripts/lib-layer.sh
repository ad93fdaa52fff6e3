#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# The project's layers: what is laid over a kernel's root, as a tar each.  One is
# what that Debian release's dkms makes of the sources for that kernel, with or
# without the examples and the driver that some tests need, the other the tests'
# programs, built with the release's compiler.  Sourced after lib-root.sh.

MODULES_FILES=(dkms.conf Kbuild Makefile include src mockgpu)
TESTS_FILES=(include tests examples)
EXAMPLES_FILES=(examples)
TEST_DRIVER_FILES=(include src mockgpu tests/kmod tests/kunit)

# What a build in the checkout may have left there.
BUILD_PRODUCTS=(
	'*.o' '*.ko' '*.mod' '*.mod.c' '.*.cmd' '*.o.d' Module.symvers modules.order features.h tests/build
)

# project_load: sets PACKAGE and VERSION from dkms.conf.
project_load() {
	local conf=$PROJECT_DIR/dkms.conf
	[[ -e $conf ]] || die "there is no $conf"
	PACKAGE=$(dkms_value "$conf" PACKAGE_NAME)
	VERSION=$(dkms_value "$conf" PACKAGE_VERSION)
	[[ -n $PACKAGE && -n $VERSION ]] || die "$conf names no PACKAGE_NAME or no PACKAGE_VERSION"
}

dkms_value() {
	sed -n "/^$2=/{s/^[^=]*=[\"']\\?\\([^\"' ]*\\).*/\\1/p;q}" "$1"
}

# project_stage DIR FILE...: a copy of these sources, owned by root as installed
# ones are.  A checkout that is edited meanwhile still gives one consistent answer.
project_stage() {
	local name present=()
	for name in "${@:2}"; do
		[[ ! -e $PROJECT_DIR/$name ]] || present+=("$name")
	done
	mkdir -p "$1"
	tar --create --directory "$PROJECT_DIR" "${BUILD_PRODUCTS[@]/#/--exclude=}" "${present[@]}" |
		tar --extract --directory "$1" --no-same-owner
}

# modules_find: sets LAYERS to the tar for the kernel that root_find found. With DELAYS
# they are built to look for races (src/delay.h).
modules_find() {
	project_load
	scratch_dir
	project_stage "$SCRATCH/source" "${MODULES_FILES[@]}"
	[[ -z ${DELAYS:-} ]] || echo 'ccflags-y += -DGSB_DELAYS' >>"$SCRATCH/source/src/Kbuild"
	cached modules "$KERNEL" "$(modules_key "$SCRATCH/source")" modules_build "$SCRATCH/source"
	rm -rf "$SCRATCH"
	LAYERS=("$REPLY/layer.tar")
}

modules_key() {
	{
		hash_tree "$1"
		root_key
		cat "$SCRIPTS/root/build-modules"
	} | hash_of
}

# modules_build SOURCE OUT: the logs stay beside the tar.
modules_build() {
	require_space 512
	note "$KERNEL: building $PACKAGE $VERSION for Linux $RELEASE with dkms"
	mkdir "$2"
	in_root --source "$1:/usr/src/$PACKAGE-$VERSION" --bind "$2:/mnt" --bind "$SCRIPTS/root:/media" "$ROOT" \
		/media/build-modules "$PACKAGE" "$VERSION" "$RELEASE" /mnt >"$2/log" 2>&1 ||
		layer_failure "$2" "$KERNEL" "building $PACKAGE $VERSION for Linux $RELEASE"
}

# examples_find: puts the examples into the layer of modules_find.
examples_find() {
	local modules=${LAYERS[0]}
	scratch_dir
	project_stage "$SCRATCH/source" "${EXAMPLES_FILES[@]}"
	cached examples "$KERNEL" "$(examples_key "$SCRATCH/source" "$modules")" \
		examples_build "$SCRATCH/source/examples" "$modules"
	rm -rf "$SCRATCH"
	LAYERS[0]=$REPLY/layer.tar
}

# The path of what they are built upon has a key of its own.
examples_key() {
	{
		hash_tree "$1"
		printf '%s\n' "$2"
		cat "$SCRIPTS/root/build-examples"
	} | hash_of
}

# examples_build SOURCE MODULES OUT
examples_build() {
	require_space 512
	note "$KERNEL: building the examples for Linux $RELEASE with dkms"
	mkdir "$3"
	in_root --source "$1:/opt/examples" --bind "$(dirname "$2"):/srv" --bind "$3:/mnt" \
		--bind "$SCRIPTS/root:/media" "$ROOT" \
		/media/build-examples "/srv/$(basename "$2")" "$RELEASE" /opt/examples /mnt >"$3/log" 2>&1 ||
		layer_failure "$3" "examples-$KERNEL" "building the examples for Linux $RELEASE"
}

# test_driver_find: puts the tests' driver into the layer of modules_find or
# examples_find.
test_driver_find() {
	local modules=${LAYERS[0]}
	scratch_dir
	project_stage "$SCRATCH/source" "${TEST_DRIVER_FILES[@]}"
	cached test-driver "$KERNEL" "$(test_driver_key "$SCRATCH/source" "$modules")" \
		test_driver_build "$SCRATCH/source" "$modules"
	rm -rf "$SCRATCH"
	LAYERS[0]=$REPLY/layer.tar
}

test_driver_key() {
	{
		hash_tree "$1"
		printf '%s\n' "$2"
		cat "$SCRIPTS/root/build-test-driver"
	} | hash_of
}

# test_driver_build SOURCE MODULES OUT
test_driver_build() {
	require_space 512
	note "$KERNEL: building the tests' driver for Linux $RELEASE"
	mkdir "$3"
	in_root --bind "$1:/usr/src/project" --bind "$(dirname "$2"):/srv" --bind "$3:/mnt" \
		--bind "$SCRIPTS/root:/media" "$ROOT" \
		/media/build-test-driver "/srv/$(basename "$2")" "$RELEASE" /usr/src/project /mnt \
		>"$3/log" 2>&1 ||
		layer_failure "$3" "test-driver-$KERNEL" "building the tests' driver for Linux $RELEASE"
}

# tests_find: adds the tests' programs to LAYERS, if there are any.  They are the
# same for all kernels of a Debian release.
tests_find() {
	[[ -e $PROJECT_DIR/tests/Makefile ]] || return 0
	base_find
	BASE=$REPLY
	scratch_dir
	project_stage "$SCRATCH/source" "${TESTS_FILES[@]}"
	cached tests "$DEBIAN" "$(tests_key "$SCRATCH/source")" tests_build "$SCRATCH/source"
	rm -rf "$SCRATCH"
	LAYERS+=("$REPLY/layer.tar")
}

tests_key() {
	{
		hash_tree "$1"
		base_key
		cat "$SCRIPTS/root/build-tests"
	} | hash_of
}

# tests_build SOURCE OUT
tests_build() {
	require_space 512
	note "building the tests' programs on Debian $DEBIAN"
	mkdir "$2"
	in_root --source "$1:/usr/src/project" --bind "$2:/mnt" --bind "$SCRIPTS/root:/media" "$BASE" \
		/media/build-tests /usr/src/project /mnt >"$2/log" 2>&1 ||
		layer_failure "$2" "tests-$DEBIAN" "building the tests' programs on Debian $DEBIAN"
}

# igt_find: adds the newest IGT with its runner to LAYERS, for that Debian release.
igt_find() {
	base_find
	BASE=$REPLY
	cached igt "$DEBIAN" "$(igt_key)" igt_fetch
	LAYERS+=("$REPLY/layer.tar")
}

igt_key() {
	{
		base_key
		cat "$SCRIPTS/root/fetch-igt"
	} | hash_of
}

# igt_fetch OUT
igt_fetch() {
	require_space 512
	note "fetching the newest IGT for Debian $DEBIAN (once)"
	mkdir "$1"
	in_root --bind "$1:/mnt" --bind "$SCRIPTS/root:/media" "$BASE" \
		/media/fetch-igt "$MIRROR" /mnt >"$1/log" 2>&1 ||
		layer_failure "$1" "igt-$DEBIAN" "fetching IGT for Debian $DEBIAN"
}

# layer_failure DIR NAME WHAT: keeps the logs of a layer that came to nothing.
layer_failure() {
	local log=$CACHE/log/build-of-$2
	mkdir -p "$CACHE/log"
	cat "$1/log" "$1/make.log" >"$log" 2>/dev/null || true
	build_failure "$log" "$3"
}
