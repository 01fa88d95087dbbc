#!/bin/sh
# Hook cmdline: takes the root, or leaves it to others. $hookdir is dracut's.
# shellcheck disable=SC2154

command -v getarg >/dev/null || . /lib/dracut-lib.sh
. /lib/dayfly-lib.sh

if dayfly_has_root; then
	# dracut's view: the kernel's words and those of /etc/cmdline.d in the initramfs.
	mkdir -p /run/dayfly
	getcmdline >/run/dayfly/cmdline
	# Whoever looks at root= after this finds it taken.
	# shellcheck disable=SC2034
	root=dayfly rootok=1
	echo '[ -e /tmp/dayfly.left ]' >"$hookdir/initqueue/finished/dayfly.sh"
	# Dayfly brings the network up itself: dracut's must not do it at the same time. (Of systemd's services, the
	# generator has seen to that.)
	rm -f "$hookdir"/pre-udev/*-net-genrules.sh
	info 'dayfly: fetches and assembles the root of this boot'
elif dayfly_has_rival; then
	info 'dayfly: leaves this boot to others; rd.dayfly=1 gives it to Dayfly'
fi
