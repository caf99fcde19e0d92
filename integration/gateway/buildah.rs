//! Images that buildah builds, as users do, and that leave its store in every way there is.

use std::fs;
use std::path::PathBuf;

use integration::{Bench, Tool, require_program};

use crate::fixture::{Registry, User};

/// Layers with a hard link, a setuid bit, a file that goes and a directory that is made anew.
const DOCKERFILE: &str = r#"FROM scratch
COPY busybox /bin/busybox
RUN ["/bin/busybox", "sh", "-c", "b=/bin/busybox; $b mkdir /d /o; echo kept >/d/kept; echo gone >/d/gone; echo old >/o/old; $b ln /d/kept /d/hard; $b chmod 4755 /d/kept; $b ln -s busybox /bin/sh"]
RUN ["/bin/busybox", "sh", "-c", "b=/bin/busybox; $b rm -r /d/gone /o; $b mkdir /o; echo new >/o/new"]
ENV MADE_BY=buildah
WORKDIR /d
ENTRYPOINT ["/bin/sh", "-c"]
CMD ["echo run"]
"#;

/// A store of the test's own, of `containers-storage`.
struct Store {
    root: PathBuf,
    run: PathBuf,
}

impl Store {
    fn new(bench: &Bench) -> Self {
        require_program("/usr/bin/buildah", "buildah");
        Self {
            root: bench.path("store"),
            run: bench.path("store-run"),
        }
    }

    fn buildah(&self) -> Tool {
        Tool::new("buildah")
            .arg("--root")
            .arg(&self.root)
            .arg("--runroot")
            .arg(&self.run)
            .args(["--storage-driver", "vfs"])
    }

    fn image(&self, name: &str) -> String {
        let (root, run) = (self.root.display(), self.run.display());
        format!("containers-storage:[vfs@{root}+{run}]{name}")
    }
}

#[test]
fn what_buildah_builds_is_the_same_image_by_a_registry_and_by_every_export() {
    let user = User::new();
    let bench = &user.bench;
    let store = Store::new(bench);
    let registry = Registry::open(bench, "registry");
    let context = bench.directory("context");
    fs::copy("/bin/busybox", context.join("busybox")).expect("copy busybox");
    fs::write(context.join("Dockerfile"), DOCKERFILE).expect("write");
    let options = "build --isolation chroot --layers --timestamp 1000000000";
    let mut held = vec![];
    for format in ["oci", "docker"] {
        let name = format!("localhost/app:{format}");
        store
            .buildah()
            .args(options.split(' '))
            .args(["--format", format, "--tag", &name])
            .arg(&context)
            .expect(0);
        let path = |ending: &str| {
            bench
                .path(&format!("{format}-{ending}"))
                .display()
                .to_string()
        };
        let targets = [
            (
                format!("docker://{}/app:{format}", registry.address),
                "docker",
            ),
            (format!("oci:{}:v1", path("layout")), "oci"),
            (format!("oci-archive:{}:v1", path("oci.tar")), "oci-archive"),
            (
                format!("docker-archive:{}:app:v1", path("docker.tar")),
                "docker-archive",
            ),
        ];
        for (target, way) in targets {
            Tool::new("skopeo")
                .args([
                    "copy",
                    "--dest-tls-verify=false",
                    &store.image(&name),
                    &target,
                ])
                .expect(0);
            Tool::new("chmod")
                .args(["-R", "a+rX"])
                .arg(bench.path(""))
                .expect(0);
            let file = format!("{format}-{way}.erofs");
            let made = user.made(&["--plain-http"], &target, &file);
            let config = &made["config"];
            assert_eq!(config["Entrypoint"][0], "/bin/sh", "{target}: {config}");
            assert_eq!(config["Cmd"][0], "echo run", "{target}");
            assert_eq!(config["WorkingDir"], "/d", "{target}");
            let environment = config["Env"].as_array().expect("an environment");
            assert!(environment.contains(&"MADE_BY=buildah".into()), "{target}");
            held.push((target, user.held(&file)));
        }
    }
    let (_, first) = &held[0];
    for line in [
        "bin/sh -> busybox",
        "d/hard 755 kept\n",
        "d/kept 755 kept\n",
        "o/ 755",
        "o/new 644 new\n",
    ] {
        assert!(first.contains(&line.to_owned()), "{line}: {first:?}");
    }
    for gone in ["d/gone", "o/old", ".wh."] {
        assert!(
            !first.iter().any(|line| line.contains(gone)),
            "{gone}: {first:?}"
        );
    }
    for (target, held) in &held {
        assert_eq!(held, first, "{target}");
    }
}
