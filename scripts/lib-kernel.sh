#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# Which kernels there are, and which of Debian's packages each one is today.
# Nothing here names a version: a kernel is a Debian release, a rule and the
# suites to look in.  Sourced after lib.sh.

MIRROR=${DEBIAN_MIRROR:-http://deb.debian.org/debian}
SECURITY_MIRROR=${DEBIAN_SECURITY_MIRROR:-http://deb.debian.org/debian-security}
KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg
KERNEL_FLAVOUR=amd64
RT_FLAVOUR=rt-amd64
BUILT_FLAVOUR=debug
KCSAN_FLAVOUR=kcsan

# What is known about a kernel is looked up again after this many days.
KERNEL_DAYS=7

KERNEL_NAMES=(debian-12 debian-13 debian-13-backports previous newest)
# Fetched, but not one of those that most users have.
OTHER_NAMES=(debian-13-rt)
# Built here, from Debian's sources (see lib-build.sh).
BUILT_NAMES=(debug debug-next debug-kcsan)

# kernel_rule NAME: "DEBIAN-RELEASE RULE SUITE..." of a kernel.
kernel_rule() {
	case $1 in
	debian-12) echo bookworm metapackage bookworm bookworm-security ;;
	debian-13 | debian-13-rt) echo trixie metapackage trixie trixie-security ;;
	debian-13-backports) echo trixie metapackage trixie-backports ;;
	previous) echo trixie previous trixie-backports ;;
	newest) echo trixie newest trixie-backports ;;
	debug | debug-kcsan) echo trixie source trixie trixie-security ;;
	debug-next) echo trixie source trixie-backports ;;
	*) usage_error "unknown kernel '$1' (known: ${KERNEL_NAMES[*]} ${OTHER_NAMES[*]} ${BUILT_NAMES[*]})" ;;
	esac
}

kernel_is_built() {
	[[ $(kernel_rule "$1") = *' source '* ]]
}

kernel_flavour() {
	case $1 in
	*-kcsan) echo "$KCSAN_FLAVOUR" ;;
	debug*) echo "$BUILT_FLAVOUR" ;;
	*-rt) echo "$RT_FLAVOUR" ;;
	*) echo "$KERNEL_FLAVOUR" ;;
	esac
}

# kernel_expand NAME: the kernels that NAME stands for, one a line; "all" are
# those that Debian's users have.
kernel_expand() {
	if [[ $1 = all ]]; then
		printf '%s\n' "${KERNEL_NAMES[@]}"
	else
		kernel_rule "$1" >/dev/null
		printf '%s\n' "$1"
	fi
}

suite_mirror() {
	case $1 in
	*-security) printf '%s\n' "$SECURITY_MIRROR" ;;
	*) printf '%s\n' "$MIRROR" ;;
	esac
}

# write_sources DEBIAN-RELEASE: apt's list of sources.
write_sources() {
	local suite suites=("$1" "$1-updates" "$1-security")
	# The kernels of older releases' backports are no longer looked after.
	[[ $1 = bookworm ]] || suites+=("$1-backports")
	for suite in "${suites[@]}"; do
		printf 'deb [signed-by=%s] %s %s main\n' "$KEYRING" "$(suite_mirror "$suite")" "$suite"
	done
}

# apt_for DEBIAN-RELEASE TOOL ARGUMENT...: apt with that release's sources and
# an index of its own; the host's apt state is neither read nor changed.
apt_for() {
	local dir=$CACHE/apt/$1
	"$2" -o Dir::State="$dir/state" -o Dir::State::status="$dir/status" \
		-o Dir::Cache="$dir/cache" -o Dir::Etc::sourcelist="$dir/sources.list" \
		-o Dir::Etc::sourceparts=/dev/null -o Dir::Etc::preferences=/dev/null \
		-o Dir::Etc::preferencesparts=/dev/null \
		-o APT::Architecture=amd64 -o APT::Architectures=amd64 -o APT::Default-Release= \
		-o APT::Sandbox::User=root -o APT::Install-Recommends=false \
		-o Acquire::Languages=none -o Acquire::Retries=2 "${@:3}"
}

# index_update DEBIAN-RELEASE MINUTES: a package table at most that old.
index_update() {
	[[ -n $(find "$CACHE/apt/$1/packages" -mmin "-$2" 2>/dev/null) ]] ||
		with_lock "apt-$1" index_fetch "$1"
}

index_fetch() {
	local dir=$CACHE/apt/$1
	command -v apt-get >/dev/null || die "apt-get is needed to read Debian's package lists"
	[[ -e $KEYRING ]] || install_packages debian-archive-keyring
	mkdir -p "$dir/state/lists/partial" "$dir/cache/archives/partial"
	: >"$dir/status"
	write_sources "$1" >"$dir/sources.list"
	note "reading Debian's package lists of $1"
	if apt_for "$1" apt-get -qq -o APT::Update::Error-Mode=any update >"$dir/log" 2>&1; then
		index_table "$1" >"$dir/packages.new"
		mv "$dir/packages.new" "$dir/packages"
	elif [[ -e $dir/packages ]]; then
		note "cannot reach $MIRROR, going on with the package lists of $(date -r "$dir/packages" +%F)"
	else
		explain_failure "$dir/log" "reading Debian's package lists of $1 from $MIRROR"
	fi
}

# One line for each package of interest: suite, package, version, dependencies.
index_table() {
	local suite file
	apt_for "$1" apt-get indextargets --format "\$(CODENAME) \$(FILENAME)" 'Created-By: Packages' |
		while read -r suite file; do
			/usr/lib/apt/apt-helper cat-file "$file" | awk -v suite="$suite" -v OFS='\t' '
				function flush() { if (keep) print suite, package, version, depends; keep = 0 }
				/^Package: / { flush(); package = $2; depends = ""; keep = package ~ /^(linux-|dkms$|gcc$|libc6-dev$|intel-gpu-tools$|pahole$)/ }
				keep && /^Version: / { version = $2 }
				keep && /^Depends: / { depends = substr($0, 10) }
				END { flush() }'
		done
}

# newest_version: of "VERSION REST" lines on standard input, the newest.
newest_version() {
	local version rest best='' best_rest=''
	while read -r version rest; do
		if [[ -z $best ]] || dpkg --compare-versions "$version" gt "$best"; then
			best=$version best_rest=$rest
		fi
	done
	printf '%s %s\n' "$best" "$best_rest"
}

# index_lines DEBIAN-RELEASE SUITE...: the table's lines of these suites.
index_lines() {
	awk -F '\t' -v suites=" ${*:2} " 'index(suites, " " $1 " ")' "$CACHE/apt/$1/packages"
}

# The rules.  Each prints "VERSION RELEASE SUITE" candidates of a table, for the flavour
# in FLAVOUR.
candidates_metapackage() {
	awk -F '\t' -v OFS=' ' -v flavour="$FLAVOUR" '
		$2 == "linux-image-" flavour && match($4, /linux-image-[0-9][^ ,]*/) {
			print $3, substr($4, RSTART + 12, RLENGTH - 12), $1
		}'
}

# Headers of the plain flavour (rt, cloud and others have their name between),
# for which there is a binary and modules, or an image that holds both.
candidates_newest() {
	awk -F '\t' -v OFS=' ' -v flavour="$FLAVOUR" '
		{ have[$2] = 1 }
		match($2, "^linux-headers-[0-9][^-]*(-[0-9]+)?-" flavour "$") { version[substr($2, 15)] = $3; suite[substr($2, 15)] = $1 }
		END {
			for (r in version) {
				split_in_two = have["linux-modules-" r] && (have["linux-binary-" r] || have["linux-binary-unsigned-" r])
				if (split_in_two || have["linux-image-" r] || have["linux-image-" r "-unsigned"])
					print version[r], r, suite[r]
			}
		}'
}

# Those of the series before the newest one. Where there is but one, that is all there is.
candidates_previous() {
	local all newest others
	all=$(candidates_newest)
	newest=$(newest_version <<<"$all")
	newest=${newest#* }
	others=$(awk -v series="${newest%%.*}.$(cut -d. -f2 <<<"$newest")." 'index($2, series) != 1' <<<"$all")
	[[ -n $others ]] || note "previous: there is one series of kernels only, so it is that of newest"
	printf '%s\n' "${others:-$all}"
}

# The sources of a version, as a package; what is built from them is named after
# the version without the package's own revision.
candidates_source() {
	awk -F '\t' -v OFS=' ' -v flavour="$FLAVOUR" '
		$2 ~ /^linux-source-[0-9.]+$/ {
			release = $3
			sub(/-[^-]*$/, "", release)
			print $3, release "-" flavour, $1, $2
		}'
}

# first_package PACKAGE...: the first that the table on stdin has, as
# NAME=VERSION of the newest version.
first_package() {
	local table package found
	table=$(cat)
	for package; do
		found=$(awk -F '\t' -v p="$package" '$2 == p { print $3, p }' <<<"$table" | newest_version)
		[[ $found = ' ' ]] || { printf '%s=%s\n' "$package" "${found% *}"; return 0; }
	done
	return 1
}

# kernel_packages NAME RELEASE: of the table on stdin, headers, image and modules.
kernel_packages() {
	local table headers image
	table=$(cat)
	headers=$(first_package "linux-headers-$2" <<<"$table") || die "$1: there are no headers of Linux $2"
	image=$(image_packages "$2" <<<"$table") || die "$1: there is no image of Linux $2"
	printf '%s\n' "$headers ${image//$'\n'/ }"
}

# image_packages RELEASE: of the table on stdin, what holds image and modules.
image_packages() {
	local table modules
	table=$(cat)
	if modules=$(first_package "linux-modules-$1" <<<"$table"); then
		first_package "linux-binary-$1" "linux-binary-unsigned-$1" <<<"$table" &&
			printf '%s\n' "$modules"
	else
		first_package "linux-image-$1" "linux-image-$1-unsigned" <<<"$table"
	fi
}

# kernel_resolve NAME MINUTES: looks up what NAME is in lists at most that old.
kernel_resolve() {
	local debian rule suites table version release suite source packages FLAVOUR
	FLAVOUR=$(kernel_flavour "$1")
	read -r debian rule suites < <(kernel_rule "$1")
	index_update "$debian" "$2"
	# shellcheck disable=SC2086 # a list
	table=$(index_lines "$debian" $suites)
	read -r version release suite source < <("candidates_$rule" <<<"$table" | newest_version)
	[[ -n ${release:-} ]] || die "$1: no kernel found in $suites of $MIRROR"
	if [[ -n $source ]]; then
		packages=$source=$version
	else
		packages=$(kernel_packages "$1" "$release" <<<"$table")
	fi
	mkdir -p "$CACHE/kernels"
	printf '%s\n' "$debian $suite $release $packages" >"$CACHE/kernels/$1.new.$$"
	mv "$CACHE/kernels/$1.new.$$" "$CACHE/kernels/$1"
}

# kernel_load NAME: sets KERNEL, DEBIAN, SUITE, RELEASE and PACKAGES (a list of
# NAME=VERSION) from what was looked up last.
kernel_load() {
	# shellcheck disable=SC2034 # for those who source this file
	KERNEL=$1
	# shellcheck disable=SC2034 # likewise
	read -r DEBIAN SUITE RELEASE PACKAGES <"$CACHE/kernels/$1"
}

# kernel_is_known NAME: whether what was looked up last still holds.  A kernel that
# takes long to build holds until somebody asks what it is today.
kernel_is_known() {
	local rule
	rule=$(kernel_rule "$1")
	[[ -e $CACHE/apt/${rule%% *}/packages ]] || return 1
	if kernel_is_built "$1"; then
		[[ -e $CACHE/kernels/$1 ]]
	else
		[[ -n $(find "$CACHE/kernels/$1" -mtime "-$KERNEL_DAYS" 2>/dev/null) ]]
	fi
}

# kernel_find NAME: kernel_load, after a look-up if the last one is too old.
kernel_find() {
	kernel_is_known "$1" || kernel_resolve "$1" 60
	kernel_load "$1"
}
