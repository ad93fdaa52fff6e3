#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# What can be said of the sources without running them; see guest/lib.sh for the
# form of the results.

# shellcheck source=tests/guest/lib.sh
. "$(dirname "$(readlink -f "$0")")/guest/lib.sh"

cd "$TESTS/../.." || exit 1

# All files of the project, also in a copy without git.
files() {
	git -c safe.directory='*' ls-files --cached --others --exclude-standard 2>/dev/null ||
		find . -type f ! -path './.git/*' -printf '%P\n'
}

# The texts among them; what is generated or only data is nobody's to format.
texts() {
	local file
	while read -r file; do
		[[ -f $file && ! -L $file ]] && grep -qI . "$file" && echo "$file"
	done
}

shell_scripts() {
	local file
	while read -r file; do
		case $file in
		*.sh) echo "$file" ;;
		*) head -n 1 "$file" | grep -qE '^#!.*[/ ](ba|da)?sh( |$)' && echo "$file" ;;
		esac
	done
}

sources() {
	grep -E '\.([chS]|sh|py|conf)$|(^|/)(Makefile|Kbuild)$|^scripts/|^\.ci/' | grep -v '^LICENSES/'
}

# no_lines PATTERN WHAT FILE...: fails with the first line that matches.
no_lines() {
	local found
	found=$(grep -nHE -m 1 "$1" "${@:3}" | head -n 1)
	[[ -z $found ]] || fail "$2: $found"
}

test_shellcheck() {
	local found
	found=$(shellcheck --external-sources --source-path=. --format=gcc "${SHELL_SCRIPTS[@]}") && return
	printf '%s\n' "$found" | sed 's/^/# /'
	fail "$(head -n 1 <<<"$found")"
}

test_shell_syntax() {
	local script
	for script in "${SHELL_SCRIPTS[@]}"; do
		must bash -n "$script"
	done
}

test_licence() {
	local file
	for file in "${SOURCES[@]}"; do
		head -n 5 "$file" | grep -q 'SPDX-License-Identifier: ' || fail "$file has no SPDX line"
	done
}

test_whitespace() {
	local file
	no_lines '[[:blank:]]$' 'blank at the end of a line' "${TEXTS[@]}"
	no_lines $'\r' 'carriage return' "${TEXTS[@]}"
	for file in "${TEXTS[@]}"; do
		[[ ! -s $file || -z $(tail -c 1 "$file") ]] || fail "$file does not end with a newline"
	done
}

# Differences of kernels are found by probes, and hidden in one place.
test_kernel_versions() {
	local files
	mapfile -t files < <(printf '%s\n' "${SOURCES[@]}" | grep -E '\.[chS]$' | grep -v '^src/compat/')
	no_lines 'LINUX_VERSION_CODE|KERNEL_VERSION\(' 'kernel version outside of src/compat' "${files[@]}"
}

# A library of functions has the line for editors and shellcheck only.
test_executable() {
	local file
	for file in "${TEXTS[@]}"; do
		[[ $(head -c 2 "$file") != '#!' || -x $file || $file = */lib*.sh ]] || fail "$file is not executable"
	done
}

# Sets out: a directory that is gone when the test's own shell is.
scratch() {
	out=$(mktemp -d)
	trap 'rm -rf "$out"' EXIT
}

test_tests_compile() {
	scratch
	# On a machine that does other things, too, all of them take minutes.
	PATIENCE=$((10 * PATIENCE))
	must make -s -j"$(nproc)" -C tests O="$out"
	[[ -x $out/demo && -x $out/run.sh ]] || fail "there are no programs"
}

# sizes OPTION...: of all structures of the UAPI; fails if one has a hole or padding.
sizes() {
	local name
	{
		echo '#include <drm/drm.h>'
		echo '#pragma GCC diagnostic error "-Wpadded"'
		echo '#include <drm/mockgpu_drm.h>'
		while read -r name; do
			echo "char size_of_${name}[sizeof(struct $name)];"
		done < <(sed -n 's/^struct \(drm_mockgpu_[a-z_]*\) {.*/\1/p' include/uapi/drm/mockgpu_drm.h)
	} >"$out/sizes.c"
	must gcc "$@" -ffreestanding -Itests/lib -Iinclude/uapi -idirafter "/usr/include/$(gcc -print-multiarch)" \
		-c -o "$out/sizes.o" "$out/sizes.c"
	nm -S --defined-only "$out/sizes.o" | awk '{ print $NF, $2 }' | sed 's/ 0*/ /' | sort
}

# A process of 32 bits says the same to a kernel of 64.
test_uapi_layout() {
	scratch
	sizes -m64 >"$out/64" || exit
	sizes -m32 >"$out/32" || exit
	(($(wc -l <"$out/64") > 10)) || fail "there are hardly any structures"
	diff "$out/64" "$out/32" >"$out/diff" || fail "not the same size: $(sed -n 2p "$out/diff")"
}

mapfile -t TEXTS < <(files | texts)
mapfile -t SOURCES < <(printf '%s\n' "${TEXTS[@]}" | sources)
mapfile -t SHELL_SCRIPTS < <(printf '%s\n' "${TEXTS[@]}" | shell_scripts)

run_tests shellcheck shell-syntax licence whitespace kernel-versions executable uapi-layout \
	tests-compile
