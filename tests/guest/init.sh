#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The guest's first process (tests/guest): gives the network devices to vfio-pci, then runs the lines that come over the second serial port
# and answers each with its output and "#done STATUS". The first port is the kernel's console. It ends with the machine.
export PATH=/usr/bin:/weir
chmod 755 / # else EAL trusts no plugin below it
mount -t proc none /proc
mount -t sysfs none /sys
mount -t devtmpfs none /dev
mkdir -p /dev/shm /dev/hugepages
mount -t tmpfs none /dev/shm
mount -t tmpfs none /tmp
mount -t tmpfs none /run
echo 256 > /proc/sys/vm/nr_hugepages
mount -t hugetlbfs none /dev/hugepages
for module in /modules/*.ko; do
	insmod "$module" || echo "init: $module does not load"
done
# class 0x020000: Ethernet
for device in /sys/bus/pci/devices/*; do
	[ "$(cat "$device/class")" = 0x020000 ] || continue
	echo vfio-pci > "$device/driver_override"
	echo "${device##*/}" > /sys/bus/pci/drivers_probe
done
stty -F /dev/ttyS1 raw -echo
exec 3<>/dev/ttyS1
echo "#ready" >&3
while read -r line <&3; do
	sh -c "$line" </dev/null >&3 2>&3
	echo "#done $?" >&3
done
poweroff -f
