#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Jumbo frames: net_af_xdp takes no veth with an MTU over 3506, so the dataplane must say so and go on with net_af_packet,
# with one queue and with two.
. "$(dirname "$0")/lib.sh"

topology 2
for dev in "$CLIENT c0" "$GOVERNOR g0" "$GOVERNOR g1" "$NODE n0"; do
	set -- $dev
	ip netns exec "$1" ip link set "$2" mtu 9000
done
client_addresses 20
node_start
check "control is ready" control_start
for lcores in 0 0,1; do
	queues=2
	export LCORES=$lcores QUEUES=$queues
	: >"$WORK/dataplane.log"
	check "lcores $lcores: it starts" dataplane_start
	check "lcores $lcores: it governs" dataplane_wait_state governing
	check "lcores $lcores: it says that it fell back" grep -q "net_af_packet" "$WORK/dataplane.log"
	for host in 10.77.0.1 fd77::1; do
		check "lcores $lcores: TCP echo of 1 MB to $host" echo_client tcp "$host" 1000000
		check "lcores $lcores: UDP echo of 8000 bytes in one frame to $host" echo_client udp "$host" 8000
		check "lcores $lcores: UDP echo of 20000 bytes in fragments to $host" echo_client udp "$host" 20000
		check "lcores $lcores: 20 sources of $host" echo_client many "$host" 1 20
	done
	control ban 10.77.1.5 60 >"$WORK/ban"
	check "lcores $lcores: a banned source gets nothing" not echo_client tcp 10.77.0.1 100 10.77.1.5
	control unban 10.77.1.5 >/dev/null
	check "lcores $lcores: and is served again" echo_client tcp 10.77.0.1 100 10.77.1.5
	check "lcores $lcores: a clean stop" dataplane_kill TERM
done
finish
