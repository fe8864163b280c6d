#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# iptables hashlimit by /24 and /64, as guides for game servers and web hosts have it: 50 new connections a second a network.
set -e
iptables -t raw -A PREROUTING -p tcp --dport 30303 --syn -m hashlimit --hashlimit-above 50/second --hashlimit-burst 100 \
	--hashlimit-mode srcip --hashlimit-srcmask 24 --hashlimit-name v4 --hashlimit-htable-max 1000000 -j DROP
ip6tables -t raw -A PREROUTING -p tcp --dport 30303 --syn -m hashlimit --hashlimit-above 50/second --hashlimit-burst 100 \
	--hashlimit-mode srcip --hashlimit-srcmask 64 --hashlimit-name v6 --hashlimit-htable-max 1000000 -j DROP
