//! Router advertisements on the fake machine.

mod machine;

use std::path::Path;

use machine::{End, Machine, Node, link};

/// The kernel adds a default route with the first advertisement, before it is known which interface leads to the server. The next
/// one, with which it changes the metric, may come many minutes later.
#[test]
fn default_routes_have_their_metrics_at_once() {
    let url = "root=live:http://[2001:db8:2::5]/os.squashfs";
    for behind in [2, 3] {
        let machine = Machine::new(&format!("{url} ip=eth0:auto6 ip=eth1:auto6"));
        {
            let mut state = machine.state();
            state.links.push(link(3, "eth1"));
            (state.routers, state.server_behind) = (vec![2, 3], Some(behind));
            for name in ["eth0", "eth1"] {
                let path = format!("/proc/sys/net/ipv6/conf/{name}/ra_defrtr_metric");
                state.put(Path::new(&path), Node::File(b"1024\n".to_vec()));
            }
        }
        assert_eq!(machine.boot(), End::Exec("/sbin/init".to_owned()), "{:#?}", machine.state().log);
        let state = machine.state();
        let metric = |index: u32| state.defaults()[&index];
        assert_eq!((metric(behind), metric(5 - behind)), (1024, 1025), "{:#?}", state.log);
    }
}
