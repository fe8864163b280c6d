#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# kill -9 of the dataplane: connections go on, bans hold from the first packet, also with another number of lcores; a ban or a
# command cuts running connections at both ends, idle ones too.
. "$(dirname "$0")/lib.sh"

topology 2
client_addresses 20
node_start
control_start
LCORES=0,1 QUEUES=2 dataplane_start
dataplane_wait_state governing

# hold_start NAME HOST SOURCE: a connection that stays; speak NAME: one more echo over it.
declare -A IN OUT
hold_start() {
	mkfifo "$WORK/$1.in"
	(exec ip netns exec "$CLIENT" python3 "$LIB/echo.py" hold "$2" "$3") <"$WORK/$1.in" >"$WORK/$1.out" 2>&1 &
	PIDS+=($!)
	exec {fd}>"$WORK/$1.in"
	IN[$1]=$fd
	wait_for 5 grep -q up "$WORK/$1.out"
}
speak() {
	local before after
	before=$(grep -c ok "$WORK/$1.out")
	echo >&"${IN[$1]}"
	for ((i = 0; i < 100; i++)); do
		after=$(grep -c ok "$WORK/$1.out")
		[ "$after" -gt "$before" ] && return 0
		grep -q closed "$WORK/$1.out" && return 1
		sleep 0.05
	done
	return 1
}
closed_within() { # SECONDS NAME
	wait_for "$1" grep -q closed "$WORK/$2.out"
}

check "connections are made" eval 'hold_start a 10.77.0.1 10.77.1.1 && hold_start b fd77::1 fd77::1:2 && hold_start c 10.77.0.1 10.77.1.3'
control ban 10.77.1.7 600 >/dev/null
born=$(counter flows_born)

dataplane_kill 9
check "while it is dead nothing is forwarded, not even by the kernel" not echo_client udp 10.77.0.1
check "its XDP program is still attached" eval 'in_governor ip link show | grep -q prog/xdp'
# A banned source knocks all the time while it comes back: not one packet may pass.
(for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30; do
	in_client timeout 0.3 python3 "$LIB/echo.py" udp 10.77.0.1 100 10.77.1.7 && echo passed
	sleep 0.05
done) >"$WORK/knock" 2>&1 &
knock=$!
LCORES=0,1 QUEUES=2 dataplane_start
check "restarted, it governs" dataplane_wait_state governing
check "the leftover program was found and detached" grep -q "killed run had left" "$WORK/dataplane.log"
check "connections go on over IPv4" speak a
check "connections go on over IPv6" speak b
check "they were taken over, not made again" eval '[ "$(counter flows_taken_over)" -ge 3 ]'
wait $knock
check "no packet of a banned source passed while it restarted" not grep -q passed "$WORK/knock"
check "the ban of the command log is in force" eval '[ "$(counter banned)" -gt 0 ]'

dataplane_kill TERM
LCORES=0 QUEUES=2 dataplane_start
dataplane_wait_state governing
check "with one lcore instead of two connections go on" eval 'speak a && speak b && speak c'
dataplane_kill 9
LCORES=1,0 QUEUES=2 dataplane_start
dataplane_wait_state governing
check "and with two again" eval 'speak a && speak b && speak c'

control ban 10.77.1.1 600 >/dev/null
check "a ban cuts an idle connection within 1 s at the client" closed_within 1 a
check "and at the node" wait_for 1 grep -q "reset by peer" "$WORK/node.log"
check "a connection of another source goes on" speak c
control cut 10.77.1.3 0 >/dev/null
check "a cut on request closes the connection" closed_within 1 c
check "its source may connect again" echo_client tcp 10.77.0.1 100 10.77.1.3
check "proven flows are dumped" eval '[ "$(control flows)" -ge 1 ]'

# Node addresses and services move in a new image: running flows are translated.
control node 10.77.0.100 >/dev/null
control service more tcp 9999 >/dev/null
check "an image with more addresses and services is loaded" eval '[[ $(control image) == "loaded "[0-9]* ]]'
check "running connections go on under it" speak b
finish
