# SPDX-License-Identifier: BSD-3-Clause
# Sourced by the network-namespace tests. Needs root. Everything it makes carries this shell's pid in its name and is
# removed by a trap, also when the test fails or is interrupted.
#
#   CLIENT namespace            GOVERNOR namespace                NODE namespace
#   10.77.0.2  fd77::2          no addresses, no forwarding       10.77.0.1  fd77::1
#      c0 ──────────────────── g0 [outside] weir-dataplane [inside] g1 ──────────────────── n0
#   (more clients: 10.77.1.0/24, fd77::1:0/112, all on c0)

set -u
BUILD=${WEIR_BUILD:?set WEIR_BUILD to the build directory}
DATAPLANE=$BUILD/dataplane/weir-dataplane
MAKE_IMAGE=$BUILD/tests/make_image
LIB=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
CLIENT=weir-c-$$ GOVERNOR=weir-g-$$ NODE=weir-n-$$ FAR=weir-f-$$
WORK=$(mktemp -d /tmp/weir-netns-$$-XXXXXX)
SHM=/dev/shm/weir-test-$$
RUN=/run/weir-test-$$
PIDS=()
DATAPLANE_PID=
PASSED=0 FAILED=0

in_client() { ip netns exec "$CLIENT" "$@"; }
in_governor() { ip netns exec "$GOVERNOR" "$@"; }
in_node() { ip netns exec "$NODE" "$@"; }

cleanup() {
	local status=$? pid
	trap - EXIT INT TERM
	# Several rounds, because a background shell's child may start while we look; bounded, because kill -9 is final.
	for pid in $DATAPLANE_PID "${PIDS[@]}"; do kill "$pid" 2>/dev/null; done
	for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
		[ -n "$DATAPLANE_PID" ] && kill -0 "$DATAPLANE_PID" 2>/dev/null || break
		sleep 0.1
	done
	for pid in $DATAPLANE_PID "${PIDS[@]}"; do kill -9 "$pid" 2>/dev/null; done
	for ns in "$CLIENT" "$GOVERNOR" "$NODE" "$FAR"; do
		for pid in $(ip netns pids "$ns" 2>/dev/null); do kill -9 "$pid" 2>/dev/null; done
		ip netns del "$ns" 2>/dev/null
	done
	[ "$FAILED" = 0 ] || tail -n 20 "$WORK"/dataplane.log 2>/dev/null
	rm -rf "$WORK" "$SHM" "$RUN"
	exit "$status"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

# check NAME COMMAND...: one test, named by a sentence.
check() {
	local name=$1
	shift
	if "$@" >"$WORK/check.out" 2>&1; then
		PASSED=$((PASSED + 1))
		echo "ok    $name"
	else
		FAILED=$((FAILED + 1))
		echo "FAIL  $name"
		sed 's/^/      /' "$WORK/check.out" | tail -n 15
	fi
}
not() { ! "$@"; }

# finish: the summary that the suite's runner reads.
finish() {
	echo "suite netns/$(basename "$0" .sh): $PASSED passed, $FAILED failed"
	[ "$FAILED" = 0 ] && [ "$PASSED" -gt 0 ]
	exit
}

# wait_for SECONDS COMMAND...: until it succeeds.
wait_for() {
	local tries=$(($1 * 20))
	shift
	for ((i = 0; i < tries; i++)); do
		"$@" >/dev/null 2>&1 && return 0
		sleep 0.05
	done
	return 1
}

# topology [QUEUES]
topology() {
	local queues=${1:-1} ns dev
	for ns in "$CLIENT" "$GOVERNOR" "$NODE"; do
		ip netns add "$ns" || exit 1
		ip netns exec "$ns" sysctl -qw net.ipv4.ip_forward=0 net.ipv6.conf.all.forwarding=0
		ip netns exec "$ns" ip link set lo up
	done
	# The governor's kernel must stay silent on its ports.
	in_governor sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1
	ip link add c0 netns "$CLIENT" numtxqueues "$queues" numrxqueues "$queues" type veth \
		peer name g0 netns "$GOVERNOR" numtxqueues "$queues" numrxqueues "$queues" || exit 1
	ip link add n0 netns "$NODE" numtxqueues "$queues" numrxqueues "$queues" type veth \
		peer name g1 netns "$GOVERNOR" numtxqueues "$queues" numrxqueues "$queues" || exit 1
	# Frames cross as bytes: nothing may be left for an offload that the far side does not do.
	for dev in "$CLIENT c0" "$GOVERNOR g0" "$GOVERNOR g1" "$NODE n0"; do
		set -- $dev
		ip netns exec "$1" ethtool -K "$2" tx off rx off tso off gso off gro off txvlan off rxvlan off >/dev/null 2>&1
		ip netns exec "$1" ip link set "$2" up
	done
	in_client ip addr add 10.77.0.2/16 dev c0
	in_client ip -6 addr add fd77::2/64 dev c0 nodad
	in_node ip addr add 10.77.0.1/16 dev n0
	in_node ip -6 addr add fd77::1/64 dev n0 nodad
}

# far_topology: a network behind the client, which becomes its router over a link of MTU 1280. FAR announces an MSS of 1460 all
# the same, so only the router's ICMP "too big" can teach the node.
#   FAR namespace                CLIENT namespace
#   10.78.0.2  fd78::2           10.78.0.1  fd78::1
#      f0 ──────────────────────── r0 (MTU 1280)
in_far() { ip netns exec "$FAR" "$@"; }
far_topology() {
	ip netns add "$FAR" && in_far ip link set lo up
	ip link add r0 netns "$CLIENT" type veth peer name f0 netns "$FAR" || exit 1
	in_client ethtool -K r0 tx off tso off gso off gro off >/dev/null 2>&1
	in_far ethtool -K f0 tx off tso off gso off gro off >/dev/null 2>&1
	in_client ip link set r0 mtu 1280 up
	in_far ip link set f0 up
	in_client ip addr add 10.78.0.1/24 dev r0
	in_client ip -6 addr add fd78::1/64 dev r0 nodad
	in_far ip addr add 10.78.0.2/24 dev f0
	in_far ip -6 addr add fd78::2/64 dev f0 nodad
	in_far ip route add 10.77.0.0/16 via 10.78.0.1 mtu lock 1280 advmss 1460
	in_far ip -6 route add fd77::/64 via fd78::1 mtu lock 1280 advmss 1440
	in_client sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
	in_node ip route add 10.78.0.0/24 via 10.77.0.2
	in_node ip -6 route add fd78::/64 via fd77::2
}

# client_addresses N: 10.77.1.1.. and fd77::1:1.. on the client.
client_addresses() {
	for ((i = 1; i <= $1; i++)); do
		echo "addr add 10.77.1.$i/16 dev c0"
		echo "addr add fd77::1:$(printf %x "$i")/64 dev c0 nodad"
	done | in_client ip -batch -
}

# dataplane_start [ARG]...: sets DATAPLANE_PID. LCORES, QUEUES from the environment.
dataplane_start() {
	rm -f "$RUN/weir.dataplane.sock" # of a killed run: the new one shows that the new segment exists too
	(exec ip netns exec "$GOVERNOR" "$DATAPLANE" --outside auto:g0 --inside auto:g1 --shm-dir "$SHM" --run-dir "$RUN" --memory no-huge \
		--lcores "${LCORES:-0}" --queues "${QUEUES:-1}" --flows-log2 14 --pressure-keys-log2 16 --proven-log2 12 \
		"$@" >>"$WORK/dataplane.log" 2>&1) &
	DATAPLANE_PID=$!
	wait_for 20 test -S "$RUN/weir.dataplane.sock"
}

dataplane_wait_state() { wait_for 10 "$MAKE_IMAGE" state "$SHM" "$1"; }

dataplane_kill() {
	kill -"$1" "$DATAPLANE_PID" 2>/dev/null
	wait "$DATAPLANE_PID" 2>/dev/null
	local status=$?
	DATAPLANE_PID=
	return $status
}

# background COMMAND...: ended by cleanup.
background() {
	"$@" &
	PIDS+=($!)
}

# control_start: the test control, with a first image in place. control LINE: its answer.
control_start() {
	coproc CONTROL { exec "$MAKE_IMAGE" serve "$SHM" "$RUN" 2>>"$WORK/control.log"; }
	CONTROL_CHILD=$CONTROL_PID # bash forgets CONTROL_PID when the process ends
	PIDS+=("$CONTROL_CHILD")
	local line
	read -r -t 10 line <&"${CONTROL[0]}" && [ "$line" = ready ]
}
control() {
	local line
	echo "$*" >&"${CONTROL[1]}"
	read -r -t 30 line <&"${CONTROL[0]}" && echo "$line"
}
counter() { "$MAKE_IMAGE" counter "$SHM" "$1"; }

# node_start: echo and iperf3 behind the dataplane.
node_start() {
	(exec ip netns exec "$NODE" python3 "$LIB/echo.py" serve) >"$WORK/node.log" 2>&1 &
	PIDS+=($!)
	wait_for 10 grep -q serving "$WORK/node.log"
}
echo_client() { in_client python3 "$LIB/echo.py" "$@"; }
