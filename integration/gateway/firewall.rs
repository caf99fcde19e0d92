//! The firewall's rules of docs/image-gateway.md, as they stand there, in network namespaces of the test's own.

use std::process::{Child, Command, Stdio};

use integration::{Bench, Tool, require_program, shifter_imagegw, wait_until};
use serde_json::json;

use crate::serving::{OWN, SOON};

/// As long as an answer is waited for that a dropped packet keeps from coming, seconds.
const IN_VAIN: &str = "5";

const ASK: &str = "import http.client, sys
connection = http.client.HTTPConnection(sys.argv[1], 8000, timeout=float(sys.argv[2]))
connection.request('GET', '/api/status')
print(connection.getresponse().read().decode())";

/// A network of its own. Ended when dropped.
#[derive(Debug)]
struct Network(Child);

impl Network {
    fn new() -> Self {
        let own = |pid: &str| std::fs::read_link(format!("/proc/{pid}/ns/net")).ok();
        let child = Command::new("unshare")
            .args(["--net", "sleep", "infinity"])
            .stdin(Stdio::null())
            .spawn()
            .expect("start unshare");
        let network = Self(child);
        let pid = network.pid();
        wait_until("the network is there", SOON, || own(&pid) != own("self"));
        network.ip("link set lo up");
        network
    }

    fn pid(&self) -> String {
        self.0.id().to_string()
    }

    /// A program in it.
    fn tool(&self, program: &str) -> Tool {
        let place = format!("--net=/proc/{}/ns/net", self.0.id());
        Tool::new("nsenter").args([&place, "--", program])
    }

    fn ip(&self, arguments: &str) {
        self.tool("ip").args(arguments.split(' ')).expect(0);
    }

    /// A cable to another network, with an address at each end.
    fn connect(&self, name: &str, other: &Self, addresses: &[(&str, &str)]) {
        self.ip(&format!(
            "link add name {name} type veth peer name cable netns {}",
            other.pid()
        ));
        for (own, others) in addresses {
            self.ip(&format!("addr add {own} dev {name} nodad"));
            other.ip(&format!("addr add {others} dev cable nodad"));
        }
        self.ip(&format!("link set {name} up"));
        other.ip("link set cable up");
    }

    /// Whether a gateway answers at this address.
    fn reaches(&self, address: &str) -> bool {
        let python = self.tool("python3").args(["-c", ASK, address, IN_VAIN]);
        python.run().stdout.contains("\"up\"")
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The commands of the page.
fn advice() -> Vec<&'static str> {
    let page = include_str!("../../docs/image-gateway.md");
    page.lines()
        .filter(|line| line.starts_with("nft add rule "))
        .collect()
}

#[test]
fn only_the_hosts_of_the_rule_reach_a_gateway() {
    require_program("/usr/sbin/nft", "nftables");
    let bench = Bench::new();
    let (gateway, node, stranger) = (Network::new(), Network::new(), Network::new());
    gateway.connect("nodes", &node, &[("10.1.0.1/24", "10.1.0.2/24")]);
    gateway.connect(
        "world",
        &stranger,
        &[
            ("192.168.7.1/24", "192.168.7.2/24"),
            ("fd00::1/64", "fd00::2/64"),
        ],
    );
    let _serving = serve(&bench, &gateway);
    let strangers = ["192.168.7.1", "fd00::1"];
    wait_until("it listens", SOON, || node.reaches("10.1.0.1"));
    for address in strangers {
        wait_until("it is reached before the rules", SOON, || {
            stranger.reaches(address)
        });
    }
    // As Debian has the tables.
    gateway
        .tool("nft")
        .args(["-f", "/etc/nftables.conf"])
        .expect(0);
    let advice = advice();
    assert!(!advice.is_empty(), "the page has no rule");
    for rule in advice {
        let mut words = rule.split(' ');
        let program = words.next().expect("nft");
        gateway.tool(program).args(words).expect(0);
    }
    for address in strangers {
        assert!(!stranger.reaches(address), "{address} is reached");
    }
    wait_until("a node reaches it", SOON, || node.reaches("10.1.0.1"));
}

/// A gateway in its network, at every address.
fn serve(bench: &Bench, network: &Network) -> integration::Running {
    for directory in ["images", "state"] {
        let path = bench.directory(directory);
        std::os::unix::fs::chown(&path, Some(OWN), Some(OWN)).expect("chown");
    }
    let configuration = json!({
        "StateDirectory": bench.path("state"),
        "Listen": "[::]:8000",
        "TLS": "off",
        "DefaultImageLocation": "reg.io",
        "Locations": { "reg.io": { "url": "https://reg.io" } },
        "Platforms": { "cluster": {
            "accesstype": "local", "admins": [], "local": { "imageDir": bench.path("images") },
        } },
    });
    let configuration = bench.file("imagemanager.json", configuration.to_string());
    let program = bench.path("shifter-imagegw");
    integration::program::copy([shifter_imagegw()], &program);
    let own = OWN.to_string();
    let serve = network
        .tool("setpriv")
        .args(["--reuid", &own, "--regid", &own, "--clear-groups"]);
    serve
        .arg(program)
        .args(["serve", "--config"])
        .arg(configuration)
        .start()
}
