#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Bytes both ways at once with a checksum each: the node's end as a process, the client's as a function. A block that is lost, changed,
repeated or moved changes the checksum: every block carries its number.

    transfer.py serve PORT[:first]...   first: the node greets before the client has said a word
"""
import random
import socket
import struct
import sys
import threading
import zlib

HEAD = struct.Struct("!4sQQQB")  # magic, bytes up, bytes down, seed, whether there are checksums
TAIL = struct.Struct("!III")     # of what was sent down, of what came up, the node's MSS for this connection
MAGIC = b"WEIR"
GREETING = b"220 the node speaks first\r\n"
TCP_FASTOPEN = 23
BLOCK = (1 << 18) + 7  # no multiple of any segment


def _send(connection, count, seed, checked):
    """Checksum of what was sent."""
    block = bytearray(random.Random(seed).randbytes(max(8, min(count, BLOCK))))
    checksum, number = 0, 0
    while count > 0:
        struct.pack_into("!Q", block, 0, number)
        part = memoryview(block)[:min(count, len(block))]
        connection.sendall(part)
        if checked:
            checksum = zlib.crc32(part, checksum)
        count -= len(part)
        number += 1
    return checksum


def _receive(connection, count, checked):
    checksum, room = 0, memoryview(bytearray(BLOCK))
    while count > 0:
        n = connection.recv_into(room[:min(count, BLOCK)])
        if n == 0:
            raise OSError(f"closed with {count:,} bytes to come")
        if checked:
            checksum = zlib.crc32(room[:n], checksum)
        count -= n
    return checksum


def _receive_exactly(connection, count):
    data = b""
    while len(data) < count:
        more = connection.recv(count - len(data))
        if not more:
            raise OSError("closed too early")
        data += more
    return data


class _Sender(threading.Thread):
    """Sends in the background, because both ends send at once."""

    def __init__(self, *arguments):
        super().__init__(daemon=True)
        self.arguments, self.checksum, self.error = arguments, None, None
        self.start()

    def run(self):
        try:
            self.checksum = _send(*self.arguments)
        except OSError as error:
            self.error = error

    def result(self):
        self.join()
        if self.error is not None:
            raise self.error
        return self.checksum


def exchange(connection, up, down, seed=1, checked=True, say=None):
    """The client's end. Raises OSError where bytes are missing or changed. The node's MSS. say: sends the first words instead of
    connection.sendall."""
    (say or connection.sendall)(HEAD.pack(MAGIC, up, down, seed, checked))
    sender = _Sender(connection, up, seed, checked)
    came = _receive(connection, down, checked)
    sent_down, came_up, mss = TAIL.unpack(_receive_exactly(connection, TAIL.size))
    if sender.result() != came_up:
        raise OSError("what the client sent came changed")
    if sent_down != came:
        raise OSError("what the node sent came changed")
    return mss


def _serve_one(connection, greets):
    connection.settimeout(120)
    with connection:
        try:
            if greets:
                connection.sendall(GREETING)
            while True:  # a connection may carry several exchanges
                head = connection.recv(HEAD.size, socket.MSG_WAITALL)
                if len(head) < HEAD.size:
                    return
                magic, up, down, seed, checked = HEAD.unpack(head)
                if magic != MAGIC:
                    return
                sender = _Sender(connection, down, seed + 1, checked)
                came = _receive(connection, up, checked)
                mss = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG)
                connection.sendall(TAIL.pack(sender.result(), came, mss))
        except OSError as error:
            print(f"a connection ended: {error}", flush=True)


def _serve(listener, greets):
    while True:
        connection, _address = listener.accept()
        threading.Thread(target=_serve_one, args=(connection, greets), daemon=True).start()


def main(arguments):
    threads = []
    for word in arguments[1:]:
        port, _colon, how = word.partition(":")
        listener = socket.socket(socket.AF_INET6)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listener.setsockopt(socket.IPPROTO_TCP, TCP_FASTOPEN, 16)
        listener.bind(("::", int(port)))
        listener.listen(128)
        threads.append(threading.Thread(target=_serve, args=(listener, how == "first")))
        threads[-1].start()
    print("serving", flush=True)
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main(sys.argv[1:])
