#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# Common to all scripts: errors, tools of the host, the cache and its locks.
# Sourced, never run.  A script that wants another exit status for its own
# failures than 1 sets DIE_STATUS.

set -euo pipefail
shopt -s inherit_errexit
umask 022

# root's tools are not always on the path, and messages must be comparable.
export PATH=$PATH:/usr/sbin:/sbin LC_ALL=C.UTF-8

SCRIPTS=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
PROJECT_DIR=$(readlink -f "${PROJECT_DIR:-$SCRIPTS/..}")
CACHE=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/drm-gpusvm
SELF=scripts/$(basename "$0")

# An artefact that nobody used for this long may go when a newer one is made.
KEEP_MINUTES=60

note() {
	printf '%s: %s\n' "$SELF" "$*" >&2
}

die() {
	note "$*"
	exit "${DIE_STATUS:-1}"
}

usage_error() {
	note "$*"
	exit 2
}

# option_value OPTION [VALUE...]: prints the value that must follow OPTION.
option_value() {
	(($# > 1)) || usage_error "$1 needs a value"
	printf '%s\n' "$2"
}

require_root() {
	[[ $(id -u) = 0 ]] || die "must run as root (it makes root file systems and mounts)"
}

require_amd64() {
	[[ $(uname -m) = x86_64 ]] || die "only x86-64 hosts are supported, this is $(uname -m)"
}

# need TOOL:PACKAGE...: installs the packages whose tool is missing.
need() {
	local pair missing=()
	for pair; do
		command -v "${pair%%:*}" >/dev/null || missing+=("${pair#*:}")
	done
	((${#missing[@]} == 0)) || with_lock host install_packages "${missing[@]}"
}

install_packages() {
	command -v apt-get >/dev/null || die "missing $*, and there is no apt-get to install it"
	require_root
	note "installing $*"
	export DEBIAN_FRONTEND=noninteractive
	logged "installation of $*" apt-get -qq update
	logged "installation of $*" apt-get -qq install --no-install-recommends "$@"
}

# with_lock NAME COMMAND...: runs COMMAND while no other script holds NAME.
with_lock() {
	mkdir -p "$CACHE/lock" 2>/dev/null || die "cannot write to $CACHE"
	(
		flock --nonblock 9 || { note "waiting for another run ($1)"; flock 9; }
		# A daemon that COMMAND leaves behind must not keep the lock.
		"${@:2}" 9>&-
	) 9>"$CACHE/lock/$1"
}

# logged WHAT COMMAND...: runs COMMAND with its output in a log, and says in one
# line what went wrong if it fails.
logged() {
	local log=$CACHE/log/${1// /-}
	mkdir -p "$CACHE/log"
	"${@:2}" >"$log" 2>&1 || explain_failure "$log" "$1"
}

explain_failure() {
	local log=$1 why
	if grep -q 'No space left on device' "$log"; then
		die "$2: no space left on the disk (see $log)"
	fi
	# The first complaint is the cause, the last line is often only its echo.
	why=$(grep -m1 -iE '^(E|error|dpkg|mke2fs|cp|tar|mount|unshare)(: | error)' "$log" || tail -n 1 "$log")
	die "$2 failed: ${why:-no output} (see $log)"
}

# build_failure LOG WHAT: shows the first real errors, which are rarely at the end of
# a parallel build's log.
build_failure() {
	grep -m 8 -E 'error: |undefined!|No rule to make|No space left' "$1" >&2 ||
		grep -m 8 -F '***' "$1" >&2 || tail -n 8 "$1" >&2
	die "$2 failed, see $1"
}

# require_space MIB: a build that runs out of space half-way explains little.
require_space() {
	local free
	free=$(df --output=avail -m "$CACHE" | tail -n 1)
	((free >= $1)) || die "$CACHE has $((free)) MiB free, $1 MiB are needed"
}

# cached KIND NAME KEY BUILD...: sets REPLY to the path of an artefact.  If it is not
# there, `BUILD... PATH` makes it; what a broken build leaves is never seen.
cached() {
	REPLY=$CACHE/$1/$2/$3
	[[ -e $REPLY ]] || with_lock "$1-$2" cached_build "$REPLY" "${@:4}" >&2
	touch --no-create "$REPLY"
}

cached_build() {
	local path=$1
	# Another run may have made it while this one waited for the lock.
	[[ ! -e $path ]] || return 0
	scratch_dir
	"${@:2}" "$SCRATCH/new"
	mkdir -p "$(dirname "$path")"
	mv -T "$SCRATCH/new" "$path"
	prune "$(dirname "$path")" 2
}

# Makes SCRATCH, a directory in the cache that goes when this (sub)shell ends.
scratch_dir() {
	mkdir -p "$CACHE/tmp" 2>/dev/null || die "cannot write to $CACHE"
	find "$CACHE/tmp" -mindepth 1 -maxdepth 1 -mmin +1440 -exec rm -rf --one-file-system {} + || true
	SCRATCH=$(mktemp -d "$CACHE/tmp/XXXXXXXX")
	chmod 755 "$SCRATCH"
	trap scratch_clean EXIT
}

# Of a build that was interrupted something may still be mounted.
scratch_clean() {
	awk -v dir="$SCRATCH/" 'index($2, dir) == 1 { print $2 }' /proc/mounts | sort -r |
		xargs -r umount --lazy || true
	rm -rf --one-file-system "$SCRATCH"
}

# prune DIR COUNT: keeps the COUNT artefacts used last, and all in recent use.
prune() {
	local name
	find "$1" -mindepth 1 -maxdepth 1 -printf '%T@ %f\n' | sort -rn | tail -n +$(($2 + 1)) |
		while read -r _ name; do
			find "$1/$name" -maxdepth 0 -mmin "+$KEEP_MINUTES" -exec rm -rf {} +
		done
}

# hash_of: a short key for what stands on standard input.
hash_of() {
	sha256sum | cut -c 1-16
}

# hash_tree DIR: names, modes and contents of all files in DIR.
hash_tree() {
	(cd "$1" && find . -printf '%p %m %l\n' | sort && find . -type f -print0 | sort -z | xargs -0r sha256sum) | hash_of
}
