#!/bin/sh
# Hook cmdline: claims the root, or leaves it to other modules. $hookdir is dracut's.
# shellcheck disable=SC2154

command -v getarg >/dev/null || . /lib/dracut-lib.sh
. /lib/dayfly-lib.sh

if dayfly_has_root; then
	# dracut's command line: the kernel's parameters and those of /etc/cmdline.d in the initramfs.
	mkdir -p /run/dayfly
	getcmdline >/run/dayfly/cmdline
	# Hooks that read root= after this see that it is handled.
	# shellcheck disable=SC2034
	root=dayfly rootok=1
	echo '[ -e /tmp/dayfly.left ]' >"$hookdir/initqueue/finished/dayfly.sh"
	# Dayfly brings the network up itself, so dracut's network modules must not do it at the same time. (The generator has
	# disabled systemd's services.)
	rm -f "$hookdir"/pre-udev/*-net-genrules.sh
	info 'dayfly: fetches and assembles the root of this boot'
elif dayfly_has_rival; then
	info 'dayfly: leaves this boot to other modules; rd.dayfly=1 gives it to Dayfly'
fi
