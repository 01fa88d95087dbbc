//! Which module boots the root, decided by the shell function of the dracut module. `getarg` here is a stand-in of a few lines; the
//! virtual machines use dracut's own.

use std::path::Path;
use std::process::Command;

/// dracut-lib.sh's `getarg` and `getargbool`, as far as the rule needs them (dracut.modules(7), "getarg").
const DRACUT_LIB: &str = r#"
getarg() {
	found=1
	for word in $CMDLINE; do
		case $word in "${1%=}"=*) value=${word#*=} found=0 ;; "${1%=}") value= found=0 ;; esac
	done
	[ $found = 0 ] && printf '%s\n' "$value"
}
getargbool() {
	value=$(getarg "$2") || value=$1
	case $value in 0 | no | off) return 1 ;; *) return 0 ;; esac
}
"#;

fn is_dayflys(shell: &str, cmdline: &str, livenet: bool) -> bool {
    let module = Path::new(env!("CARGO_MANIFEST_DIR")).join("../dracut-module/90dayfly/dayfly-lib.sh");
    let script = format!(
        "{DRACUT_LIB}\n. '{}'\ndayfly_has_rival() {{ {livenet}; }}\nif dayfly_has_root; then echo dayfly; else echo dracut; fi",
        module.display()
    );
    let output = Command::new(shell)
        .args(if shell == "busybox" { ["sh", "-euc"].as_slice() } else { ["-euc"].as_slice() })
        .arg(script)
        .env("CMDLINE", cmdline)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    assert!(output.status.success() && output.stderr.is_empty(), "{shell}: {output:?}");
    assert!(text == "dayfly" || text == "dracut", "{shell}: {text}");
    text == "dayfly"
}

#[test]
fn a_boot_is_dayflys_where_it_was_asked_for_and_nobody_else_would_take_it() {
    // The command line; whether Dayfly boots it alone; whether it does beside livenet.
    for (cmdline, alone, beside) in [
        ("root=live:http://boot/os.squashfs ip=dhcp rd.neednet=1", true, false),
        ("root=live:https://boot/os.squashfs", true, false),
        ("root=http://boot/os.squashfs", true, false),
        ("root=https://boot/os.squashfs", true, false),
        ("root=live:LABEL=images", true, false),
        ("root=live:http://boot/os rd.dayfly=1", true, true),
        ("root=live:http://boot/os rd.dayfly", true, true),
        ("rd.dayfly=1", true, true),
        ("root=LABEL=images rd.dayfly=1", true, true),
        ("root=live:http://boot/os rd.dayfly=0", false, false),
        ("root=live:http://boot/os rd.dayfly=no", false, false),
        // For dracut, the kernel's parameters come last and override those of the initramfs.
        ("rd.dayfly=1 root=live:http://boot/os rd.dayfly=0", false, false),
        ("root=LABEL=debian", false, false),
        ("root=/dev/vda1", false, false),
        ("root=UUID=3fa85f64-5717-4562-b3fc-2c963f66afa6 ip=dhcp", false, false),
        ("root=nfs:boot:/srv/root", false, false),
        ("quiet", false, false),
        ("", false, false),
    ] {
        // The initramfs has a copy of its host's shell: dash, bash or busybox.
        for shell in ["dash", "bash", "busybox"] {
            assert_eq!(is_dayflys(shell, cmdline, false), alone, "{shell}: {cmdline:?} alone");
            assert_eq!(is_dayflys(shell, cmdline, true), beside, "{shell}: {cmdline:?} beside livenet");
        }
    }
}
