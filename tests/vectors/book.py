# SPDX-License-Identifier: BSD-3-Clause
"""Sequences of the address book: V14, V15, V27, V28, V41, and LO-4, HE-8 of section 5.6."""
from simulation import vector


def add(simulation, t, ip, port=8333, **fields):
    return simulation.ask(t, "book.add", entries=[{"ip": ip, "port": port, "source": "gossip"} | fields])["results"][0]


def ips(addresses):
    return [address["ip"] for address in addresses["addrs"]]


@vector("V14: quality of an address, and the blacklist")
def quality(expect):
    simulation = expect.simulation("spacetime", "book.allow_doc=yes", ticks=False)
    for n, (history, value) in enumerate((("", .5), ("SSSF", .75), ("SFFFFF", 1 / 6), ("FFFFS", .2))):
        where = {"ip": f"203.0.113.{n + 1}", "port": 8333}
        add(simulation, 0, where["ip"])
        for outcome in history:
            simulation.ask(0, "book.record", ok=outcome == "S", **where)
        expect.same(history, simulation.ask(0, "book.get", **where)["quality"], value)
    simulation.ask(0, "conn.open", ip="198.51.100.1", port=1, direction="in", id="p")
    for n in range(5):
        record = simulation.ask(1, "peer.record", id="p", ok=False)
        expect.same(f"failure {n + 1}", record["blacklisted"], n == 4)
    expect.same("its reputation", record["reputation"], -10)


@vector("V15: limits of a subnet and of the book, and the best")
def limits(expect):
    simulation = expect.simulation("spacetime", "book.allow_doc=yes", "book.per_subnet=2", ticks=False)
    for ip, added in (("203.0.113.1", True), ("203.0.113.2", True), ("203.0.113.3", False), ("203.0.114.1", True)):
        expect.same(ip, add(simulation, 0, ip)["added"], added)
    small = expect.simulation("spacetime", "book.allow_doc=yes", "book.capacity=2", ticks=False)
    add(small, 0, "203.0.113.1")
    add(small, 0, "198.51.100.1")
    small.ask(1, "book.record", ip="198.51.100.1", port=8333, ok=True)
    expect.same("the third comes in", add(small, 2, "192.0.2.1")["added"], True)
    expect.same("the worst went", small.ask(2, "book.get", ip="203.0.113.1", port=8333), None)
    best = expect.simulation("spacetime", "book.allow_doc=yes", ticks=False)
    for ip in ("203.0.113.1", "203.0.113.2", "203.0.113.3"):
        add(best, 0, ip)
    best.ask(1, "book.record", ip="203.0.113.2", port=8333, ok=True)
    best.ask(1, "book.record", ip="203.0.113.1", port=8333, ok=False)
    expect.same("the best two", ips(best.ask(2, "book.best", n=2)), ["203.0.113.2", "203.0.113.3"])


ROWS = {"a": ("11.0.0.1", "inbound", 900, 0), "b": ("11.0.1.1", "outbound", 1000, 10), "c": ("11.0.2.1", "outbound", 1001, 0),
        "d": ("11.0.3.1", "preferred", 500, 11), "e": ("11.0.4.1", "preferred", 500, 10)}


def stellar(expect, t=1000):
    simulation = expect.simulation("stellar", ticks=False)
    for ip, kind, next_attempt, failures in ROWS.values():
        simulation.ask(t, "book.put", ip=ip, port=11625, type=kind, next_attempt=next_attempt, failures=failures)
    return simulation


def names(addresses):
    return {name for name, row in ROWS.items() if row[0] in ips(addresses)}


@vector("V27: random addresses by filter")
def random(expect):
    simulation = stellar(expect)
    for given, found in (({}, "be"), ({"ready": False}, "bce"), ({"filter": "outbound"}, "b"), ({"filter": "inbound"}, "a"),
                         ({"max_failures": None}, "bde")):
        got = names(simulation.ask(1000, "book.random", n=10, **given))
        expect.same(str(given), "".join(sorted(got)), found)


@vector("V28: removing what failed, and what is sent to a peer")
def to_send(expect):
    simulation = stellar(expect)
    expect.same("removed", simulation.ask(1000, "book.remove_failed", min=10)["removed"], 3)
    expect.same("left", simulation.ask(1000, "book.count")["count"], 2)
    fresh = expect.simulation("stellar", ticks=False)
    for name, ip, kind in (("a", "11.0.0.1", "inbound"), ("b", "11.0.1.1", "outbound"), ("c", "11.0.2.1", "outbound"), ("d", "11.0.3.1", "preferred"),
                           ("f", "10.0.0.1", "outbound")):
        add(fresh, 0, ip, 11625, type=kind)
    got = ips(fresh.ask(1, "book.to_send", n=3, exclude=[{"ip": "11.0.2.1", "port": 11625}]))
    expect.same("preferred, outbound, inbound", got, ["11.0.3.1", "11.0.1.1", "11.0.0.1"])


@vector("V41: which addresses are kept")
def addresses(expect):
    simulation = expect.simulation("spacetime", ticks=False)
    for ip in ("::ffff:10.0.0.1", "169.254.1.1", "100.64.0.1", "0.1.2.3", "224.0.0.1", "240.0.0.1", "255.255.255.255", "fe80::1", "fc00::1", "ff02::1",
               "::", "::1", "172.16.0.0", "172.31.255.255", "10.0.0.1", "192.168.1.1"):
        expect.same(ip, add(simulation, 0, ip)["added"], False)
    for ip in ("172.15.255.255", "172.32.0.0", "192.167.255.255"):
        expect.same(ip, add(simulation, 0, ip)["added"], True)
    for port, added in ((0, False), (65536, False), (1, True), (65535, True)):
        expect.same(f"port {port}", add(simulation, 0, "172.32.9.9", port)["added"], added)


@vector("LO-4: 60, 120, 240, 480, 960 s, then stop")
def reconnect(expect):
    simulation = expect.simulation("lorachain", ticks=False)
    add(simulation, 0, "11.0.0.1")
    where, t = {"ip": "11.0.0.1", "port": 8333}, 0
    for wait in (60, 120, 240, 480, 960):
        simulation.ask(t, "book.record", ok=False, **where)
        expect.same(f"after {wait}", simulation.ask(t, "book.get", **where)["next_attempt"], t + wait)
        t += wait
    simulation.ask(t, "book.record", ok=False, **where)
    last = simulation.ask(t, "book.get", **where)
    expect.true("given up", last is None or (last["next_attempt"] is None and not last["ready"]))


@vector("HE-8: a reset waits one to ten seconds")
def reset(expect):
    simulation = expect.simulation("stellar", ticks=False)
    add(simulation, 0, "11.0.0.1", 11625)
    for n in range(20):
        record = simulation.ask(100 * n, "book.update", ip="11.0.0.1", port=11625, backoff="reset")
        expect.true(f"reset {n}", 100 * n + 1 <= record["next_attempt"] <= 100 * n + 10 and record["failures"] == 0)
    hard = simulation.ask(3000, "book.update", ip="11.0.0.1", port=11625, backoff="hard_reset")
    expect.same("a hard one does not wait", hard["next_attempt"], 3000)
    for failures in (1, 2, 3):
        record = simulation.ask(4000, "book.update", ip="11.0.0.1", port=11625, backoff="increase")
        expect.true(f"increase {failures}", 4001 <= record["next_attempt"] <= 4000 + 10 * 2 ** failures and record["failures"] == failures)
