#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# Is there a test for every hazard, or a reason why not?  hazards.tsv has lines
#
#   HAZARD <tab> TEST... <tab> KERNELS <tab> NOTE
#
# What a HAZARD is says ../docs/hazards.md.
# TEST is SUITE/NAME as scripts/check prints it, without what a suite puts before
# the name (tier, processors, kind of swap), or "-", and then NOTE is the reason.
# KERNELS says where the test means something. A test must be one that its suite
# really runs: a line in the table of a program that the suite starts, or a function
# of the suite that it gives to run_tests.

# shellcheck source=tests/guest/lib.sh
. "$(dirname "$(readlink -f "$0")")/guest/lib.sh"

TABLE=$TESTS/../hazards.tsv
SUITES=$TESTS
PROGRAMS=$(readlink -f "$TESTS/..")

# What memory of a device is exposed to: moving it, its life, locks, differences
# of kernels, other users of the memory, the kernel's own module, stock kernels.
# What sharing memory where it is exposes a device to: ranges, mappings, access.
HAZARDS=(H{1..14} H15a H15b H{16..27} H28a H28b H29a H29b H{30..40} H40{a..g} H{41..47} H48a H48b
	H{49..52} H53{a,b,c} H{54..56} H57{a,b} H{58,59} H60a H60b H{61..68})

# rows: HAZARD, TESTS, KERNELS and NOTE of each line of the table.
rows() {
	grep -v '^#' "$TABLE"
}

test_table_form() {
	local line fields
	while IFS= read -r line; do
		fields=${line//[!$'\t']/}
		((${#fields} == 3)) || fail "there are not four fields in '$line'"
		[[ $line != *$'\t\t'* && $line != *$'\t' ]] || fail "an empty field in '$line'"
	done < <(rows)
}

test_every_hazard() {
	local hazard missing=()
	for hazard in "${HAZARDS[@]}"; do
		rows | cut -f 1 | grep -qx "$hazard" || missing+=("$hazard")
	done
	((${#missing[@]} == 0)) || fail "no line for ${missing[*]}"
}

# By its number, for all that begin with it.
test_described() {
	local hazard missing=()
	while read -r hazard; do
		grep -q "^| $hazard | " "$PROGRAMS/../docs/hazards.md" || missing+=("$hazard")
	done < <(printf '%s\n' "${HAZARDS[@]}" | grep -o '^H[0-9]*' | sort -u)
	((${#missing[@]} == 0)) || fail "docs/hazards.md does not say what ${missing[*]} is"
}

test_no_other_hazard() {
	local hazard
	while read -r hazard; do
		[[ " ${HAZARDS[*]} " = *" $hazard "* ]] || fail "there is no hazard $hazard"
	done < <(rows | cut -f 1)
}

test_kernels() {
	local hazard tests kernels
	while IFS=$'\t' read -r hazard tests kernels _; do
		case $tests:$kernels in
		-:-) ;;
		-:* | *:-) fail "$hazard: kernels '$kernels' for tests '$tests'" ;;
		*:all | *:private | *:coherent | *:debug) ;;
		*) fail "$hazard: unknown kernels '$kernels'" ;;
		esac
	done < <(rows)
}

# A hazard with a test needs no reason why there is none, and the other way round.
test_reasons() {
	local hazard tests note
	while IFS=$'\t' read -r hazard tests _ note; do
		[[ $tests != - || ${#note} -ge 15 ]] || fail "$hazard has neither a test nor a reason"
		[[ $tests = - || " $tests " != *' - '* ]] || fail "$hazard: '$tests' is a test and none"
	done < <(rows)
}

# program_file NAME: the source of a test program, if there is one.
program_file() {
	local file
	for file in "$PROGRAMS/$1.c" "$PROGRAMS/pagemap/$1.c" "$PROGRAMS/gpusvm/$1.c"; do
		[[ ! -e $file ]] || { echo "$file"; return; }
	done
}

# tests_of FILE: the names in its table of tests.
tests_of() {
	sed -nE '/^static const struct test tests\[\]/,/^};/s/^\t\{ "([a-z0-9-]+)", .*/\1/p' "$1"
}

# in_program NAME TEST: its table, or that of a NAME-*.c beside it, has a line for the test.
in_program() {
	local file
	file=$(program_file "$1")
	[[ -n $file ]] && cat "${file%.c}"{,-*}.c 2>/dev/null | tests_of - | grep -qx -- "$2"
}

# is_program NAME: it is one test by itself, and says how that ended.
is_program() {
	local file
	file=$(program_file "$1")
	[[ -n $file ]] && grep -q "printf(\"ok $1\\\\n\")" "$file"
}

# code_of FILE...: scripts without comments, and with each command in one line.
code_of() {
	sed -E 's/^[[:blank:]]*#.*//' "${@/#/$SUITES/}" | sed -E ':a; /\\$/ { N; s/\\\n[[:blank:]]*//; ta }'
}

# starts SUITE PROGRAM: by its name, as one of its list of programs, or each test of it.
starts() {
	code_of "suite-$1.sh" |
		grep -qE "\"\\\$TESTS/$2\"|^PROGRAMS=\((.* )?$2( .*)?\)|(^|[[:blank:]])run_each $2\$"
}

# runs SUITE TEST: a function of the suite, or of what all suites have.
runs() {
	code_of "suite-$1.sh" lib.sh | grep -q "^test_${2//-/_}() {\$" &&
		code_of "suite-$1.sh" | grep -qE "(^|[[:blank:]])run_tests (.* )?$2( |\$)"
}

# exists SUITE/NAME: a test of a program that the suite starts, or one of its own.
exists() {
	local suite=${1%%/*} name=${1#*/}
	[[ $1 = */* && -e $SUITES/suite-$suite.sh ]] || return 1
	case $name in
	*.*) starts "$suite" "${name%%.*}" && in_program "${name%%.*}" "${name#*.}" ;;
	*) runs "$suite" "$name" || { starts "$suite" "$name" && is_program "$name"; } ;;
	esac
}

test_tests_exist() {
	local hazard tests test
	while IFS=$'\t' read -r hazard tests _; do
		for test in $tests; do
			[[ $test = - ]] || exists "$test" || fail "$hazard: there is no test $test"
		done
	done < <(rows)
}

# A test that nobody needs for a hazard may have been forgotten here.
test_tests_named() {
	local file name test
	for file in "$PROGRAMS"/pagemap/*.c "$PROGRAMS"/gpusvm/*.c; do
		name=$(basename "$file" .c)
		while read -r test; do
			rows | cut -f 2 | tr ' ' '\n' | grep -qE "^[a-z]+/$name\.$test\$" ||
				fail "no hazard names $name.$test"
		done < <(tests_of "$file")
	done
}

run_tests table-form every-hazard described no-other-hazard kernels reasons tests-exist tests-named
