# SPDX-License-Identifier: BSD-3-Clause
"""Protections of the SYN proxy's pure parts: cookies, replies, translation; see tests/mutants.py."""
COOKIE = "dataplane/cookie.c"
SLOTS = "		uint64_t age = guess & 1;"
MUTANTS = [
    ("a proxy cookie's end", COOKIE, SLOTS, "		uint64_t age = (guess & 1) * 2;", "test_cookie_proxy"),
    ("the client's number in a cookie", COOKIE, "COOKIE_KIND_PROXY, sequence, (uint8_t)cookie", "COOKIE_KIND_PROXY, 0, (uint8_t)cookie",
     "test_cookie_proxy"),
    ("options under the MAC", COOKIE, "(uint64_t)kind << 8 | data", "(uint64_t)kind << 8", "test_cookie_proxy"),
    ("kinds of cookies", COOKIE, "slot << 16 | (uint64_t)kind << 8", "slot << 16 | 1 << 8", "test_cookie_proxy"),
    ("ports under the MAC", COOKIE, "(uint64_t)packet->source_port << 48", "(uint64_t)packet->family << 48", "test_cookie_proxy"),
    ("the network of an IPv6 client", COOKIE, "load_native(packet->source.bytes);", "0;", "test_cookie_proxy"),
    ("the host of an IPv6 client", COOKIE, "load_native(packet->source.bytes + 8);", "0;", "test_cookie_proxy"),
    ("SYNs that bring a cookie", COOKIE, "(TCP_FLAG_ACK | TCP_FLAG_SYN | TCP_FLAG_RST)) != TCP_FLAG_ACK",
     "TCP_FLAG_ACK) == 0", "test_cookie_proxy"),
    ("the probe at the first number", COOKIE, "guess < 4", "guess < 2", "test_cookie_proxy"),
    ("bits of the MAC", COOKIE, "sequence, (uint8_t)cookie, slot - age) != cookie)",
     "sequence, (uint8_t)cookie, slot - age) << 4 != cookie << 4)", "test_cookie_proxy"),
    ("an MSS below the smallest class", COOKIE, "class >= 0 && classes[class] > mss", "class > 0 && classes[class] > mss",
     "test_cookie_proxy"),
    ("IPv6's default MSS", COOKIE, "return family == 6 ? 1 : 0;", "return 0;", "test_cookie_proxy"),
    ("a key for each epoch", COOKIE, "const uint64_t first[] = {epoch, 0}", "const uint64_t first[] = {1, 0}", "test_cookie_proxy"),
]
