#!/bin/bash
# Build side of the dracut module: adds the files to the initramfs. See ../README.md.
# dracut sources this file and calls its functions. inst_* and the variables that are not set here are dracut's.
# shellcheck disable=SC2154

# The static binary, where `dracut-module/install` puts it.
dayfly_init=/usr/lib/dayfly/init

# 255: only on request (--add dayfly, add_dracutmodules+=" dayfly ").
check() {
	require_binaries "$dayfly_init" || return 1
	return 255
}

depends() {
	echo base
	# initqueue is a separate module since dracut 108; before, dracut_need_initqueue in install() is enough.
	local queue
	for queue in "$dracutbasedir"/modules.d/[0-9][0-9]initqueue; do
		[[ -d $queue ]] && echo initqueue
	done
	return 0
}

installkernel() {
	# Modules for the image, the state disk, the settings disk and the credentials, also in host-only mode.
	hostonly='' instmods loop overlay squashfs erofs ext4 xfs btrfs f2fs iso9660 vfat '=fs/nls' qemu_fw_cfg
	# Network cards; in host-only mode, instmods adds those of this host.
	instmods af_packet 8021q bonding bridge
	instmods virtio_net vmxnet3 hv_netvsc xen-netfront \
		'=drivers/net/ethernet' '=drivers/net/phy' '=drivers/net/mdio' '=drivers/net/usb'
}

install() {
	inst_simple "$dayfly_init" "$dayfly_init"
	inst_simple "$moddir/dayfly-lib.sh" /lib/dayfly-lib.sh
	# Before livenet's 29 and dmsquash-live's 30: the hook that sets $root first handles it.
	inst_hook cmdline 28 "$moddir/parse-dayfly.sh"
	inst_hook initqueue/settled 10 "$moddir/dayfly-root.sh"
	dracut_need_initqueue
	if dracut_module_included systemd; then
		inst_script "$moddir/dayfly-generator.sh" "$systemdutildir/system-generators/dracut-dayfly-generator"
	fi

	# The rules for the OS's interface names. Without dracut's network modules, no other module adds them.
	inst_multiple -o "$systemdnetwork/99-default.link"
	[[ $hostonly ]] && inst_multiple -H -o "$systemdnetworkconfdir/*.link"
	# For dracut's emergency shell.
	inst_multiple -o ip

	[[ -e ${dracutsysrootdir-}/etc/dayfly.toml ]] && inst_simple /etc/dayfly.toml
	dayfly_certificates
	# The lower bound for a clock that starts in 1970.
	printf 'epoch=%s\nkernel=%s\n' "${SOURCE_DATE_EPOCH:-$(date +%s)}" "$kernel" >"$initdir/etc/dayfly-build"
}

# The host's certificate authorities, at the path that the binary reads.
dayfly_certificates() {
	local bundle target=/etc/ssl/certs/ca-certificates.crt
	for bundle in "$target" /etc/pki/tls/certs/ca-bundle.crt /etc/ssl/ca-bundle.pem /etc/ssl/cert.pem; do
		bundle=$(readlink -e "${dracutsysrootdir-}$bundle") || continue
		inst_dir "${target%/*}"
		cp "$bundle" "$initdir$target"
		return 0
	done
	dinfo 'dayfly: this host has no certificate bundle: images over https will be refused'
}
