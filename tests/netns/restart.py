#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Either process is killed, stopped or started twice while honest clients' connections carry data and banned sources send all
the time: connections go on, bans stay, nothing crosses while no dataplane runs."""
import signal
import sys
import time

from weir import NODE_V4, NODE_V6, TCP_PORT, EchoServer, Stream, Suite, Weir, wait_for

HONEST = {4: "10.77.2.1", 6: "fd77:0:0:2::1"}
NEWCOMERS = [f"10.77.4.{number}" for number in range(1, 100)]
# An address, a /24, a /64, an exact IPv6 address
BANNED = {"10.77.8.1": "10.77.8.1", "10.78.1.0/24": "10.78.1.77", "fd77:8::/64": "fd77:8::77", "fd77:9::1": "fd77:9::1"}
LATE = "10.77.8.200"      # banned after the newest image: only the command log knows it
TEMPORARY = "10.77.8.100"  # its ban ends while control is stopped
STOPPED_S = 32


class Banned:
    """Banned sources that send all the time, and an ear at the node for them."""

    def __init__(self, weir):
        self.weir, self.number = weir, 0
        path = f"{weir.state_dir}/banned"
        with open(path, "w", encoding="ascii") as file:
            file.write("\n".join([*BANNED.values(), LATE]) + "\n")
        weir.spawn("strangers", "client", f"{weir.build}/tests/packet_send", "--interface", "c0", "--mac", weir.mac("node", "n0"),
                   "--own-mac", weir.mac("client", "c0"), "--v4", NODE_V4, "--v6", NODE_V6, "--port", str(TCP_PORT), "--kind",
                   "syn,ack,rst", "--sources", path, "--rate", "2000", "--count", "1000000")

    def listen(self):
        self.number += 1
        name = f"ear{self.number}"
        self.weir.spawn(name, "node", f"{self.weir.build}/tests/packet_count", "n0", str(TCP_PORT))
        if not wait_for(lambda: "ready" in self.weir.words(name), 10):
            raise RuntimeError("packet_count does not listen")
        return name

    def heard(self, name):
        """{source: packets} since listen()."""
        if not self.weir.alive("strangers"):
            raise RuntimeError("the banned sources stopped sending")
        self.weir.end(name, signal.SIGTERM)
        lines = [line.split() for line in self.weir.words(name).splitlines()]
        counts = {line[0]: int(line[1]) for line in lines if len(line) == 2}
        if "lost" in counts:
            raise RuntimeError("packet_count lost packets")
        return counts

    def passed(self, name):
        return {source: n for source, n in self.heard(name).items() if source in [*BANNED.values(), LATE]}


def check_honest(suite, weir, streams, when):
    for family, stream in streams.items():
        suite.check(f"{when}, the IPv{family} connection goes on", stream.went_on(20), stream.error or "")
    suite.check(f"{when}, a newcomer gets in", weir.connects(NEWCOMERS.pop(), patience_s=15))


def control_killed(suite, weir, streams, banned):
    ear = banned.listen()
    longest = max(stream.longest_s for stream in streams.values())
    weir.end("control", signal.SIGKILL)
    time.sleep(3)
    check_honest(suite, weir, streams, "with control killed")
    weir.start_control()
    weir.wait_governing()
    check_honest(suite, weir, streams, "with control back")
    passed = banned.passed(ear)
    suite.check("no packet of a banned source passed while control was dead and while it came back", not passed, passed or "")
    keys = {ban["key"].removesuffix("/128") for ban in weir.weirctl("ban", "list")["bans"]}
    wanted = {*BANNED, LATE}
    suite.check("control knows the bans again", wanted <= keys, wanted - keys or "")
    suite.say(f"longest wait of a connection for its data {max(stream.longest_s for stream in streams.values()):.3f} s "
              f"(before {longest:.3f} s)")


def dataplane_killed(suite, weir, streams, banned, with_control):
    when = "dataplane killed" + ("" if with_control else " while control is dead")
    sockets = [stream.connection.getsockname() for stream in streams.values()]
    whole = banned.listen()
    if not with_control:
        weir.end("control", signal.SIGKILL)
    weir.end("dataplane", signal.SIGKILL)
    down = banned.listen()
    time.sleep(2)
    suite.check(f"{when}: a newcomer does not get in without it", not weir.connects(NEWCOMERS.pop(), patience_s=1))
    heard = banned.heard(down)
    suite.check(f"{when}: nothing crosses while none runs", not heard, heard or "")
    began = time.monotonic()
    weir.start_dataplane()
    suite.check(f"{when}: restarted it lets a newcomer in", wait_for(lambda: weir.connects(NEWCOMERS[-1], patience_s=2), 20))
    suite.say(f"{time.monotonic() - began:.2f} s from its start to the newcomer's echo")
    check_honest(suite, weir, streams, when)
    suite.check(f"{when}: they are the same sockets", sockets == [stream.connection.getsockname() for stream in streams.values()])
    passed = banned.passed(whole)
    suite.check(f"{when}: not one packet of a banned source reached the node, before, while and after", not passed, passed or "")
    if not with_control:
        weir.start_control()
        weir.wait_governing()
        check_honest(suite, weir, streams, "with both back")


def control_stopped(suite, weir, streams, banned):
    ear = banned.listen()
    answer = weir.call("ban.add", ip=TEMPORARY, **{"for": 10})
    weir.wait_applied(answer["seq"])
    weir.send_signal("control", signal.SIGSTOP)
    began = time.monotonic()
    suite.check("a ban holds while control is stopped", not weir.connects(TEMPORARY, patience_s=3))
    check_honest(suite, weir, streams, "with control stopped")
    suite.check("the ban ends by itself while control is stopped", wait_for(lambda: weir.connects(TEMPORARY, patience_s=2), 20))
    ended_s = time.monotonic() - began
    suite.check("it did not end early", ended_s > 8, f"{ended_s:.1f} s of 10 s")
    time.sleep(max(0, STOPPED_S - (time.monotonic() - began)))
    check_honest(suite, weir, streams, f"with control stopped for {STOPPED_S} s")
    weir.send_signal("control", signal.SIGCONT)
    wait_for(lambda: weir.call("status")["dataplane"]["state"] == "governing", 10)
    newcomer = NEWCOMERS.pop()
    suite.check("control goes on: a source gets in", weir.connects(newcomer))
    answer = weir.call("ban.add", ip=newcomer)
    weir.wait_applied(answer["seq"])
    suite.check("and after ban.add it does not", not weir.connects(newcomer, patience_s=2))
    passed = banned.passed(ear)
    suite.check("no packet of a banned source passed meanwhile", not passed, passed or "")


def second_instances(suite, weir, streams):
    for name, command in (("control", weir.control_command()), ("dataplane", weir.dataplane_command())):
        process = weir.spawn(f"second-{name}", "governor", *command)
        ended = wait_for(lambda process=process: process.poll() is not None, 15)
        suite.check(f"a second {name} is refused", bool(ended) and process.returncode != 0,
                    (weir.words(f"second-{name}").strip().splitlines() or ["no word"])[-1])
        weir.end(f"second-{name}")
    check_honest(suite, weir, streams, "after second instances were refused")


def main():
    suite = Suite("live-restart")
    with Weir() as weir:
        for prefix in (*HONEST.values(), "10.77.4.0/24", TEMPORARY):
            weir.client_prefix(prefix)
        # The worst host: its own kernel would forward. Frames between the two ports are not addressed to it.
        weir.inside("governor", "sysctl", "-qw", "net.ipv4.ip_forward=1")
        EchoServer(weir)
        weir.start()
        for key in BANNED:
            answer = weir.call("ban.add", prefix=key)
        weir.call("snapshot.make", patience_s=30)
        answer = weir.call("ban.add", ip=LATE, sync=True)
        weir.wait_applied(answer["seq"])
        streams = {family: Stream(weir, source) for family, source in HONEST.items()}
        banned = Banned(weir)
        second_instances(suite, weir, streams)
        control_killed(suite, weir, streams, banned)
        dataplane_killed(suite, weir, streams, banned, with_control=True)
        dataplane_killed(suite, weir, streams, banned, with_control=False)
        control_stopped(suite, weir, streams, banned)
        for family, stream in streams.items():
            suite.check(f"the IPv{family} connection carried {stream.bytes:,} bytes unchanged through all of it", stream.stop(),
                        stream.error or "")
    return suite.finish()


if __name__ == "__main__":
    sys.exit(main())
