#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# interface.sh RELEASE: do our headers declare what the kernel's own declare? For
# a kernel that has them; see tests/guest/lib.sh for the form of the results. It
# runs where that kernel's headers and our sources are, a throw-away root.
#
# What to look for is read from the kernel's headers. Each of them, and ours of
# the same name, is compiled with debug information; what that says of both is
# compared. Structures and enumerations may have more at their end, and there may
# be more functions. Then the comparison has to find differences that are made on
# purpose, in copies of our headers.

# shellcheck source=tests/guest/lib.sh
. "$(dirname "$(readlink -f "$0")")/guest/lib.sh"

RELEASE=$1
BUILD=$(readlink -f "/lib/modules/$RELEASE/build")
OURS=$(echo /usr/src/drm-gpusvm-backport-*/include)
CONTROLS=$TESTS/../interface/controls.tsv
USES=$TESTS/../interface
ASPECTS=(builds functions types macros includes prefix)
# Declared in the kernel, but nowhere defined: nobody can miss them.
PAPER_ONLY=(drm_gpusvm_free drm_pagemap_create)

WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT

# kernel_headers: the directory that the compiler finds the kernel's own in.
kernel_headers() {
	local dir
	for dir in "$BUILD/include/drm" /usr/src/linux-headers-*-common/include/drm; do
		[[ ! -e $dir/drm_gpusvm.h ]] || { echo "$dir"; return; }
	done
}

# types_of, forwards_of, macros_of FILE: names in the order of the file. The
# guard is the macro without a value.
types_of() {
	sed -nE 's/^(struct|union|enum) ([a-z_0-9]+) \{$/\2/p' "$1"
}

forwards_of() {
	sed -nE 's/^struct ([a-z_0-9]+);$/\1/p' "$1"
}

macros_of() {
	sed -nE 's/^#define ([A-Za-z_0-9]+)(\(.*|[[:blank:]].*)$/\1/p' "$1" | sort -u
}

values_of() {
	sed -nE 's/^#define ([A-Za-z_0-9]+)[[:blank:]].*$/\1/p' "$1" | sort -u
}

# probe_source HEADER: a file that makes the compiler tell of all names. One that
# was only ever named within the parameters of a function is not declared.
probe_source() {
	local name file=$KERNEL/$1.h
	echo "#include <drm/$1.h>"
	for name in $(forwards_of "$file"); do
		echo "int probe_forward_$name(struct $name *);"
	done
	for name in $(values_of "$file"); do
		printf '#ifdef %s\n' "$name"
		printf 'enum probe_value_%s { probe_value_of_%s = (%s) };\n' "$name" "$name" "$name"
		printf 'typeof(%s) probe_type_%s(void);\n#endif\n' "$name" "$name"
	done
}

# compile DIR HEADER INCLUDE [uses]: what the compiler says stays in DIR/HEADER.log,
# of its debug information what is to be compared. Without INCLUDE it is the
# kernel's own; "uses" compiles what uses the macros, too.
compile() {
	local dir=$1 header=$2 objects=("$2.o")
	[[ -z ${4:-} ]] || objects+=("$2_uses.o")
	mkdir -p "$dir"
	probe_source "$header" >"$dir/$header.c"
	[[ -z ${4:-} ]] || cp "$USES/$header.c" "$dir/${header}_uses.c"
	cat >"$dir/Kbuild" <<-END
		obj-m := ${objects[*]}
		LINUXINCLUDE := ${3:+-I$3} \$(LINUXINCLUDE)
		ccflags-y := -g3 -fno-eliminate-unused-debug-types -Wall -Werror -Wno-unused-function
		CFLAGS_$header.o := -aux-info $dir/$header.aux
	END
	make -s -k -j 2 -C "$BUILD" M="$dir" "${objects[@]}" >"$dir/$header.log" 2>&1
	[[ -e $dir/$header.o ]] || return
	prototypes "$header" "$dir/$header.aux" >"$dir/$header.functions"
	layouts "$header" "$dir/$header.o" >"$dir/$header.types"
	readelf --debug-dump=macro "$dir/$header.o" 2>/dev/null | sed -nE 's/.* macro : //p' >"$dir/$header.macros"
}

# prototypes HEADER FILE: of what the compiler was told there, a line
# "NAME <tab> extern|static <tab> TYPE" for each function, without names of
# parameters, and without our prefix, of which there is a column of its own.
prototypes() {
	awk -v OFS='\t' -v header="/$1\\.h:" '
		$2 !~ header && $5 " " $6 " " $7 " " $8 !~ /probe_type_/ { next }
		{
			sub(/^\/\* [^ ]* \*\/ /, "")
			names = ""
			if (at = index($0, "; /* (")) {
				names = substr($0, at + 6)
				sub(/\).*/, "", names)
				$0 = substr($0, 1, at)
			}
			storage = $1
			sub(/^[a-z]+ /, "")
			count = split(names, name, /, /)
			for (i = 1; i <= count; i++)
				while (match($0, "[ *]" name[i] "[,)]"))
					$0 = substr($0, 1, RSTART) substr($0, RSTART + RLENGTH - 1)
			gsub(/ ,/, ",")
			gsub(/ \)/, ")")
			prefix = sub(/gsb_/, "") ? "gsb_" : "-"
			if (match($0, /[A-Za-z_0-9]+ \(/))
				print substr($0, RSTART, RLENGTH - 2), storage, prefix, $0
		}' "$2"
}

# layouts HEADER OBJECT: the types with offsets and sizes, and the values of macros.
layouts() {
	local file=$KERNEL/$1.h names
	names=$(types_of "$file"; values_of "$file" | sed 's/^/probe_value_/')
	pahole -F dwarf -C "$(paste -sd , <<<"$names")" "$2" 2>/dev/null |
		grep -vE '^[[:blank:]]*(/\*.*\*/)?$' | tr -s ' \t' ' '
}

# type_body DIR HEADER NAME: what is between the braces.
type_body() {
	awk -v name="$3" '
		/^}/ { inside = 0 }
		inside { print }
		/^[a-z]/ && $2 == name && $3 == "{" { inside = 1 }' "$1/$2.types"
}

# function_line DIR HEADER NAME COLUMN...
function_line() {
	awk -F '\t' -v name="$3" '$1 == name' "$1/$2.functions" | cut -f "$4"
}

# The aspects: what is different in DIR from the kernel's, a line each.

differ_builds() {
	[[ -e $1/$2.o && (-e $1/$2_uses.o || ! -e $1/$2_uses.c) ]] ||
		grep -E 'error' "$1/$2.log" || tail -n 1 "$1/$2.log"
}

differ_functions() {
	local name want got
	while IFS=$'\t' read -r name _ _ want; do
		got=$(function_line "$1" "$2" "$name" 4)
		if [[ -n $got ]]; then
			[[ $got = "$want" ]] || echo "$name: there is '$got', not '$want'"
		elif [[ " ${PAPER_ONLY[*]} " != *" $name "* ]]; then
			echo "$name: is missing"
		fi
	done < <(grep -v probe_type_ "$WORK/kernel/$2.functions")
}

differ_types() {
	local name
	for name in $(types_of "$KERNEL/$2.h"); do
		differ_type "$1" "$2" "$name"
	done
}

# differ_type DIR HEADER NAME: the kernel's fields are the first of ours.
differ_type() {
	local want got i
	mapfile -t want < <(type_body "$WORK/kernel" "$2" "$3")
	mapfile -t got < <(type_body "$1" "$2" "$3")
	((${#want[@]})) || echo "$3: the kernel's own is not known"
	for ((i = 0; i < ${#want[@]}; i++)); do
		[[ ${got[i]:-} = "${want[i]}" ]] && continue
		echo "$3: there is '${got[i]:-nothing}', not '${want[i]}'"
		break
	done
}

differ_macros() {
	local name
	for name in $(macros_of "$KERNEL/$2.h"); do
		if ! grep -qE "^$name( |\(|$)" "$1/$2.macros"; then
			echo "$name: is missing"
		elif [[ $(parameters "$1" "$2" "$name") != "$(parameters "$WORK/kernel" "$2" "$name")" ]]; then
			echo "$name: takes other parameters"
		fi
	done
	for name in $(values_of "$KERNEL/$2.h"); do
		differ_type "$1" "$2" "probe_value_$name"
		[[ $(function_line "$1" "$2" "probe_type_$name" 4) = \
			"$(function_line "$WORK/kernel" "$2" "probe_type_$name" 4)" ]] || echo "$name: is of another type"
	done
}

# parameters DIR HEADER MACRO: how many; none is not the same as no parentheses.
parameters() {
	sed -nE "s/^$3(\([^)]*\))?( .*)?$/\1/p" "$1/$2.macros" | head -n 1 | tr -cd '(,'
}

# Drivers rely on what a header brings along.
differ_includes() {
	local file
	while read -r file; do
		grep -q "/$file\b" "$1/.$2.o.cmd" || echo "<$file> is not included"
	done < <(sed -nE 's/^#include <(.*)>$/\1/p' "$KERNEL/$2.h")
}

# A function that is not renamed could not be there twice.
differ_prefix() {
	local name storage prefix
	[[ $1 != "$WORK/kernel" ]] || return 0
	while IFS=$'\t' read -r name storage prefix _; do
		[[ $storage:$prefix != extern:- || $name = probe_type_* ]] || echo "$name: the symbol has no prefix"
	done <"$1/$2.functions"
}

# differences DIR HEADER ASPECT: none can be seen in what does not compile.
differences() {
	if [[ ! -e $1/$2.o && $3 != builds ]]; then
		echo "does not compile"
	else
		"differ_$3" "$1" "$2"
	fi
}

# result NAME DIFFERENCES
result() {
	if [[ -z $2 ]]; then
		echo "ok $1"
	else
		printf '%s\n' "$2" | tail -n +2 | sed 's/^/# /'
		echo "not ok $1: $(head -n 1 <<<"$2")"
	fi
}

compare() {
	local header=$1 aspect
	compile "$WORK/ours" "$header" "$OURS" uses
	for aspect in "${ASPECTS[@]}"; do
		result "$header.$aspect" "$(differences "$WORK/ours" "$header" "$aspect")"
	done
	additions "$header"
}

# What the reader may want to know: functions that only we have.
additions() {
	local name
	cut -f 1 "$WORK/ours/$1.functions" | while read -r name; do
		[[ -n $(function_line "$WORK/kernel" "$1" "$name" 1) ]] || echo "# $1: more than the kernel has: $name"
	done
}

# reference HEADER: the kernel's own, without which nothing can be compared.
reference() {
	local count
	compile "$WORK/kernel" "$1" '' uses
	count=$(grep -vc probe_type_ "$WORK/kernel/$1.functions")
	if ((count > 0)) && [[ -n $(types_of "$KERNEL/$1.h") ]]; then
		echo "# $1: $count functions, $(types_of "$KERNEL/$1.h" | wc -l) types, $(macros_of "$KERNEL/$1.h" | wc -l) macros"
		result "$1.reference" "$(differences "$WORK/kernel" "$1" types)$(unused_macros "$1")$(differ_builds "$WORK/kernel" "$1")"
	else
		result "$1.reference" "$(differ_builds "$WORK/kernel" "$1")"
	fi
}

# Macros with parameters mean something only where they are used.
unused_macros() {
	local name
	for name in $(macros_of "$KERNEL/$1.h"); do
		grep -qhE "\b$name\b" "$WORK/kernel/$1.c" "$USES/$1.c" || echo "$name is not used in tests/interface/$1.c"
	done
}

# control NAME HEADER ASPECT WHAT SCRIPT: with the change that the script for sed
# makes in our headers, the comparison finds WHAT, or nothing if that is "same".
control() {
	local dir=$WORK/control uses='' found
	[[ $3 != builds && $4 != same ]] || uses=uses
	rm -rf "$dir"
	cp -r "$OURS" "$dir"
	sed -i -E "$5" "$dir/drm/$2.h" "$dir/drm/drm_gpusvm_backport.h"
	if diff -rq "$OURS" "$dir" >/dev/null; then
		result "control.$1" "the change changes nothing"
		return
	fi
	compile "$dir/probe" "$2" "$dir" "$uses"
	found=$(differences "$dir/probe" "$2" "$3")
	if [[ $4 = same ]]; then
		result "control.$1" "$found$(differ_builds "$dir/probe" "$2")"
	elif grep -qE "$4" <<<"$found"; then
		echo "ok control.$1"
	else
		result "control.$1" "$3: found '${found:-nothing}' and not '$4'"
	fi
}

# Is it still true that nobody can miss them?
paper_only() {
	local name found=''
	for name in "${PAPER_ONLY[@]}"; do
		! awk -v name="$name" '$2 == name { found = 1 } END { exit !found }' "$BUILD/Module.symvers" ||
			found+="$name is exported by the kernel"$'\n'
	done
	result paper-only "$found"
}

controls() {
	local name header aspect what script
	while IFS=$'\t' read -r name header aspect what script; do
		[[ $name != '#'* ]] || continue
		control "$name" "$header" "$aspect" "$what" "$script"
	done < <(tr -s '\t' <"$CONTROLS")
}

main() {
	local header
	KERNEL=$(kernel_headers)
	# Where a driver does not yet own the pages the interface is another one.
	if ! grep -qs drm_gpusvm_init_pages "$KERNEL/drm_gpusvm.h"; then
		echo "skip headers: Linux $RELEASE has none of this interface"
		return
	fi
	for header in drm_pagemap drm_pagemap_util drm_gpusvm; do
		reference "$header"
		compare "$header"
	done
	paper_only
	controls
}

main
