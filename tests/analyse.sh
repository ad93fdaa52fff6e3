#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# analyse.sh sources|(kernel RELEASE ARM-RELEASE) [TEST...]: what compilers and checkers
# have to say of the sources in SOURCE (/usr/src/project). What analyse.allow explains
# does not count. ARM-RELEASE may be "-". Runs in the root that scripts/lib-tools.sh makes,
# with the headers of the kernel; see guest/lib.sh for the form of the results.

here=$(dirname "$(readlink -f "$0")")
# shellcheck source=tests/guest/lib.sh
. "$here/guest/lib.sh"

SOURCE=${SOURCE:-/usr/src/project}
PATIENCE=600
KERNEL_SCRIPTS=/opt/kernel/scripts
FOUND=$(mktemp)

# Findings that are none: lines "TEST PATTERN", with the reason before them.
allowed() {
	sed -n "s/^$1[[:blank:]]\\+//p" "$here/analyse.allow"
}

# judge TEST: of the findings on standard input, those that count.
judge() {
	local left
	left=$(grep -vE -f <(allowed "$1"; echo '^$') | sort -u)
	[[ -z $left ]] && return
	printf '%s\n' "$left" | head -n 50 | sed 's/^/# /'
	fail "$(grep -c . <<<"$left") findings, as: $(head -n 1 <<<"$left")"
}

# of_files_in DIRECTORY: the lines that are about files there: the kernel's headers are in
# include/ too.
of_files_in() {
	local line
	while IFS= read -r line; do
		[[ ! -e $1/${line%%:*} ]] || printf '%s\n' "$line"
	done
}

# build KDIR OPTION...: both modules, from a copy of their own, with all warnings. Prints
# what there is to say about our own files; about others only if it fails. What the kernel
# has is asked of the compiler it was made with, if there is a choice.
build() {
	local copy status=0
	copy=$(mktemp -d)
	cp -r "$SOURCE"/{Kbuild,Makefile,dkms.conf,include,src,mockgpu} "$copy/"
	must make -C "$copy" KDIR="$1" CC="${PROBE_CC:-$CC}" features "${PROBE_OPTIONS[@]}"
	make -C "$1" M="$copy" -j"$(nproc)" W=1 "${@:2}" modules >"$FOUND" 2>&1 || status=$?
	# Paths as in the checkout.
	sed -i -E "s#$copy/##g; s#^(\\./)+##" "$FOUND"
	grep -E '^(src|mockgpu|include)/[^ ]*: (fatal )?(warning|error): ' "$FOUND" | of_files_in "$copy"
	if ((status)); then
		grep -E 'error: |\*\*\*|undefined!' "$FOUND"
		echo "make ends with status $status"
	fi
	rm -rf "$copy"
}

test_gcc() {
	build "$KDIR" CC="$CC" | judge gcc
}

test_sparse() {
	build "$KDIR" CC="$CC" C=2 CHECK=sparse | judge sparse
}

# Debian's kernels are built with gcc, and their configuration has options of it that
# clang does not know; and what a kernel built with clang does not warn of, as structures
# of the kernel that end in an array, inside of others, is no news.
clang_wrapper() {
	cat >"$1" <<-'END'
		#!/bin/bash
		for argument; do
			shift
			case $argument in
			-fconserve-stack | -fmin-function-alignment=* | -mrecord-mcount) ;;
			-fno-allow-store-data-races | -fno-stack-clash-protection) ;;
			-fsanitize=bounds-strict | -mpreferred-stack-boundary=*) ;;
			-mindirect-branch* | -mfunction-return=*) ;;
			-fdiagnostics-show-context=* | -fplugin* | -ftrivial-auto-var-init-max-size=*) ;;
			*) set -- "$@" "$argument" ;;
			esac
		done
		exec clang -Qunused-arguments "$@" -Wno-unknown-warning-option -Wno-gnu -Wno-error
	END
	chmod +x "$1"
}

test_clang() {
	clang_wrapper /tmp/clang-for-kernel
	build "$KDIR" CC=/tmp/clang-for-kernel LD=ld.lld | judge clang
}

# Another processor: other widths, orders and page sizes.
test_arm64() {
	PROBE_CC=aarch64-linux-gnu-gcc
	PROBE_OPTIONS=(ARCH=arm64 CROSS_COMPILE=aarch64-linux-gnu-)
	build "$ARM_KDIR" "${PROBE_OPTIONS[@]}" CC="$PROBE_CC" | judge arm64
}

kernel_sources() {
	find src mockgpu include examples -name '*.[ch]' | sort
}

test_checkpatch() {
	[[ -x $KERNEL_SCRIPTS/checkpatch.pl ]] || fail "there is no $KERNEL_SCRIPTS/checkpatch.pl"
	cd "$SOURCE" || fail "there is no $SOURCE"
	kernel_sources | xargs "$KERNEL_SCRIPTS/checkpatch.pl" --no-tree --strict --terse --show-types \
		--no-summary -q -f | judge checkpatch
}

# run_cocci SCRIPT: one of the kernel's own, where it has something to report.
run_cocci() {
	local options
	grep -q '^virtual report' "$1" || return
	options=$(sed -n 's,^// Options: ,,p' "$1" | head -n 1)
	# shellcheck disable=SC2086 # a list
	timeout "$PATIENCE" spatch -D report --very-quiet --cocci-file "$1" $options --no-show-diff \
		-I include -I src -I mockgpu --dir "$DIR" >"$FOUND" 2>/dev/null ||
		echo "spatch ends with status $?" >>"$FOUND"
	sed "s#^#$(basename "$1" .cocci): #" "$FOUND"
}

test_coccinelle() {
	local script scripts
	mapfile -t scripts < <(find "$KERNEL_SCRIPTS/coccinelle" -name '*.cocci' | sort)
	((${#scripts[@]})) || fail "there are no scripts in $KERNEL_SCRIPTS/coccinelle"
	cd "$SOURCE" || fail "there is no $SOURCE"
	for DIR in src mockgpu examples; do
		for script in "${scripts[@]}"; do
			run_cocci "$script"
		done
	done | judge coccinelle
}

# Which gcc a kernel was built with, as far as this release has it.
compiler() {
	local name
	name=$(sed -n 's/^CC = .*\(gcc-[0-9]*\)$/\1/p' "$KDIR/.kernelvariables" 2>/dev/null)
	if command -v "${name:-gcc}" >/dev/null; then
		echo "${name:-gcc}"
	else
		echo gcc
	fi
}

case $1 in
sources)
	shift
	DEFAULT=(checkpatch coccinelle)
	;;
kernel)
	KDIR=/usr/src/linux-headers-$2
	ARM_KDIR=/usr/src/linux-headers-$3
	CC=$(compiler)
	DEFAULT=(gcc sparse clang)
	[[ $3 = - ]] || DEFAULT+=(arm64)
	shift 3
	;;
esac
if (($# == 0)); then
	set -- "${DEFAULT[@]}"
fi
run_tests "$@"
