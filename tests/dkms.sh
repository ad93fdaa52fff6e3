#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# dkms.sh RELEASE: what dkms does with the package in /usr/src, for that kernel;
# see tests/guest/lib.sh for the form of the results. It changes the system it
# runs on: it is for a throw-away root.

# shellcheck source=tests/guest/lib.sh
. "$(dirname "$(readlink -f "$0")")/guest/lib.sh"

RELEASE=$1
CONF=$(echo /usr/src/drm-gpusvm-backport-*/dkms.conf)
PACKAGE=$(sed -n 's/^PACKAGE_NAME="\(.*\)"/\1/p' "$CONF")
VERSION=$(sed -n 's/^PACKAGE_VERSION="\(.*\)"/\1/p' "$CONF")
PATIENCE=300

run_dkms() {
	dkms "$1" -m "$PACKAGE" -v "$VERSION" "${@:2}"
}

# In a test: whatever happens, the next one starts without the package.
remove_at_end() {
	trap 'run_dkms remove --all >/dev/null 2>&1' EXIT
}

must_dkms() {
	local output status=0
	output=$(run_dkms "$@" 2>&1) || status=$?
	((status == 0)) || fail "dkms $1 ends with $status: $(tail -n 3 <<<"$output" | tr '\n' ' ')"
}

# All that could be left behind; dkms makes keys to sign with, once.
snapshot() {
	find /lib/modules/ /usr/src /var/lib/dkms /etc /boot ! -name 'mok.*' ! -name 'modules.*' \
		\( -type f -printf '%p %m %s\n' -o -printf '%p %y %l\n' \) | sort
}

# depmod writes its files anew; what matters is what they name.
known_modules() {
	cut -d : -f 1 "/lib/modules/$RELEASE/modules.dep" | sort
}

state() {
	dkms status "$PACKAGE/$VERSION" -k "$RELEASE" 2>/dev/null | sed 's/.*: *\([a-z]*\).*/\1/'
}

module_file() {
	find "/lib/modules/$RELEASE/updates" -name "$1.ko*" 2>/dev/null
}

check_installed() {
	[[ $(state) = installed ]] || fail "dkms status says '$(state)', not installed"
	for module in drm_gpusvm_backport mockgpu; do
		[[ -n $(module_file "$module") ]] || fail "$module is not in /lib/modules"
		grep -q "/$module.ko" "/lib/modules/$RELEASE/modules.dep" || fail "depmod does not know $module"
		for field in version license description vermagic; do
			[[ -n $(modinfo -k "$RELEASE" -F "$field" "$module") ]] || fail "modinfo $module has no $field"
		done
	done
}

# Each step alone, and what is there after it; at the end it is as before.
test_steps() {
	local before after start=$SECONDS
	before=$(snapshot; known_modules)
	remove_at_end
	must_dkms add
	[[ $(dkms status "$PACKAGE/$VERSION") = *added* ]] || fail "dkms status does not say added"
	must_dkms build -k "$RELEASE"
	echo "# built in $((SECONDS - start)) s"
	[[ $(state) = built ]] || fail "dkms status says '$(state)', not built"
	must_dkms install -k "$RELEASE"
	check_installed
	must_dkms uninstall -k "$RELEASE"
	[[ $(state) = built ]] || fail "dkms status says '$(state)' after uninstall, not built"
	[[ -z $(module_file mockgpu) ]] || fail "mockgpu is still in /lib/modules after uninstall"
	# As when a kernel is installed.
	must dkms autoinstall -k "$RELEASE"
	check_installed
	must_dkms remove --all
	after=$(snapshot; known_modules)
	[[ $before = "$after" ]] || fail "left behind: $(diff <(echo "$before") <(echo "$after") | grep '^[<>]' | head -n 5 | tr '\n' ' ')"
}

# Before 3.1 dkms autoinstall takes what it leaves alone for a failure.
SKIPPED=0
[[ $(dkms --version) != *-3.0.* ]] || SKIPPED=11

# A kernel without something that is needed is left alone, and one is told why.
test_excluded() {
	local option config output status
	config=$(readlink -f "/lib/modules/$RELEASE/build")/.config
	remove_at_end
	must_dkms add
	for option in CONFIG_ZONE_DEVICE CONFIG_DEVICE_MIGRATION CONFIG_MMU_NOTIFIER; do
		sed -i.saved "s/^$option=.*/# $option is not set/" "$config"
		status=0
		output=$(run_dkms build -k "$RELEASE" 2>&1) || status=$?
		((status == 77)) || { mv "$config.saved" "$config"; fail "without $option dkms build ends with $status, not 77"; }
		status=0
		dkms autoinstall -k "$RELEASE" >/dev/null 2>&1 || status=$?
		mv "$config.saved" "$config"
		((status == SKIPPED)) || fail "without $option dkms autoinstall ends with $status, not $SKIPPED"
		[[ $output = *"$option"* ]] || fail "dkms does not name $option: $(tail -n 3 <<<"$output" | tr '\n' ' ')"
	done
	must_dkms remove --all
}

# Without headers there is nothing to build with: dkms says so.
test_no_headers() {
	local output build=/lib/modules/$RELEASE/build
	remove_at_end
	must_dkms add
	mv "$build" "$build.away"
	output=$(run_dkms build -k "$RELEASE" 2>&1) && fail "dkms build works without headers"
	mv "$build.away" "$build"
	[[ $output = *headers* ]] || fail "dkms does not speak of headers: ${output//$'\n'/ }"
	must_dkms remove --all
}

run_tests steps excluded no-headers
