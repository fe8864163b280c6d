#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# One queue, one lcore: TCP and UDP, IPv4 and IPv6, fragments and errors pass; a ban bites and cuts; start without an image.
. "$(dirname "$0")/lib.sh"

topology 1
client_addresses 20
node_start

# Without an image: what the operator said.
dataplane_start --start-wait 0 --start-fail open
check "without an image a dataplane told to fail open forwards" wait_for 5 echo_client tcp 10.77.0.1
check "it says so" grep -q "EVERYTHING is forwarded ungoverned" "$WORK/dataplane.log"
check "the first image takes effect without a restart" eval 'control_start && dataplane_wait_state governing'
check "a clean stop ends with status 0" dataplane_kill TERM
check "no XDP program stays attached" not eval 'in_governor ip link show | grep -q prog/xdp'
check "no socket stays" not test -e "$RUN/weir.dataplane.sock"
check "while no dataplane runs nothing is forwarded" not echo_client udp 10.77.0.1

dataplane_start
check "with an image it governs at once" dataplane_wait_state governing
for host in 10.77.0.1 fd77::1; do
	check "TCP echo through it to $host" echo_client tcp "$host"
	check "TCP echo of 1 MB to $host" echo_client tcp "$host" 1000000
	check "UDP echo to $host" echo_client udp "$host"
	check "UDP echo of 4000 bytes, in fragments, to $host" echo_client udp "$host" 4000
	check "ping to $host" in_client ping -c 3 -i 0.1 -W 1 "$host"
	check "ping of 4000 bytes, in fragments, to $host" in_client ping -c 3 -i 0.1 -W 1 -s 4000 "$host"
	check "20 sources of $host" echo_client many "$host" 1 20
done
check "flows are counted" eval '[ "$(counter flows_born)" -gt 40 ]'

# Bans.
control ban 10.77.1.5 60 >"$WORK/ban"
check "a ban is in force at once" grep -q "^applied [0-9]" "$WORK/ban"
check "a banned source gets nothing" not echo_client tcp 10.77.0.1 100 10.77.1.5
check "its neighbour does" echo_client tcp 10.77.0.1 100 10.77.1.6
check "the reason is counted" eval '[ "$(counter banned)" -gt 0 ]'
check "why: banned" eval '[ "$(control probe 10.77.1.5)" = banned ]'
control ban fd77::/64 60 >/dev/null
check "an IPv6 /64 is banned as one" not echo_client tcp fd77::1 100 fd77::1:3
control unban fd77::/64 >/dev/null
check "and free again after the ban is lifted" echo_client tcp fd77::1 100 fd77::1:3
control ban 10.77.1.8/30 60 >/dev/null
check "a prefix ban covers its addresses" not echo_client tcp 10.77.0.1 100 10.77.1.9
control unban 10.77.1.8/30 >/dev/null
check "and no longer once lifted" echo_client tcp 10.77.0.1 100 10.77.1.9

# Control dies: everything stays. Another one comes, with another truth.
kill -9 "$CONTROL_CHILD"
wait "$CONTROL_CHILD" 2>/dev/null
check "with control dead a ban stays" not echo_client udp 10.77.0.1 100 10.77.1.5
check "and others are served" echo_client tcp 10.77.0.1 100 10.77.1.6
check "a new control is followed" control_start
check "its image replaces the old one, bans included" wait_for 5 echo_client tcp 10.77.0.1 100 10.77.1.5
check "and its commands are taken" eval '[[ $(control ban 10.77.1.6 60) == "applied "[0-9]* ]] && not echo_client tcp 10.77.0.1 100 10.77.1.6'
finish
