# SPDX-License-Identifier: BSD-3-Clause
"""Frames and captures by hand (struct.pack), for tests of weir-replay. Every field can be wrong on purpose."""
import ipaddress
import struct

NODE_V4, NODE_V6 = "192.0.2.10", "2001:db8::10"
PORT = 30303
CLIENT_MAC, NODE_MAC = bytes.fromhex("020000000102"), bytes.fromhex("020000000a0b")
FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
EN10MB, RAW, LINUX_SLL, LINUX_SLL2 = 1, 101, 113, 276


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def packed(address):
    return ipaddress.ip_address(address).packed


def is_v6(address):
    return ":" in address


def pseudo(source, destination, protocol, length):
    if is_v6(source):
        return packed(source) + packed(destination) + struct.pack("!II", length, protocol)
    return packed(source) + packed(destination) + struct.pack("!BBH", 0, protocol, length)


def tcp(source, destination, sport, dport, flags, seq=0, ack=0, payload=b"", options=b"", offset=None, window=64240, bad_sum=False):
    options += b"\0" * (-len(options) % 4)
    words = 5 + len(options) // 4 if offset is None else offset
    head = struct.pack("!HHIIBBHHH", sport, dport, seq & 0xffffffff, ack & 0xffffffff, words << 4, flags, window, 0, 0)
    segment = head + options + payload
    value = checksum(pseudo(source, destination, 6, len(segment)) + segment) ^ (0x5555 if bad_sum else 0)
    return segment[:16] + struct.pack("!H", value) + segment[18:]


def udp(source, destination, sport, dport, payload=b"x", length=None, bad_sum=False, no_sum=False):
    length = 8 + len(payload) if length is None else length
    datagram = struct.pack("!HHHH", sport, dport, length, 0) + payload
    value = (checksum(pseudo(source, destination, 17, len(datagram)) + datagram) or 0xffff) ^ (0x5555 if bad_sum else 0)
    return datagram[:6] + struct.pack("!H", 0 if no_sum else value) + datagram[8:]


def icmp(source, destination, kind, code, rest, data, bad_sum=False):
    message = struct.pack("!BBH", kind, code, 0) + rest + data
    over = pseudo(source, destination, 58, len(message)) + message if is_v6(source) else message
    return message[:2] + struct.pack("!H", checksum(over) ^ (0x5555 if bad_sum else 0)) + message[4:]


def ipv4(source, destination, protocol, payload, options=b"", ttl=64, version=4, words=None, total=None, flags=0, offset=0, ident=7,
         bad_sum=False):
    options += b"\0" * (-len(options) % 4)
    words = 5 + len(options) // 4 if words is None else words
    total = 20 + len(options) + len(payload) if total is None else total
    head = struct.pack("!BBHHHBBH4s4s", version << 4 | words, 0, total, ident, flags << 13 | offset, ttl, protocol, 0,
                       packed(source), packed(destination)) + options
    value = checksum(head) ^ (0x5555 if bad_sum else 0)
    return head[:10] + struct.pack("!H", value) + head[12:] + payload


def ipv6(source, destination, next_header, payload, hops=64, length=None):
    return struct.pack("!IHBB", 6 << 28, len(payload) if length is None else length, next_header, hops) + packed(source) + \
        packed(destination) + payload


def ip(source, destination, protocol, payload, **more):
    return (ipv6 if is_v6(source) else ipv4)(source, destination, protocol, payload, **more)


def ethernet(packet, source=CLIENT_MAC, destination=NODE_MAC, tags=(), kind=None):
    if kind is None:
        kind = 0x86dd if packet[:1] and packet[0] >> 4 == 6 else 0x0800
    head = destination + source
    for tag_type, tag in tags:
        head += struct.pack("!HH", tag_type, tag)
    return head + struct.pack("!H", kind) + packet


def from_client(source, protocol, payload, node=None, **more):
    """A frame of a client to the node."""
    return ethernet(ip(source, node or (NODE_V6 if is_v6(source) else NODE_V4), protocol, payload, **more))


def tcp_in(source, sport, flags, seq=0, ack=0, dport=PORT, **more):
    node = NODE_V6 if is_v6(source) else NODE_V4
    return from_client(source, 6, tcp(source, node, sport, dport, flags, seq, ack, **more))


def tcp_out(client, port, flags, seq=0, ack=0, sport=PORT, **more):
    node = NODE_V6 if is_v6(client) else NODE_V4
    return ethernet(ip(node, client, 6, tcp(node, client, sport, port, flags, seq, ack, **more)), source=NODE_MAC, destination=CLIENT_MAC)


def udp_in(source, sport, payload=b"ping", dport=PORT, **more):
    node = NODE_V6 if is_v6(source) else NODE_V4
    return from_client(source, 17, udp(source, node, sport, dport, payload, **more))


def udp_out(client, port, payload=b"pong", sport=PORT):
    node = NODE_V6 if is_v6(client) else NODE_V4
    return ethernet(ip(node, client, 17, udp(node, client, sport, port, payload)), source=NODE_MAC, destination=CLIENT_MAC)


def handshake(client, port, t, seq=1000, node_seq=5000):
    """SYN, SYN-ACK and ACK with their times; the client is proven afterwards."""
    return [(t, tcp_in(client, port, SYN, seq)), (t + .001, tcp_out(client, port, SYN | ACK, node_seq, seq + 1)),
            (t + .002, tcp_in(client, port, ACK, seq + 1, node_seq + 1))]


def pcap(frames, link=EN10MB, nano=False, snap=262144, start=1_700_000_000):
    """A capture of (seconds since start, frame) or frames alone, one a millisecond."""
    data = struct.pack("<IHHiIII", 0xa1b23c4d if nano else 0xa1b2c3d4, 2, 4, 0, 0, snap, link)
    for i, frame in enumerate(frames):
        t, frame = frame if isinstance(frame, tuple) else (i / 1000, frame)
        whole = round(t * 1_000_000_000)
        parts = divmod(whole, 1_000_000_000)
        kept = frame[:snap]
        data += struct.pack("<IIII", start + parts[0], parts[1] if nano else parts[1] // 1000, len(kept), len(frame)) + kept
    return data


def pcapng(frames, link=EN10MB, start=1_700_000_000):
    """Section header, one interface (microseconds), enhanced packets."""
    data = struct.pack("<IIIHHqI", 0x0a0d0d0a, 28, 0x1a2b3c4d, 1, 0, -1, 28)
    data += struct.pack("<IIHHII", 1, 20, link, 0, 0, 20)
    for t, frame in frames:
        stamp = round((start + t) * 1_000_000)
        body = frame + b"\0" * (-len(frame) % 4)
        data += struct.pack("<IIIIIII", 6, 32 + len(body), 0, stamp >> 32, stamp & 0xffffffff, len(frame), len(frame)) + body
        data += struct.pack("<I", 32 + len(body))
    return data
