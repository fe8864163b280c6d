#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Two queues and two lcores on a device without RSS by address: lcores hand frames over, and both directions, fragments and
# ICMP errors of a client meet on one lcore.
. "$(dirname "$0")/lib.sh"

topology 2
client_addresses 100
node_start
control_start
LCORES=0,1 QUEUES=2 dataplane_start
check "it governs with two lcores" dataplane_wait_state governing
for host in 10.77.0.1 fd77::1; do
	check "TCP echo of 100 sources to $host" echo_client many "$host" 1 100
	check "UDP echo of 8000 bytes, in fragments, to $host" echo_client udp "$host" 8000
	check "ping of 8000 bytes to $host" in_client ping -c 3 -i 0.1 -W 1 -s 8000 "$host"
done
check "frames were handed over" eval '[ "$(counter dispatched)" -gt 100 ]'
check "none was refused" eval '[ "$(counter dispatch_refused)" = 0 ]'
check "no flow was born twice" eval '[ "$(counter no_flow)" = 0 ]'

# Path MTU discovery: a router on the way says "too big" for packets of a flow whose lcore another address decides.
far_topology
for host in 10.77.0.1 fd77::1; do
	before=$(counter icmp_of_flow)
	check "100 kB come back from $host through a link of MTU 1280" in_far python3 "$LIB/echo.py" tcp "$host" 100000
	check "because the router's ICMP error passed" eval '[ "$(counter icmp_of_flow)" -gt "$before" ]'
done

in_node iperf3 -s -D -I "$WORK/iperf.pid" >/dev/null
wait_for 5 test -s "$WORK/iperf.pid"
# More frames handed over than there are buffers: one that is lost at each would stop a queue for good.
bulk() {
	for i in 1 2 3 4 5 6 7 8; do
		in_client timeout 10 iperf3 -c 10.77.0.1 -B "10.77.1.$i" -t 1 >/dev/null || return 1
		[ "$(counter dispatched)" -gt 60000 ] && return 0
	done
	echo "only $(counter dispatched) frames were handed over"
	return 1
}
check "60,000 frames are handed over" bulk
check "and 100 sources are still served" echo_client many 10.77.0.1 1 100
check "iperf3 runs through it" in_client iperf3 -c 10.77.0.1 -t 3 -J --logfile "$WORK/iperf.json"
jq -r '"      iperf3: \(.end.sum_received.bits_per_second / 1e9 * 100 | round / 100) Gbit/s"' "$WORK/iperf.json" 2>/dev/null
finish
