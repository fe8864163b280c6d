#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# What bad input gets: a sentence, the right status, and nothing left behind.
. "$(dirname "$0")/lib.sh"

topology 1

# refused STATUS PART ARG...: the dataplane ends with STATUS and says PART.
refused() {
	local status=$1 part=$2 got
	shift 2
	in_governor timeout 20 "$DATAPLANE" "$@" >"$WORK/refused" 2>&1
	got=$?
	[ "$got" = "$status" ] && grep -qF -- "$part" "$WORK/refused" && return 0
	echo "status $got, wanted $status and \"$part\""
	cat "$WORK/refused"
	return 1
}
ports=(--outside auto:g0 --inside auto:g1)
dirs=(--shm-dir "$SHM" --run-dir "$RUN")
plain=("${dirs[@]}" --memory no-huge --flows-log2 10 --pressure-keys-log2 12 --proven-log2 8 --start-wait 0)

check "no port" refused 2 "No port was given"
check "half a pair" refused 2 "has no --inside port" --outside auto:g0
check "two outsides in a row" refused 2 "give each pair one of both" --outside auto:g0 --outside auto:g1
check "an unknown option" refused 2 "--ouside is not an option" --ouside auto:g0
check "a word too many" refused 2 '"up" is not an option' "${ports[@]}" up
check "a missing value" refused 2 "--lcores wants a value" --lcores
check "lcores that are no numbers" refused 2 "--lcores wants CPU numbers" "${ports[@]}" --lcores 0,x
check "an lcore twice" refused 2 "--lcores names CPU 0 twice" "${ports[@]}" --lcores 0,0
check "fewer queues than lcores" refused 2 "too few for 2 lcores" "${ports[@]}" --lcores 0,1 --queues 1
check "a table beyond its range" refused 2 "--flows-log2 wants a number from 6 to 26" "${ports[@]}" --flows-log2 27
check "a relative directory" refused 2 "--shm-dir wants an absolute path" "${ports[@]}" --shm-dir shm
check "an instance with a slash" refused 2 "--instance wants" "${ports[@]}" --instance a/b
check "--version" refused 0 "weir-dataplane 0." --version
check "--help" refused 0 "Usage: weir-dataplane" --help

check "a CPU that does not exist" refused 1 "--lcores names CPU 999" "${ports[@]}" "${plain[@]}" --lcores 999
check "an interface that does not exist" refused 1 'there is no interface "nope0"' "${plain[@]}" --outside auto:nope0 --inside auto:g1
check "more queues than the interface has" refused 1 "has 1 receive queues and --queues is 2" "${ports[@]}" "${plain[@]}" --queues 2
check "an MTU that the interface does not have" refused 1 "the interface's MTU is 1500 and --mtu is 3000" "${ports[@]}" "${plain[@]}" --mtu 3000
check "an MTU without a pair" refused 2 "--mtu belongs to a port pair" --mtu 3000 "${ports[@]}"
check "a PCI address without a device" refused 1 "there is no PCI device at this address" "${plain[@]}" --outside 00ff:1f:1f.7 --inside auto:g1
check "a driver that DPDK does not have" refused 1 "DPDK could not make this device" "${plain[@]}" --outside net_nope0,x=1 --inside auto:g1
check "an argument that EAL does not have" refused 1 "check --lcores against the CPUs of this machine and each --eal argument" "${ports[@]}" "${plain[@]}" --eal --nope
if [ "$(cat /sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages)" = 0 ]; then
	check "no huge pages" refused 1 "sysctl -w vm.nr_hugepages" "${ports[@]}" "${dirs[@]}"
fi
check "no XDP program is left by all this" not eval 'in_governor ip link show | grep -q prog/xdp'

dataplane_start --start-wait 0
check "without an image it is closed, aloud" wait_for 5 grep -q "nothing is forwarded until one does" "$WORK/dataplane.log"
check "a second instance is refused" refused 1 "another process owns this segment" "${ports[@]}" "${plain[@]}"
check "another instance on the same interface is refused" refused 1 "another weir-dataplane drives this interface" \
	"${ports[@]}" "${plain[@]}" --instance other
check "the first one was not disturbed" kill -0 "$DATAPLANE_PID"
dataplane_kill TERM

# Files that others have damaged.
head -c 100000 /dev/urandom >"$SHM/weir.flows"
head -c 100000 /dev/urandom >"$SHM/weir.image"
head -c 100000 /dev/urandom >"$SHM/weir.control"
dataplane_start --start-wait 0
check "foreign flows are forgotten, aloud" grep -q "earlier flows are forgotten" "$WORK/dataplane.log"
check "a foreign image is refused, aloud" wait_for 5 grep -q "weir.image is refused: This file is not a Weir image" "$WORK/dataplane.log"
check "a foreign control segment is refused, aloud" wait_for 5 grep -q "weir.control: this is not a Weir segment" "$WORK/dataplane.log"
rm -f "$SHM/weir.image" "$SHM/weir.control"
check "a good image is taken once it comes" eval 'control_start && dataplane_wait_state governing'
printf 'x' | dd of="$SHM/weir.image" bs=1 seek=300 conv=notrunc 2>/dev/null
check "a damaged image does not disturb the one in force" eval 'sleep 0.3; dataplane_wait_state governing'
dataplane_kill TERM
check "a clean stop leaves no lock and no socket" eval '[ -z "$(ls -A "$RUN")" ]'
finish
