#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The kernel's SYN proxy, as iptables-extensions(8) shows it, with the options that the node's own stack offers, and connlimit as guides
# have it beside: 10 connections at once of a /32 or /64 (HAProxy's articles give the same number). Only proven connections are
# tracked, so a SYN flood does not fill the table.
set -e
sysctl -qw net.netfilter.nf_conntrack_tcp_loose=0
for tables in iptables ip6tables; do
	mask=32
	[ $tables = iptables ] || mask=64
	$tables -t raw -A PREROUTING -p tcp --dport 30303 --syn -j CT --notrack
	$tables -A INPUT -p tcp --dport 30303 -m conntrack --ctstate NEW,ESTABLISHED -m connlimit --connlimit-above 10 \
		--connlimit-mask $mask --connlimit-saddr -j REJECT --reject-with tcp-reset
	$tables -A INPUT -p tcp --dport 30303 -m conntrack --ctstate INVALID,UNTRACKED -j SYNPROXY --sack-perm --timestamp --wscale 10 --mss 1440
	$tables -A INPUT -p tcp --dport 30303 -m conntrack --ctstate INVALID -j DROP
done
