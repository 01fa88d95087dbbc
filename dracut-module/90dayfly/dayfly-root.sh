#!/bin/sh
# Hook initqueue/settled: runs Dayfly beside dracut's own loop, which goes on to assemble disks. Sourced in each round, in one shell.

dayfly_start() {
	rm -f /run/NetworkManager/initrd/neednet /run/networkd/initrd/neednet
	/usr/lib/dayfly/init dracut &
	dayfly_pid=$!
}

dayfly_look() {
	[ -e /run/dayfly/cmdline ] && [ ! -e /tmp/dayfly.left ] || return 0
	if [ -z "$dayfly_pid" ]; then
		dayfly_start
		return 0
	fi
	if kill -0 "$dayfly_pid" 2>/dev/null; then
		# Each of its steps has a deadline of its own, so dracut's (rd.retry=) would only cut a long transfer short.
		# shellcheck disable=SC2034
		main_loop=0
		return 0
	fi
	if wait "$dayfly_pid"; then
		dayfly_leave
		return 0
	fi
	dayfly_pid=
	emergency_shell 'Dayfly could not boot this node; the reason is above and in /run/dayfly/boot.log.'
	# Whoever mounted a root by hand wants it; else it is tried once more.
	if ismounted "$NEWROOT"; then
		dayfly_leave
	fi
}

dayfly_leave() {
	: >/tmp/dayfly.left
	# What dmsquash-live waits for where it is in the same initramfs and rd.live.image is on the command line.
	[ -e /dev/root ] || ln -s null /dev/root
}

dayfly_look
