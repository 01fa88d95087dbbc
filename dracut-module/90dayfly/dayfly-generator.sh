#!/bin/sh
# systemd generator (systemd.generator(7)): Dayfly mounts the root, so systemd must not mount it by root=.

command -v getarg >/dev/null || . /lib/dracut-lib.sh
. /lib/dayfly-lib.sh

dayfly_has_root || exit 0

# The folder with precedence over all other units; the generators of dmsquash-live and livenet write here too.
early=$2
[ -n "$early" ] || exit 1
mkdir -p "$early/sysroot.mount.d" "$early/initrd-root-fs.target.requires"

# Dayfly has mounted it when dracut's initqueue ends. Otherwise this unit fails, and systemd starts emergency.target.
mount='[Mount]
Where=/sysroot
What=dayfly
Type=dayfly
Options=defaults'
printf '[Unit]\nDescription=Root by Dayfly\nBefore=initrd-root-fs.target\n\n%s\n' "$mount" >"$early/sysroot.mount"
printf '[Unit]\nAfter=dracut-initqueue.service\n\n%s\n' "$mount" >"$early/sysroot.mount.d/50-dayfly.conf"
ln -s ../sysroot.mount "$early/initrd-root-fs.target.requires/sysroot.mount"

# By this name systemd's generators make the boot wait for the disk of root=, or for any disk that may be a root
# (src/shared/generator.c). A file of this name in this folder overrides theirs.
mkdir -p "$early/initrd-root-device.target.d"
echo '# Dayfly looks for the disk itself, if it needs one.' >"$early/initrd-root-device.target.d/50-root-device.conf"

# Dayfly brings the network up itself; a second DHCP client on the same interface would remove its address.
for unit in systemd-networkd.service systemd-networkd.socket systemd-networkd-wait-online.service \
	systemd-network-generator.service nm-initrd.service nm-wait-online-initrd.service NetworkManager.service; do
	ln -s /dev/null "$early/$unit"
done
