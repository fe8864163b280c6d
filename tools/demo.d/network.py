# SPDX-License-Identifier: BSD-3-Clause
"""The demo's network: three namespaces in a row, and counters at the node that know nothing of Weir.

    clients                         weir                       node
    c0 198.18.0.1 fd18::1 --------- out0 | in0 --------------- n0 198.18.0.2 fd18::2
    honest, bots, flood             dataplane, or a bridge     weir-node

Clients' addresses are whole prefixes that the clients' namespace treats as its own. Attack packets are told apart at the
node by what the generators put into them: floods use source ports below the kernel's range, bots have prefixes of their own.
"""
import json

from session import run

NODE_V4, NODE_V6, PORT = "198.18.0.2", "fd18::2", 30303

# Honest clients: two /18s of IPv4, and 64 /32s of IPv6 with one client a /48.
HONEST = ("198.18.128.0/17", "fd20::/26")
# The botnet: each bot in a /24 or a /32 of its own, so that no limit of a shared prefix helps against it.
BOTS = ("198.19.64.0/18", "fd40::/26")
# A network that the operator has banned.
BANNED = "198.19.192.0/24"
# The dense subnets: 4 /24s and 4 /64s of one /20 and one /48, and 14 honest hosts in the midst of one of the /24s.
DENSE = ("198.19.0.0/22", "fd60::/62")
INSIDE_DENSE = "198.19.0.16/28"
# Spoofed sources: whatever no real client of this network could answer for, and the clients' own networks too.
SPOOFED = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "198.18.0.0/15", "fd00::/8")
NOT_SPOOFED = ("198.18.0.0/24", "fd18::/64")  # the link itself

# The kernel gives clients ports from 32768 on.
FLOOD_PORTS = "1024-32767"

COUNTERS = f"""
table inet demo {{
	counter flood {{ }}
	counter bot_attempts {{ }}
	counter bot_packets {{ }}
	counter banned_packets {{ }}
	counter honest_packets {{ }}
	chain arriving {{
		type filter hook prerouting priority raw; policy accept;
		meta l4proto tcp tcp sport {FLOOD_PORTS} tcp flags & (syn | ack | rst) == syn counter name flood
		meta l4proto tcp tcp sport {FLOOD_PORTS} return
		ip saddr {BOTS[0]} tcp flags & (syn | ack) == syn counter name bot_attempts
		ip6 saddr {BOTS[1]} tcp flags & (syn | ack) == syn counter name bot_attempts
		ip saddr {BOTS[0]} counter name bot_packets return
		ip6 saddr {BOTS[1]} counter name bot_packets return
		ip saddr {BANNED} counter name banned_packets return
		th dport {PORT} counter name honest_packets
	}}
}}
"""


# (device, its namespace, far device, its namespace)
LINKS = (("out0", "weir", "c0", "clients"), ("in0", "weir", "n0", "node"))


class Network:
    def __init__(self, session):
        self.session = session
        self.bridged = False

    def _in(self, part, *command):
        return run(*self.session.inside(part, *command))

    def _set(self, part, **settings):
        self._in(part, "sysctl", "-qw", *(f"{key.replace('__', '.')}={value}" for key, value in settings.items()))

    def create(self, queues=1, links=LINKS):
        names = self.session.namespaces
        for name in names.values():
            run("ip", "netns", "add", name)
        for part in names:
            # quiet stacks: no addresses or routers but ours, no duplicate detection that delays the start
            self._set(part, net__ipv6__conf__all__accept_dad=0, net__ipv6__conf__default__accept_dad=0,
                      net__ipv6__conf__default__accept_ra=0, net__ipv4__conf__all__rp_filter=0,
                      net__ipv4__conf__default__rp_filter=0, net__ipv4__ip_forward=0, net__ipv6__conf__all__forwarding=0)
            self._in(part, "ip", "link", "set", "lo", "up")
        # between the two ends the kernel must have no say: without a dataplane or a bridge nothing passes
        self._set("weir", net__ipv6__conf__default__disable_ipv6=1)
        for near, near_part, far, far_part in links:
            run("ip", "link", "add", near, "netns", names[near_part], "numtxqueues", str(queues), "numrxqueues", str(queues),
                "type", "veth", "peer", "name", far, "netns", names[far_part], "numtxqueues", str(queues), "numrxqueues", str(queues))
            for where, link in ((near_part, near), (far_part, far)):
                # with offloads on, frames would carry checksums that were never computed
                self._in(where, "ethtool", "-K", link, "tx", "off", "sg", "off", "tso", "off", "gso", "off", "gro", "off")
                self._in(where, "ip", "link", "set", link, "up")
        self._addresses()
        self._in("node", "nft", "-f", self._write("counters.nft", COUNTERS))

    def _write(self, name, text):
        with open(self.session.path(name), "w", encoding="utf-8") as file:
            file.write(text)
        return self.session.path(name)

    def _addresses(self):
        for part, link, v4, v6 in (("clients", "c0", "198.18.0.1", "fd18::1"), ("node", "n0", NODE_V4, NODE_V6)):
            self._in(part, "ip", "addr", "add", v4 + "/24", "dev", link)
            self._in(part, "ip", "addr", "add", v6 + "/64", "dev", link, "nodad")
        self._in("node", "ip", "route", "add", "default", "via", "198.18.0.1")
        self._in("node", "ip", "-6", "route", "add", "default", "via", "fd18::1")
        for prefix in (*HONEST, *BOTS, INSIDE_DENSE, BANNED):
            self._in("clients", "ip", "-6" if ":" in prefix else "-4", "route", "add", "local", prefix, "dev", "lo")
        # answers to spoofed sources end here in silence, as most do on the Internet
        self._in("clients", "ip", "route", "add", "blackhole", "default")
        self._in("clients", "ip", "-6", "route", "add", "blackhole", "default")

    def node_mac(self):
        return self._in("node", "cat", "/sys/class/net/n0/address").strip()

    def bridge(self):
        """Join both links by a plain bridge: the same path without Weir."""
        self._in("weir", "ip", "link", "add", "br0", "type", "bridge", "stp_state", "0", "mcast_snooping", "0")
        for link in ("out0", "in0"):
            self._in("weir", "ip", "link", "set", link, "master", "br0")
            self._in("weir", "ip", "link", "set", link, "up")
        self._in("weir", "ip", "link", "set", "br0", "up")
        self.bridged = True

    def counters(self):
        """Packets that reached the node so far, by kind."""
        listing = json.loads(self._in("node", "nft", "-j", "list", "counters", "table", "inet", "demo"))
        return {item["counter"]["name"]: item["counter"]["packets"] for item in listing["nftables"] if "counter" in item}
