#!/bin/sh
# Hook initqueue/settled: runs Dayfly in parallel with dracut's own loop, which assembles disks. Sourced in each round, in one shell.

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
		# Each of Dayfly's steps has a deadline, so dracut's time-out (rd.retry=) would only interrupt a long transfer.
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
	# Use a root that was mounted in the shell; otherwise try once more.
	if ismounted "$NEWROOT"; then
		dayfly_leave
	fi
}

dayfly_leave() {
	: >/tmp/dayfly.left
	# If dmsquash-live is in the same initramfs and rd.live.image is set, it waits for /dev/root.
	[ -e /dev/root ] || ln -s null /dev/root
}

dayfly_look
