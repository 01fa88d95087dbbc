#!/bin/sh
# systemd generator (systemd.generator(7)): the root is what Dayfly mounts, not what systemd reads out of root=.

command -v getarg >/dev/null || . /lib/dracut-lib.sh
. /lib/dayfly-lib.sh

dayfly_has_root || exit 0

# Before units of any other origin; the generators of dmsquash-live and livenet write here as well.
early=$2
[ -n "$early" ] || exit 1
mkdir -p "$early/sysroot.mount.d" "$early/initrd-root-fs.target.requires"

# It is mounted by the time dracut's initqueue ends. Where it is not, this fails and systemd's emergency.target follows.
mount='[Mount]
Where=/sysroot
What=dayfly
Type=dayfly
Options=defaults'
printf '[Unit]\nDescription=Root by Dayfly\nBefore=initrd-root-fs.target\n\n%s\n' "$mount" >"$early/sysroot.mount"
printf '[Unit]\nAfter=dracut-initqueue.service\n\n%s\n' "$mount" >"$early/sysroot.mount.d/50-dayfly.conf"
ln -s ../sysroot.mount "$early/initrd-root-fs.target.requires/sysroot.mount"

# The name under which systemd's generators have the boot wait for the disk that root= names, or for any that looks like a root
# (src/shared/generator.c). That name in this folder wins.
mkdir -p "$early/initrd-root-device.target.d"
echo '# Dayfly looks for the disk itself, if it needs one.' >"$early/initrd-root-device.target.d/50-root-device.conf"

# Dayfly brings the network up itself; a second DHCP client on the same card would take its address away.
for unit in systemd-networkd.service systemd-networkd.socket systemd-networkd-wait-online.service \
	systemd-network-generator.service nm-initrd.service nm-wait-online-initrd.service NetworkManager.service; do
	ln -s /dev/null "$early/$unit"
done
