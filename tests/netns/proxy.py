#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The SYN proxy between two real kernels: whatever options either end has, whatever is lost, however either end closes. Every newcomer
is challenged, and nobody notices more than a round trip. With words as arguments only the parts of these names run."""
import itertools
import random
import socket
import struct
import sys
import threading
import time

import transfer
from proxy_kit import (CLOSED_PORT, FAMILIES, FIRST_PORT, HALF_OPEN_S, KIND, NODE, SILENT_PORT, SPARE_PORT, SYSCTLS, ProxyWeir, delta, echoes,
                       first_lost, flags_are, seconds)
from weir import TCP_PORT, Suite, wait_for

ON = {"tcp_timestamps": 1, "tcp_sack": 1, "tcp_window_scaling": 1, "tcp_ecn": 1}
SHORT = {"tcp_timestamps": "timestamps", "tcp_sack": "SACK", "tcp_window_scaling": "window scaling", "tcp_ecn": "ECN"}
LARGEST_SYN = {4: 80, 6: 100}  # without data
SO_RCVBUFFORCE = 33
TCP_CLOSE = 7  # TCP_INFO's first byte
RESET_SILENTLY = struct.pack("ii", 1, 0)  # SO_LINGER: close() sends a RST


def described(values):
    """"timestamps and SACK", "no option"."""
    return " and ".join(SHORT[name] for name, value in values.items() if value) or "no option"


def combinations():
    return [dict(zip(SYSCTLS, bits)) for bits in itertools.product((1, 0), repeat=len(SYSCTLS))]


def options(suite, weir):
    """All 16 combinations of a client's options against all 16 of a node's: the node's change under the proxy, which has promised what
    it saw before."""
    for node in combinations():
        weir.sysctl("node", **node)
        for family in FAMILIES:
            before, failed = weir.counts(), []
            for client in combinations():
                weir.sysctl("client", **client)
                why = echoes(weir, family)
                if why:
                    failed.append(f"client with {described(client)}: {why}")
            after = weir.counts()
            opened = [delta(after, before, name) for name in ("challenged", "proxy_accepted", "proxy_opened")]
            suite.check(f"IPv{family}: 16 kinds of client are challenged and echo 200 kB both ways with a node that has {described(node)}",
                        not failed and min(opened) >= 16, "; ".join(failed[:3]) or opened)
    for part in ("client", "node"):
        weir.sysctl(part, **ON)


def handshake(suite, weir):
    """One chosen packet of the handshake is lost; then the ways of beginning that are not the usual one."""
    def with_loss(family, sentence, part, hook, match, port=TCP_PORT, count=1, counter=None):
        before = weir.counts()
        with weir.losing(part, hook, first_lost(match, family, count)) as lost:
            why = echoes(weir, family, port=port)
            holds = why is None and lost() == count
            suite.check(f"IPv{family}: {sentence}", holds, why or f"{lost()} lost")
        if counter:
            suite.check(f"IPv{family}: Weir counted it as {counter}", delta(weir.counts(), before, counter) > 0)

    for family in FAMILIES:
        to_node, to_client = f"tcp dport {TCP_PORT}", f"tcp sport {TCP_PORT}"
        with_loss(family, "the client's ACK of the cookie is lost, and its zero-window probe brings the cookie", "client", "output",
                  f"{to_node} {flags_are('ack')}")
        with_loss(family, "the cookie is lost, and the resent SYN is answered again", "client", "input",
                  f"{to_client} {flags_are('syn | ack')}")
        with_loss(family, "both segments that open the window are lost, and the client's probe asks for it", "client", "input",
                  f"{to_client} {flags_are('ack')}", count=2)
        with_loss(family, "the proxy's SYN to the node is lost and sent again", "node", "input", f"{to_node} {flags_are('syn')}",
                  counter="proxy_resent")
        with_loss(family, "the node's SYN-ACK is lost", "node", "output", f"{to_client} {flags_are('syn | ack')}")
        with_loss(family, "the proxy's ACK of the node's SYN-ACK is lost", "node", "input", f"{to_node} {flags_are('ack')}")
        silent_client(suite, weir, family)
        to_first = f"tcp dport {FIRST_PORT}"
        suite.check(f"IPv{family}: a service whose node speaks first greets", echoes(weir, family, port=FIRST_PORT) is None)
        with_loss(family, "where the node speaks first, the client's answer to the challenge is lost, and it is challenged again",
                  "client", "output", f"{to_first} {flags_are('rst')}", FIRST_PORT)
        with_loss(family, "where the node speaks first, the client's ACK is lost, and it is greeted all the same", "client", "output",
                  f"{to_first} {flags_are('ack')}", FIRST_PORT)
        fast_open(suite, weir, family)
        same_ports(suite, weir, family)
        again_after_close(suite, weir, family)


def silent_client(suite, weir, family):
    """A client that says nothing: whatever the node still waits for, the proxy must get out of the client's kernel."""
    to_node = f"tcp dport {SPARE_PORT} {flags_are('ack')}"
    for what, hook, match, count in (("nothing", "input", None, 0), ("the proxy's ACK", "input", to_node, 1),
                                     ("the proxy's ACK and the client's", "input", to_node, 2),
                                     ("the node's SYN-ACK", "output", f"tcp sport {SPARE_PORT} {flags_are('syn | ack')}", 1)):
        rule = first_lost(match, family, count) if match else "tcp dport 1 counter"
        with weir.losing("node", hook, rule) as lost:
            try:
                with weir.both_ends(family) as (client, node):
                    node.sendall(b"welcome")
                    client.settimeout(10)
                    greeted = client.recv(100)
            except OSError as error:
                greeted = error
            suite.check(f"IPv{family}: a client that says nothing is greeted by the node, {what} being lost", greeted == b"welcome" and
                        lost() == count, greeted)


def fast_open(suite, weir, family):
    """Data in the SYN is not taken by the proxy, because nobody is there yet to take it: the client sends it again."""
    weir.sysctl("node", tcp_fastopen=3)
    for value, words, in_syn in ((5, "data in the SYN, without asking for a cookie first,", 1), (1, "a SYN that asks for a Fast Open cookie", 0)):
        weir.sysctl("client", tcp_fastopen=value)
        connection = weir.open_socket("client", KIND[family])
        with_data = f"tcp dport {TCP_PORT} tcp flags & (syn | ack) == syn meta length > {LARGEST_SYN[family]} counter"

        def say(head, it=connection):
            it.setsockopt(socket.IPPROTO_TCP, socket.TCP_SYNCNT, 4)
            it.settimeout(None)  # a socket that must not wait could not send before it is connected
            it.sendto(head, socket.MSG_FASTOPEN, (NODE[family], TCP_PORT))
            it.settimeout(20)
        with connection, weir.losing("client", "output", with_data) as seen:
            connection.bind((weir.source(family), 0))
            try:
                transfer.exchange(connection, 200_000, 200_000, say=say)
                why = None
            except OSError as error:
                why = error
            suite.check(f"IPv{family}: {words} ends in a connection that carries it once", why is None and seen() == in_syn,
                        why or f"{seen()} SYNs with data")
    for part in ("client", "node"):
        weir.sysctl(part, tcp_fastopen=1)


def same_ports(suite, weir, family):
    """The client's machine forgot its connection, which Weir and the node still have, and dials from the same port."""
    source = weir.source(family)
    first = weir.dial(family, source=source)
    transfer.exchange(first, 1000, 1000)
    port = first.getsockname()[1]
    first.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_SILENTLY)
    with weir.losing("client", "output", f"tcp dport {TCP_PORT} tcp flags rst counter drop") as lost:
        first.close()
        wait_for(lost, 5)
    second = weir.open_socket("client", KIND[family])
    with second:
        second.settimeout(30)
        try:
            second.bind((source, port))
            second.connect((NODE[family], TCP_PORT))
            transfer.exchange(second, 200_000, 200_000)
            why = None
        except OSError as error:
            why = error
    suite.check(f"IPv{family}: a client that forgot its connection gets a new one from the same port", why is None, why or "")


def again_after_close(suite, weir, family):
    """The node closed first and remembers the connection for a minute; the client dials from the same port at once."""
    source, whys, port = weir.source(family), [], 0
    for _ in range(3):
        with weir.listen() as listener, weir.open_socket("client", KIND[family]) as client:
            client.settimeout(20)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                client.bind((source, port))
                client.connect((NODE[family], SPARE_PORT))
                port = client.getsockname()[1]
                client.sendall(b"word")
                node, _address = listener.accept()
                with node:
                    node.recv(4, socket.MSG_WAITALL)
                    node.shutdown(socket.SHUT_WR)
                    client.recv(1)
                    client.close()
                    node.recv(1)
                wait_for(lambda: not weir.inside("client", "ss", "-Htn", "state", "last-ack", f"sport = :{port}").strip(), 5)
            except OSError as error:
                whys.append(str(error))
    suite.check(f"IPv{family}: three connections one after the other from one port, each closed by the node", not whys, whys or "")


def windows(suite, weir):
    """Readers that are slow and have little room: windows close, open and are small, while the scale that was promised is another
    one than the node's."""
    for family in FAMILIES:
        for scaling, room, words in ((1, 0, "as much room as it likes"), (1, 2500, "room for 2.5 kB"), (0, 2500, "room for 2.5 kB and no window scaling"),
                                     (0, 0, "no window scaling"), (1, 4_000_000, "room for 4 MB")):
            weir.sysctl("node", tcp_window_scaling=scaling)
            for reader, kind in ((1, "node"), (0, "client")):
                why = slow_reader(weir, family, reader, room)
                suite.check(f"IPv{family}: a {kind} that reads slowly, at a node with {words}, gets every byte", why is None, why or "")
    weir.sysctl("node", tcp_window_scaling=1)


def slow_reader(weir, family, reader, room):
    """None, or why 400 kB do not come whole to the end that reads slowly."""
    content = random.Random(family).randbytes(400_000)

    def little_room(connection):
        if room:
            connection.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, room)
    try:
        with weir.listen() as listener:
            little_room(listener)
            with weir.dial(family, SPARE_PORT, prepare=little_room if reader == 0 else None) as client:
                node, _address = listener.accept()
                with node:
                    node.settimeout(30)
                    ends = client, node
                    sender = threading.Thread(target=quietly, args=(ends[1 - reader].sendall, content), daemon=True)
                    sender.start()
                    time.sleep(0.3)  # until its window is closed
                    got = b""
                    while len(got) < len(content):
                        more = ends[reader].recv(20_000)
                        if not more:
                            return f"closed after {len(got):,} bytes"
                        got += more
                        time.sleep(0.002)
        return None if got == content else "bytes are changed"
    except OSError as error:
        return str(error)


def quietly(action, *arguments):
    """What fails at one end is seen at the other."""
    try:
        action(*arguments)
    except OSError:
        pass


def path(suite, weir):
    """A link of MTU 1280 behind the client: the node's segments are too big, and the ICMP errors that say so quote numbers that the
    proxy has changed."""
    weir.far_network()
    for family, source in ((4, "10.78.0.2"), (6, "fd78::2")):
        before = weir.counts()
        why = echoes(weir, family, 500_000, source=source, part="far")
        after = weir.counts()
        suite.check(f"IPv{family}: where the path is narrower than both ends think, the node learns it through the proxy",
                    why is None and delta(after, before, "proxy_opened") == 1 and delta(after, before, "icmp_of_flow") > 0,
                    why or f"{delta(after, before, 'icmp_of_flow')} ICMP errors")
        known = weir.inside("node", "ip", f"-{family}", "route", "get", source)
        suite.check(f"IPv{family}: it took the ICMP error for its own", "mtu 1280" in known, known.strip())


def closes(suite, weir):
    """Either end stops sending first, and the other still has much to say."""
    for family in FAMILIES:
        for first, words in ((0, "client"), (1, "node")):
            with weir.both_ends(family) as ends:
                closer, other = ends[first], ends[1 - first]
                closer.sendall(b"all that I have")
                closer.shutdown(socket.SHUT_WR)
                data = b""
                while more := other.recv(65536):
                    data += more
                sender = threading.Thread(target=lambda it=other: (it.sendall(bytes(3_000_000)), it.shutdown(socket.SHUT_WR)))
                sender.start()
                came = 0
                while more := closer.recv(1 << 18):
                    came += len(more)
                sender.join()
            suite.check(f"IPv{family}: the {words} closes its half, and 3 MB still come the other way", data == b"all that I have" and
                        came == 3_000_000, f"{came:,} bytes")
        with weir.both_ends(family) as (client, node):
            barrier = threading.Barrier(2)
            thread = threading.Thread(target=lambda it=node, at=barrier: (at.wait(), it.shutdown(socket.SHUT_WR)))
            thread.start()
            barrier.wait()
            client.shutdown(socket.SHUT_WR)
            thread.join()
            ends = client.recv(10), node.recv(10)
        suite.check(f"IPv{family}: both close at once, and both hear it", ends == (b"", b""))

    def waiting():
        return [line for part in ("client", "node") for state in ("fin-wait-1", "fin-wait-2", "closing", "last-ack", "close-wait")
                for line in weir.inside(part, "ss", "-Htn", "state", state, f"( sport = :{SPARE_PORT} or dport = :{SPARE_PORT} )").splitlines()]
    suite.check("no end waits for a FIN or for an ACK of its own", wait_for(lambda: not waiting(), 5), waiting() or "")


def hears_reset(connection, patience_s):
    """Seconds until a read ends in a reset; None when it does not."""
    connection.settimeout(patience_s)
    began = time.monotonic()
    try:
        while connection.recv(1 << 18):
            pass
    except ConnectionResetError:
        return time.monotonic() - began
    except OSError:
        pass
    return None


def hears_reset_sending(connection):
    """Whether the kernel holds an error against a connection whose reads have all ended."""
    return bool(wait_for(lambda: connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) != 0 or
                         connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == TCP_CLOSE, 10))


def describe_s(after):
    return "never" if after is None else f"{after:.2f} s"


def reset(connection):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_SILENTLY)
    connection.close()


def resets(suite, weir):
    for family in FAMILIES:
        for first, words in ((0, "client"), (1, "node")):
            with weir.both_ends(family) as ends:
                reset(ends[first])
                after = hears_reset(ends[1 - first], 10)
            suite.check(f"IPv{family}: a RST of the {words} right after the handshake reaches the other end", after is not None)
            with weir.both_ends(family) as ends:
                stuffer = threading.Thread(target=stuff, args=(ends[1 - first],), daemon=True)
                stuffer.start()
                ends[first].recv(200_000, socket.MSG_WAITALL)
                reset(ends[first])
                stuffer.join(10)
            suite.check(f"IPv{family}: a RST of the {words} in the middle of a stream ends the other's", not stuffer.is_alive())
            with weir.both_ends(family) as ends:
                ends[1 - first].shutdown(socket.SHUT_WR)
                heard = ends[first].recv(1)
                reset(ends[first])
                after = hears_reset_sending(ends[1 - first])
            suite.check(f"IPv{family}: a RST of the {words} reaches the other end, which has closed its half", heard == b"" and after)
        refused(suite, weir, family)
        silent(suite, weir, family)


def stuff(connection):
    """Send until the other end resets."""
    def forever():
        while True:
            connection.sendall(bytes(100_000))
    quietly(forever)


def refused(suite, weir, family):
    before = weir.counts()
    try:
        with weir.dial(family, CLOSED_PORT) as connection:
            after = hears_reset(connection, 10)
    except (ConnectionResetError, ConnectionRefusedError):
        after = 0  # so soon that connect() itself fails
    suite.check(f"IPv{family}: where the node refuses, the client is told at once", after is not None, describe_s(after))
    suite.check(f"IPv{family}: Weir counted the refusal", delta(weir.counts(), before, "proxy_refused") == 1)


def silent(suite, weir, family):
    """The node drops what comes: nobody answers the proxy."""
    with weir.losing("node", "input", f"tcp dport {SILENT_PORT} counter drop") as lost:
        before = weir.counts()
        with weir.dial(family, SILENT_PORT) as connection:
            connection.sendall(b"is anybody there?")
            after = hears_reset(connection, HALF_OPEN_S + 15)
        counts = weir.counts()
        suite.check(f"IPv{family}: where the node is silent, the client is reset after the half-open timeout",
                    after is not None and after > HALF_OPEN_S - 2, f"{describe_s(after)}, {lost()} packets to the node")
        suite.check(f"IPv{family}: Weir counted the silence", delta(counts, before, "proxy_silent") == 1)
        heard = lost()
        with weir.dial(family, SILENT_PORT) as connection:
            wait_for(lambda: lost() > heard, 5)
            reset(connection)
        gone = wait_for(lambda: weir.counts()["flows_half_open"] <= counts["flows_half_open"], HALF_OPEN_S - 2, 0.1)
        suite.check(f"IPv{family}: a client that resets while the node is dialled is forgotten at once", bool(gone))
        suite.check(f"IPv{family}: and nobody is said to be silent", weir.counts()["proxy_silent"] == counts["proxy_silent"])


PARTS = {"options": options, "handshake": handshake, "windows": windows, "closes": closes, "resets": resets, "path": path}


def main():
    suite = Suite("proxy")
    chosen = sys.argv[1:] or list(PARTS)
    with ProxyWeir() as weir:
        weir.begin()
        for name in chosen:
            suite.say(f"--- {name}")
            suite.say(f"{seconds(lambda name=name: PARTS[name](suite, weir)):.1f} s")
        suite.check("no sanitizer has complained of the dataplane", not weir.complaints(), weir.complaints())
    return suite.finish()


if __name__ == "__main__":
    sys.exit(main())
