# SPDX-License-Identifier: BSD-3-Clause
"""Addresses as others see them: who asks (V28), what a source may not do (V15), whose circuit is told (V22)."""
from simulation import vector


def add(simulation, t, ip, port=8333, **fields):
    return simulation.ask(t, "book.add", entries=[{"ip": ip, "port": port} | fields])["results"][0]


def ips(answer):
    return [address["ip"] for address in answer["addrs"]]


@vector("V28: the asker is dropped by his name as by exclusion")
def asker(expect):
    simulation = expect.simulation("stellar", ticks=False)
    for ip, kind in (("11.0.0.1", "inbound"), ("11.0.1.1", "outbound"), ("11.0.2.1", "outbound"), ("11.0.3.1", "preferred"), ("10.0.0.1", "outbound")):
        add(simulation, 0, ip, 11625, type=kind)
    where = "11.0.2.1"
    expect.same("preferred, outbound, inbound", ips(simulation.ask(1, "book.to_send", n=3, asker=where)), ["11.0.3.1", "11.0.1.1", "11.0.0.1"])
    expect.same("the first size", ips(simulation.ask(1, "book.to_send", n=2, asker=where)), ["11.0.3.1", "11.0.1.1"])


@vector("V15: a source of \"config\" is counted and evicted like another one")
def configured(expect):
    simulation = expect.simulation("spacetime", "book.allow_doc=yes", "book.per_subnet=2", ticks=False)
    for ip, added in (("203.0.113.1", True), ("203.0.113.2", True), ("203.0.113.3", False), ("203.0.114.1", True)):
        expect.same(ip, add(simulation, 0, ip, source="config")["added"], added)
    small = expect.simulation("spacetime", "book.allow_doc=yes", "book.capacity=2", ticks=False)
    for ip in ("203.0.113.1", "198.51.100.1"):
        add(small, 0, ip, source="config")
    small.ask(1, "book.record", ip="198.51.100.1", port=8333, ok=True)
    expect.same("the third comes in", add(small, 2, "192.0.2.1", source="config")["added"], True)
    expect.same("the worst went", small.ask(2, "book.get", ip="203.0.113.1", port=8333), None)


@vector("V37: Dugite and Ouroboros never evict what is configured")
def kept(expect):
    for profile in ("dugite", "ouroboros"):
        simulation = expect.simulation(profile, "book.allow_doc=yes", "book.capacity=2", ticks=False)
        for ip in ("203.0.113.1", "198.51.100.1"):
            add(simulation, 0, ip, source="config")
        expect.same(profile, add(simulation, 1, "192.0.2.1"), {"added": False, "why": "full"})
