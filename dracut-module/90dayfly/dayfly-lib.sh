#!/bin/sh
# Sourced by the module's hooks and its generator, after dracut-lib.sh.

# True if dracut's dmsquash-live, which livenet requires, is in the same initramfs.
dayfly_has_rival() {
	[ -x /sbin/dmsquash-live-root ]
}

# True if Dayfly makes the root in this boot; docs/how-to/dracut.md has the rule.
dayfly_has_root() {
	# rd.dayfly, rd.dayfly=1 or =0 overrides the rule.
	if getarg rd.dayfly >/dev/null; then
		getargbool 0 rd.dayfly
		return
	fi
	# An initramfs that can boot live images with dracut's own modules continues to do so.
	dayfly_has_rival && return 1
	case "$(getarg root=)" in
	live:* | http://* | https://*) return 0 ;;
	*) return 1 ;;
	esac
}
