#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# Running a virtual machine: its command line, whether KVM is of use, and
# watching it until it ends.  Sourced after lib-root.sh.
# shellcheck disable=SC2034 # the constants are for those who source this file

# The reservation lies above the kernel (which loads at 16 MiB, and keeps clear
# of it when it picks a random place) and below 1.5 GiB, which is ordinary
# memory on q35 for every machine that has as much.  The initramfs is put at the
# upper end of memory.
RESERVE_MIB=512
RESERVE_AT=0x20000000
RESERVE_END_MIB=1024

# The device of --pci, and where the slot is that it is in.
PCI_MIB=256
PCI_SLOT=1c.0

# Seconds until the command must have started.  Emulation on a busy machine was
# seen to take one minute.
BOOT_SECONDS=180
# A debug kernel was seen to take one minute when others took ten seconds.
BUILT_BOOT_SECONDS=480
# While Linux reads anew what the first processor can do, five levels of page tables
# are not among it.  KASAN calls what an interrupt touches meanwhile wild.
BUILT_APPEND='no5lvl '
POWER_OFF_SECONDS=60
# Enough for a debug kernel, as is the memory that the probe gives it.
KVM_PROBE_SECONDS=40
# For a guest to tell what it hangs in, after its time is over.
GRACE_SECONDS=3

# escape PATH: for use in a QEMU option, where a comma ends the value.
escape() {
	printf '%s\n' "${1//,/,,}"
}

# size_mib SIZE: a size as QEMU takes it (2G, 1536M, 2048) in MiB.
size_mib() {
	case $1 in
	*[!0-9]*[GM] | [GM] | *[!0-9GM]* | '') return 1 ;;
	*G) echo $((10#${1%G} * 1024)) ;;
	*M) echo $((10#${1%M})) ;;
	*) echo $((10#$1)) ;;
	esac
}

# kvm_works: a /dev/kvm that can be opened says little, so a guest is started
# with it.  The answer holds until the host is booted again.
kvm_works() {
	local answer
	answer=$CACHE/kvm-$(tr -d - </proc/sys/kernel/random/boot_id)
	if [[ ! -e $answer ]]; then
		rm -f "$CACHE"/kvm-*
		kvm_probe && echo yes >"$answer" || echo no >"$answer"
	fi
	grep -q yes "$answer"
}

kvm_probe() {
	[[ -w /dev/kvm ]] || return 1
	timeout "$KVM_PROBE_SECONDS" qemu-system-x86_64 -machine q35 -accel kvm -cpu host -m 1024 \
		-nodefaults -no-reboot -display none -serial stdio \
		-kernel "$BOOT/vmlinuz" -initrd "$BOOT/initramfs" \
		-append "console=ttyS0 panic=-1 vm.probe" 2>/dev/null </dev/null | grep -q vm.probe-passed
}

# accelerator OPTIONS: sets ACCEL, how QEMU is to run the guest's code, and
# ACCEL_APPEND, what the kernel must know of it.
accelerator() {
	# A kernel under emulation on a busy host is slow, not stuck.
	ACCEL_APPEND='watchdog_thresh=60 rcupdate.rcu_cpu_stall_timeout=60'
	# 6.1 would not believe that the processors' TSCs agree, and reading the HPET
	# instead is an access to a device, one processor at a time.
	ACCEL_APPEND+=' tsc=reliable'
	if [[ -n $1 ]]; then
		ACCEL=(-accel "tcg,thread=single" -cpu max -icount "shift=0,sleep=off")
	elif kvm_works; then
		ACCEL=(-accel kvm -cpu host) ACCEL_APPEND=''
	else
		# It takes as long to store a byte as eight, and where there was code before
		# very much longer: to clear a huge page byte by byte was seen to take minutes.
		ACCEL=(-accel "tcg,thread=multi" -cpu "max,-erms,-fsrm")
	fi
}

disk() {
	printf '%s\n' -drive "if=none,id=$1,format=raw,cache=unsafe,file=$(escape "$2"),$3" \
		-device "virtio-blk-pci,drive=$1,serial=$1"
}

port() {
	printf '%s\n' -chardev "file,id=$1,path=$(escape "$2")" \
		-device "virtserialport,chardev=$1,name=$1"
}

# qemu_alive: whether the process of the guest is there and not a zombie.
qemu_alive() {
	[[ -n ${QEMU:-} && $(cut -d ' ' -f 3 "/proc/$QEMU/stat" 2>/dev/null || echo Z) != Z ]]
}

qemu_kill() {
	[[ -z ${QEMU:-} ]] || kill -KILL "$QEMU" 2>/dev/null || true
}

# wait_for SECONDS PATTERN: until the guest says PATTERN on the control port (0),
# it is gone (1) or the time is over (2).
wait_for() {
	local deadline=$((SECONDS + $1))
	until grep -qs "$2" "$RUN/control"; do
		# What it said last may have come between the two looks.
		qemu_alive || { grep -qs "$2" "$RUN/control" || return 1; break; }
		((SECONDS < deadline)) || return 2
		sleep 0.1
	done
}

# wait_gone SECONDS: until the guest is gone (0) or the time is over (1).
wait_gone() {
	local deadline=$((SECONDS + $1))
	while qemu_alive; do
		((SECONDS < deadline)) || return 1
		sleep 0.05
	done
}
