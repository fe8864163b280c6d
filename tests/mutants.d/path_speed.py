# SPDX-License-Identifier: BSD-3-Clause
"""What the quick ways of the packet path must keep of the plain ones; see tests/mutants.py."""
OVER, CHECKSUM, CHECKSUM_H = "dataplane/reply_over.c", "dataplane/packet_checksum.c", "dataplane/packet_checksum.h"

MUTANTS = [
    ("path: a SYN-ACK no longer than its SYN", OVER, "return ip_bytes + reply_bytes <= packet->l3_bytes;", "return true;", "test_reply_over"),
    ("path: no answer to a group's frame", OVER, "|| (frame[0] & 1))", ")", "test_reply_over"),
    ("path: no answer in a group's name", OVER, "|| packet->destination.bytes[12] >= 224", "", "test_reply_over"),
    ("path: no answer in an IPv6 group's name", OVER, "|| packet->destination.bytes[0] == 0xff", "", "test_reply_over"),
    ("path: IP options are not answered in place", OVER, "ip_bytes != IPV4_HEADER_BYTES ||", "", "test_reply_over"),
    ("path: no answer to a later fragment", OVER, "|| packet->fragment_offset_bytes != 0", "", "test_reply_over"),
    ("path: the vectors' second half", CHECKSUM, "high_next += at[1] >> 32;", "", "test_packet"),
    ("path: the sum before the vectors' keeps its carry", CHECKSUM, "(sum & UINT32_MAX) + (sum >> 32) + blocks", "sum + blocks", "test_packet"),
    ("path: the carries of 64-bit words", CHECKSUM_H, "+ (uint64_t)(wide >> 64)", "", "test_packet"),
    ("path: a segment that ends too early", CHECKSUM_H, "|| bytes > segments[0].bytes - offset)", ")", "test_packet"),
    ("path: a ban is announced", "dataplane/stage_shared.c", "&shared->ban_epochs[stage_ban_partition(prefix->address.bytes)], 1,",
     "&shared->ban_epochs[0], 0,", "test_ban_epoch"),
    ("path: a prefix touches more than a partition", "dataplane/stage_shared.c", "return prefix->length == PREFIX_HOST_LENGTH;", "return true;", "test_ban_epoch"),
    ("path: an IPv6 prefix touches more than a site", "dataplane/stage_shared.c", "prefix->length >= PREFIX_V6_SITE_LENGTH", "prefix->length >= 48", "test_ban_epoch"),
    ("path: an IPv6 host's ban is its site's", "dataplane/stage.h", "host = site == 0 ? host : site;", "host ^= site;", "test_ban_epoch"),
    ("path: flows look again where a ban moved", "dataplane/stage_private.h", "flow->ban_epoch != stage_ban_epoch(stage->shared, flow->client) &&", "0 &&", "test_stage_tcp"),
    ("path: a burst's cookies are SipHash", "dataplane/cookie_burst.c", "LANES_ROTATE(s[i].v3, 21)", "LANES_ROTATE(s[i].v3, 20)", "test_cookie_burst"),
    ("path: a group of lanes that is not whole", "dataplane/cookie_burst.c", "syns->n - first < LANES ? syns->n - first : LANES", "LANES", "test_cookie_burst"),
    ("path: a burst of cookies has an end", "dataplane/cookie_burst.c", "if (i == COOKIE_BURST_MAX)", "if (0)", "test_cookie_burst"),
    ("path: a burst's cookies are finished", "dataplane/stage.c", "proxy_challenges_finish(stage, &moment);", "", "test_proxy_model"),
    ("path: blocks behind other options", "dataplane/translate.c", "i += tcp[i] == 1 ? 1 : tcp[i + 1];\n	return i + 1", "break;\n	return i + 1", "test_translate"),
]
