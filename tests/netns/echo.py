# SPDX-License-Identifier: BSD-3-Clause
"""Echo service and clients for the namespace tests.

echo.py serve                    TCP and UDP echo on port 7777, IPv4 and IPv6
echo.py tcp|udp HOST [BYTES] [SOURCE]   one echo of a random nonce; exit 0 if it came back
echo.py many HOST FIRST COUNT    one TCP echo each from COUNT addresses 10.77.1.FIRST.. or fd77::1:FIRST..
echo.py hold HOST [SOURCE]       connect, echo once, print "up"; then on each line of standard input echo once more and print
                                 "ok"; at end of stream or reset print "closed" and how long after the last line, in ms
"""
import os
import select
import selectors
import socket
import sys
import threading
import time

PORT = 7777


def serve():
    for family in (socket.AF_INET, socket.AF_INET6):
        udp = socket.socket(family, socket.SOCK_DGRAM)
        tcp = socket.socket(family, socket.SOCK_STREAM)
        for sock in (udp, tcp):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.bind(("::" if family == socket.AF_INET6 else "0.0.0.0", PORT))
        tcp.listen(1024)
        threading.Thread(target=serve_udp, args=(udp,), daemon=True).start()
        threading.Thread(target=serve_tcp, args=(tcp,), daemon=True).start()
    print("serving", flush=True)
    threading.Event().wait()


def serve_udp(sock):
    while True:
        data, peer = sock.recvfrom(65535)
        sock.sendto(data, peer)


def serve_tcp(listener):
    selector = selectors.DefaultSelector()
    selector.register(listener, selectors.EVENT_READ)
    while True:
        for key, _ in selector.select():
            if key.fileobj is listener:
                sock, _ = listener.accept()
                selector.register(sock, selectors.EVENT_READ)
                continue
            try:
                data = key.fileobj.recv(65536)
                if data:
                    key.fileobj.sendall(data)
                    continue
            except OSError as error:
                print("closed", error, flush=True)
            selector.unregister(key.fileobj)
            key.fileobj.close()


def connect(host, source=None, kind=socket.SOCK_STREAM, timeout=3.0):
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, kind)
    sock.settimeout(timeout)
    if source:
        sock.bind((source, 0))
    sock.connect((host, PORT))
    return sock


def echo(sock, size):
    nonce = os.urandom(size)
    sock.sendall(nonce)
    got = b""
    while len(got) < size:
        part = sock.recv(65535)
        if not part:
            raise ConnectionError("end of stream")
        got += part
    if got != nonce:
        raise ValueError("another nonce came back")


def once(kind, host, size, source):
    try:
        with connect(host, source, kind) as sock:
            echo(sock, size)
    except (OSError, ValueError) as error:
        print(type(error).__name__, error)
        return 1
    return 0


def many(host, first, count):
    failed = 0
    for i in range(first, first + count):
        source = f"fd77::1:{i:x}" if ":" in host else f"10.77.1.{i}"
        failed += once(socket.SOCK_STREAM, host, 100, source)
    print(f"{count - failed} of {count} came back")
    return failed != 0


def hold(host, source):
    sock = connect(host, source)
    echo(sock, 100)
    print("up", flush=True)
    last = time.monotonic()
    while True:
        ready, _, _ = select.select([sock, sys.stdin], [], [])
        try:
            if sys.stdin in ready:
                if not sys.stdin.readline():
                    return 0
                last = time.monotonic()
                echo(sock, 100)
                print("ok", flush=True)
            elif not sock.recv(1):
                raise ConnectionError("end of stream")
        except OSError as error:
            print("closed", int((time.monotonic() - last) * 1000), type(error).__name__, flush=True)
            return 0


def main(arguments):
    command = arguments[0]
    if command == "serve":
        serve()
    if command in ("tcp", "udp"):
        kind = socket.SOCK_STREAM if command == "tcp" else socket.SOCK_DGRAM
        size = int(arguments[2]) if len(arguments) > 2 else 100
        return once(kind, arguments[1], size, arguments[3] if len(arguments) > 3 else None)
    if command == "many":
        return many(arguments[1], int(arguments[2]), int(arguments[3]))
    return hold(arguments[1], arguments[2] if len(arguments) > 2 else None)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
