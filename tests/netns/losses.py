#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Frames that a device takes while no lcore fetches them are lost, and counted: what was sent is what lcores received and what devices
missed."""
import signal
import sys

from weir import NODE_V4, TCP_PORT, EchoServer, Suite, Weir, run, wait_for

PACKETS, RATE_PPS = 20_000, 20_000  # a receive ring of AF_XDP holds 2048


def seen(weir):
    """(received, missed)"""
    status = weir.call("status")
    return status["counters"].get("rx_outside", 0), status["dataplane"]["rx_missed"]


def send(weir):
    path = f"{weir.state_dir}/strangers"
    with open(path, "w", encoding="ascii") as file:
        file.write("10.200.0.1\n")
    weir.inside("client", f"{weir.build}/tests/packet_send", "--interface", "c0", "--mac", weir.mac("node", "n0"), "--own-mac",
                weir.mac("client", "c0"), "--v4", NODE_V4, "--port", str(TCP_PORT), "--kind", "syn", "--sources", path, "--count", str(PACKETS),
                "--rate", str(RATE_PPS))


def main():
    suite = Suite("losses")
    with Weir() as weir:
        EchoServer(weir)
        weir.start()
        suite.check("a client connects", weir.connects("10.77.0.2"))
        received, missed = seen(weir)
        suite.check("and nothing was missed", missed == 0, missed)
        weir.send_signal("dataplane", signal.SIGSTOP)
        send(weir)
        weir.send_signal("dataplane", signal.SIGCONT)
        wait_for(lambda: sum(seen(weir)) - received >= PACKETS, 10, 0.2)
        after, missed = seen(weir)
        suite.check(f"{PACKETS} frames came while the dataplane was stopped, and most were missed", missed > PACKETS // 2, missed)
        # The kernels' own neighbour discovery may add a few.
        suite.check("received and missed are what was sent", PACKETS <= after - received + missed < PACKETS + 50, after - received + missed)
        suite.check("weirctl status says so", "frames missed by devices" in run(weir.tools["weirctl"], "--socket", weir.socket_path, "status"))
        suite.check("then clients connect again", weir.connects("10.77.0.2", patience_s=15))
    return suite.finish()


if __name__ == "__main__":
    sys.exit(main())
