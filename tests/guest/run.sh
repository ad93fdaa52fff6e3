#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# run.sh SUITE...: runs suites of tests in this guest, one after the other. The
# exit status is 0 if they all came to their end, whatever their tests said.

KMEMLEAK=/sys/kernel/debug/kmemleak
OWNERS=/sys/kernel/debug/page_owner_stacks/show_stacks

# Where the kernel was booted with kmemleak=on, it looks for memory that nobody can find any
# more when it is told to, at the end, not by itself in the middle of a test.
wants_leaks() {
	grep -qw kmemleak=on /proc/cmdline
}

# What was allocated in the last seconds is not told yet. Where memory was short, on purpose
# or not, kmemleak may have found none for its own use, and switched itself off.
find_leaks() {
	if ! { echo scan && sleep 6 && echo scan; } 2>/dev/null >"$KMEMLEAK"; then
		echo "skip kmemleak: the kernel gave it up, see dmesg"
	elif [[ $(<"$KMEMLEAK") ]]; then
		sed 's/^/# /' "$KMEMLEAK"
		echo "not ok kmemleak: memory is lost, see above"
	else
		echo "ok kmemleak"
	fi
}

# Where the kernel was booted with page_owner=on, it knows who allocated what page.
wants_pages() {
	grep -qw page_owner=on /proc/cmdline
}

# stacks FILE: a line for each stack of who has pages: how many, and from the function that
# asked the page allocator for them to those that called it.
stacks() {
	awk 'BEGIN { RS = ""; FS = "\n" } {
		for (i = 1; i < NF && $i ~ /alloc_page|alloc_frozen|folio_alloc|alloc_folio|post_alloc|get_page_from|get_free_page|get_zeroed_page|split_page/;)
			i++
		line = $NF
		sub(/.*: /, "", line)
		for (; i < NF; i++)
			line = line $i
		print line
	}' "$1"
}

# Functions of modules that are gone have no names any more, those of one that stays have.
find_pages() {
	local lost
	lost=$(stacks "$1" | awk '$2 ~ /^0x/ { print "# " $0 }')
	if [[ -e /sys/module/drm_gpusvm_backport ]]; then
		echo "not ok pages: the modules cannot be unloaded"
	elif [[ ! -r $OWNERS ]]; then
		echo "not ok pages: the kernel does not say who has pages"
	elif [[ $lost ]]; then
		echo "$lost"
		echo "not ok pages: pages are lost, see above"
	else
		echo "ok pages"
	fi
}

# Memory of processes that nobody has mapped. A few pages are on their way to somebody.
find_memory() {
	local owned mapped most=8
	owned=$(stacks "$1" | awk '
		$2 ~ /^(do_(anonymous|wp|swap)_page|wp_page_copy|do_(cow_)?fault|do_huge_pmd)/ { sum += $1 }
		END { print sum + 0 }')
	mapped=$(awk '/^AnonPages:/ { print $2 / 4 }' "$1")
	echo "# processes have had $owned pages, $mapped are mapped"
	if ((owned == 0)); then
		echo "not ok memory: cannot see who has pages"
	elif ((owned > mapped + most)); then
		echo "not ok memory: $((owned - mapped)) pages of processes are lost"
	else
		echo "ok memory"
	fi
}

# Who has pages and, right after that, what is mapped. One process reads both, as all have
# memory, and more than once, as it gets more memory for that, until it has what it needs.
read_pages() {
	awk -v owners="$OWNERS" -v drop=/proc/sys/vm/drop_caches -v refresh=/proc/sys/vm/stat_refresh '
		function tell(file) {
			print 1 >file
			close(file)
		}
		function copy(file, last, line) {
			while ((getline line <file) > 0)
				if (last)
					print line
			close(file)
		}
		function look(last) {
			tell(drop)
			copy(owners, last)
			tell(refresh)
			copy("/proc/meminfo", last)
		}
		BEGIN {
			look(0)
			look(0)
			look(1)
		}'
}

find_lost_pages() {
	local file
	file=$(mktemp)
	modprobe -r mockgpu drm_gpusvm_backport
	read_pages >"$file"
	find_pages "$file"
	find_memory "$file"
	rm -f "$file"
}

cd "$(dirname "$(readlink -f "$0")")" || exit 1
export TEST_SLOW=${TEST_SLOW:-$(./speed 2>/dev/null || echo 1)}
echo "# time limits are those of a usual machine, times $TEST_SLOW"
! wants_leaks || echo scan=off >"$KMEMLEAK"
status=0
for suite; do
	echo "# suite $suite"
	"./suite-$suite.sh" || status=$?
done
if wants_leaks || wants_pages; then
	echo "# suite leaks"
fi
! wants_leaks || find_leaks
! wants_pages || find_lost_pages
exit "$status"
