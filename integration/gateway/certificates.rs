//! `shifterimg` and a gateway whose certificate is by an authority of the site's: which one is believed, and what is told
//! where none is.

use std::fs;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};

use integration::{Outcome, Tool, require_program, wait_until};
use serde_json::json;

use crate::serving::{ANN, Gateway, OWN, SOON};

/// What openssl(1) needs to hear of an authority.
const AUTHORITY: &str = "[ca]\ndefault_ca = own\n[own]\ndatabase = index\nserial = serial\nnew_certs_dir = .\ndefault_md = sha256\n\
                         policy = any\ncopy_extensions = copy\nunique_subject = no\n[any]\ncommonName = supplied\n";

/// An authority in a directory of its own.
struct Authority(PathBuf);

impl Authority {
    fn new(directory: PathBuf) -> Self {
        require_program("/usr/bin/openssl", "openssl");
        fs::create_dir(&directory).expect("make a directory");
        for (name, text) in [("configuration", AUTHORITY), ("index", "")] {
            fs::write(directory.join(name), text).expect("write");
        }
        let authority = Self(directory);
        authority
            .openssl("req -x509 -days 2 -subj /CN=authority -keyout key.pem -out authority.pem");
        authority
    }

    /// openssl(1), with a new key where one is wanted.
    fn openssl(&self, line: &str) {
        let mut tool = Tool::new("openssl").args(line.split(' '));
        if line.starts_with("req") {
            let key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
            tool = tool.args(key.split(' '));
        }
        tool.current_dir(&self.0).expect(0);
    }

    /// Signs a certificate for these names and this time, and has the gateway serve with it.
    fn sign(&self, for_names: &str, time: &str) {
        self.openssl(&format!(
            "req -subj /CN=gateway -addext subjectAltName={for_names} -keyout gateway.key -out request.pem"
        ));
        self.openssl(&format!(
            "ca -batch -rand_serial -notext -config configuration -cert authority.pem -keyfile key.pem -in request.pem \
             -out gateway.pem {time}"
        ));
        chown(self.0.join("gateway.key"), Some(OWN), Some(OWN)).expect("chown");
    }

    fn certificate(&self) -> PathBuf {
        self.0.join("authority.pem")
    }
}

const NOW: &str = "-days 2";
const ONCE: &str = "-startdate 20200101000000Z -enddate 20200102000000Z";
const HERE: &str = "IP:127.0.0.1,DNS:localhost";

/// A gateway with a certificate by the first one, and another authority that has nothing to do with it.
fn site() -> (Gateway, Authority, Authority) {
    let mut authorities = None;
    let gateway = Gateway::prepared(|bench| {
        let own = Authority::new(bench.path("tls"));
        own.sign(HERE, NOW);
        authorities = Some((own, Authority::new(bench.path("other"))));
        json!({ "TLS": { "certificate": "@/tls/gateway.pem", "key": "@/tls/gateway.key" } })
    });
    let (own, other) = authorities.expect("authorities");
    (gateway, own, other)
}

/// What the client says where it believes this authority, besides those of the system.
fn ask(gateway: &Gateway, believed: Option<&Path>) -> Outcome {
    let beside = gateway.bench.path("gateway.pem");
    let _ = fs::remove_file(&beside);
    if let Some(certificate) = believed {
        fs::copy(certificate, &beside).expect("copy");
    }
    gateway.client(ANN, &["images"]).run()
}

/// Has the gateway read its certificate anew; the client then says `why` it doesn't believe it.
#[track_caller]
fn refused_once_read(gateway: &Gateway, believed: &Path, why: &str) {
    gateway.reads_anew();
    wait_until("the new certificate is served", SOON, || {
        ask(gateway, Some(believed)).code != Some(0)
    });
    ask(gateway, Some(believed)).refused(why);
}

#[test]
fn a_gateway_is_believed_by_the_sites_authority_only() {
    let (gateway, own, other) = site();
    let believed = own.certificate();
    assert_eq!(ask(&gateway, Some(&believed)).code, Some(0));
    let localhost = gateway.url().replace("127.0.0.1", "localhost");
    gateway.write_site(&[&localhost]);
    assert_eq!(ask(&gateway, Some(&believed)).code, Some(0));
    gateway.write_site(&[&gateway.url()]);
    gateway.client(ANN, &["pull", "tools/x:1"]).expect(0);
    let hint = "hint: its authority's certificate belongs into gateway.pem beside udiroot.conf";
    for believed in [None, Some(other.certificate())] {
        let outcome = ask(&gateway, believed.as_deref());
        outcome.refused("its certificate is by an authority that isn't known here");
        outcome.refused(hint);
    }
    // Nor is anything shown to such a one: not even that somebody asks, and for what.
    assert!(!gateway.log().contains("error"), "{}", gateway.log());
}

#[test]
fn a_certificate_for_another_host_or_another_time_is_refused() {
    let (gateway, own, _) = site();
    let believed = own.certificate();
    assert_eq!(ask(&gateway, Some(&believed)).code, Some(0));
    own.sign("DNS:elsewhere.invalid", NOW);
    refused_once_read(&gateway, &believed, "its certificate is for another host");
    own.sign(HERE, NOW);
    gateway.reads_anew();
    wait_until("a good one is served again", SOON, || {
        ask(&gateway, Some(&believed)).code == Some(0)
    });
    own.sign(HERE, ONCE);
    refused_once_read(&gateway, &believed, "its certificate has expired");
}
