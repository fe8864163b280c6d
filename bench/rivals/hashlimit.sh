#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# iptables hashlimit, as guides for game servers and web hosts have it: 50 new connections a second from a network (a /24 or /64) and 5
# from an IPv4 address with a burst of 16, as in meters.nft. Tables of 1 M: more than a run's sources at the rates of bench/live.py.
set -e
iptables -t raw -A PREROUTING -p tcp --dport 30303 --syn -m hashlimit --hashlimit-above 50/second --hashlimit-burst 100 \
	--hashlimit-mode srcip --hashlimit-srcmask 24 --hashlimit-name v4 --hashlimit-htable-max 1000000 -j DROP
iptables -t raw -A PREROUTING -p tcp --dport 30303 --syn -m hashlimit --hashlimit-above 5/second --hashlimit-burst 16 \
	--hashlimit-mode srcip --hashlimit-srcmask 32 --hashlimit-name v4host --hashlimit-htable-max 1000000 -j DROP
ip6tables -t raw -A PREROUTING -p tcp --dport 30303 --syn -m hashlimit --hashlimit-above 50/second --hashlimit-burst 100 \
	--hashlimit-mode srcip --hashlimit-srcmask 64 --hashlimit-name v6 --hashlimit-htable-max 1000000 -j DROP
ip6tables -t raw -A PREROUTING -p tcp --dport 30303 --syn -m hashlimit --hashlimit-above 5/second --hashlimit-burst 16 \
	--hashlimit-mode srcip --hashlimit-srcmask 128 --hashlimit-name v6host --hashlimit-htable-max 1000000 -j DROP
