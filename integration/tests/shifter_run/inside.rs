//! What the command is and sees.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};

use integration::{Tool, shifter, skip};

use crate::site::Site;

#[test]
fn the_command_is_its_user_without_any_privilege() {
    let site = Site::new("");
    let outcome = site.script(
        &[],
        "id -u; id -g; id -G; grep -E '^(Cap|NoNew|Seccomp:|Uid|Gid)' /proc/self/status; umask; exit 7",
    );
    assert_eq!(outcome.code, Some(7), "{outcome}");
    assert!(
        outcome.stdout.starts_with("1234\n1234\n1234\n"),
        "{outcome}"
    );
    for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        outcome.says(&format!("{set}:\t0000000000000000\n"));
    }
    outcome
        .says("NoNewPrivs:\t1\n")
        .says("Seccomp:\t2\n")
        .says("Uid:\t1234\t1234\t1234\t1234\n")
        .says("Gid:\t1234\t1234\t1234\t1234\n");
}

#[test]
fn root_and_nobody_known_have_no_container() {
    let site = Site::new("");
    let outcome = site
        .tool("", "root")
        .args(["--image=plain", "true"])
        .expect(125);
    let line = outcome.one_line();
    assert!(line.contains("root can't have a container"), "{line}");
    let outcome = site
        .tool("", "nosuchuser")
        .args(["--image=plain", "true"])
        .expect(125);
    let line = outcome.one_line();
    assert!(
        line.contains("neither getent nor /etc/passwd knows them"),
        "{line}"
    );
}

#[test]
fn every_mount_is_nosuid_and_the_root_is_read_only() {
    let site = Site::new("");
    let outcome = site.script(
        &[],
        "cat /proc/self/mountinfo; echo --; touch /new /usr/new /etc/new /opt/new /var/new && echo WRITTEN
         touch /site/data/new && echo WRITTEN",
    );
    let (mounts, rest) = outcome.stdout.split_once("--\n").expect("both");
    assert!(mounts.lines().count() > 10, "{outcome}");
    for line in mounts.lines() {
        let options = line.split(' ').nth(5).expect("options");
        assert!(options.contains("nosuid"), "{line}");
    }
    assert_eq!(rest, "", "{outcome}");
}

/// The seed's named hole: what is mounted below a `rec` mount keeps the host's flags in Shifter.
#[test]
fn what_is_mounted_below_a_recursive_mount_is_nosuid_and_nodev_too() {
    let site = Site::new("siteFs=@/deep:/deep:rec");
    site.bench.directory("deep/below");
    let deep = site.path("deep/below").display().to_string();
    let prepare = format!("mount -t tmpfs -o suid,dev none '{deep}' && exec \"$@\"");
    let outcome = site
        .shifter()
        .args(["grep", "/deep", "/proc/self/mountinfo"])
        .within("unshare", &["-m", "sh", "-c", &prepare, "sh"])
        .expect(0);
    let line = outcome
        .stdout
        .lines()
        .find(|line| line.contains(" /deep/below "))
        .unwrap_or_else(|| panic!("the mount below isn't there: {outcome}"));
    assert!(line.contains("nosuid,nodev"), "{line}");
}

#[test]
fn what_scripts_look_for_is_there_and_the_images_own_is_hidden() {
    let site = Site::new("");
    let outcome = site.script(
        &[],
        "cat /var/shifterConfig.json; echo; ls -l /etc/mtab; cat /etc/passwd /etc/group; ls /opt/udiImage
         ls -d /var/tmp /var/run /var/spool /sys/devices /proc/self /dev/shm /home/user; cat /site/data/file",
    );
    assert_eq!(outcome.code, Some(0), "{outcome}");
    outcome
        .says(r#"{"identifier":"plain","user":"user","volMap":"","modules":""}"#)
        .says("/etc/mtab -> /proc/mounts")
        .says("user:x:1234:1234:A User:/home/user:/bin/sh\n")
        .says("user:x:1234:user\nstaff:x:50:user\n")
        .says("the site's\n");
    assert!(!outcome.stdout.contains("fake"), "{outcome}");
    assert!(!outcome.stdout.contains("the image's"), "{outcome}");
}

#[test]
fn variables_have_shifters_order_and_the_loaders_stay_outside() {
    let site = Site::new("siteEnvAppend=PATH=/opt/udiImage/bin\nsiteEnvUnset=GONE");
    let outcome = site
        .shifter()
        .args([
            "--env",
            "MINE=1",
            "--env=GONE=1",
            "--env=EMPTY=",
            "--unset-env=HOSTS",
        ])
        .arg("env")
        .env("HOSTS", "1")
        .env("KEPT", "1")
        .env("LD_LIBRARY_PATH", "/x")
        .env("TMPDIR", "/x")
        .env("HOME", "/root")
        .env("XDG_RUNTIME_DIR", "/run/user/0")
        .env("SUDO_USER", "root")
        .expect(0);
    for line in [
        "KEPT=1\n",
        "MINE=1\n",
        "EMPTY=\n",
        "IMAGE=yes\n",
        "PATH=/bin:/opt/udiImage/bin\n",
        "SHIFTER_RUNTIME=1\n",
        "SHIFTER_IMAGE=plain\n",
        "SHIFTER_IMAGEREQUEST=plain\n",
    ] {
        outcome.says(line);
    }
    for name in [
        "HOSTS=",
        "GONE=",
        "LD_LIBRARY_PATH=",
        "TMPDIR=",
        "OPT_RUNTIME_",
        "HOME=/root",
        "XDG_RUNTIME_DIR",
        "SUDO_USER",
    ] {
        let mut lines = outcome.stdout.lines();
        assert!(
            !lines.any(|line| line.starts_with(name)),
            "{name}: {outcome}"
        );
    }
    let cleared = site
        .shifter()
        .args(["-E", "env"])
        .env("KEPT", "1")
        .expect(0);
    assert!(!cleared.stdout.contains("KEPT"), "{cleared}");
    cleared.says("IMAGE=yes\n");
}

#[test]
fn entry_point_command_and_directory_are_the_images_where_asked() {
    let site = Site::new("");
    for (options, says) in [
        (&["--entrypoint"][..], "entered by default\n"),
        (&["--entry", "you"], "entered you\n"),
        (&["--entrypoint=pwd"], "/\n"),
        (&["--workdir", "pwd"], "/data\n"),
        (&["-w=/usr/lib", "pwd"], "/usr/lib\n"),
        (&["-w/usr/lib", "pwd"], "/usr/lib\n"),
        (&["-w=/lib", "pwd"], "/usr/lib\n"),
        (&["--as-docker"], "entered by default\n"),
        (&["--as-docker", "you"], "entered you\n"),
    ] {
        let outcome = site.shifter().args(options).expect(0);
        assert_eq!(outcome.stdout, says, "{options:?}");
    }
    // Without an entry point, CMD is what runs, in the image's directory; the user is who they are, whatever USER says.
    let meta = "FORMAT: VFS\nENV: PATH=/bin\nUSER: nobody\nCMD: ['sh', '-c', 'pwd; id -u']\n";
    site.describe("plain", &format!("{meta}WORKDIR: /data\n"));
    let outcome = site.shifter().arg("--as-docker").expect(0);
    assert_eq!(outcome.stdout, "/data\n1234\n");
    site.describe("plain", meta);
    let outcome = site.shifter().args(["--as-docker", "pwd"]).expect(0);
    assert_eq!(outcome.stdout, "/\n");
    let outcome = site.shifter().args(["--as-docker", "-w=/data", "pwd"]);
    assert_eq!(outcome.expect(0).stdout, "/data\n");
    let outcome = site.shifter().args(["--as-docker", "--entrypoint=pwd"]);
    let line = outcome.expect(125).stderr;
    assert!(line.contains("cannot be used with"), "{line}");
    let outcome = site.shifter().args(["-w=/nowhere", "pwd"]).expect(0);
    assert_eq!(outcome.stdout, "/\n");
    let line = outcome.one_line();
    assert!(
        line.contains("/nowhere is no directory in the container"),
        "{line}"
    );
}

#[test]
fn images_of_each_format_run_and_are_let_go_of() {
    let site = Site::new("");
    let known = std::fs::read_to_string("/proc/filesystems").expect("file systems");
    for format in ["squashfs", "erofs"] {
        if !known.lines().any(|line| line.trim_end().ends_with(format)) {
            skip(&format!("this kernel has no {format}"));
            continue;
        }
        site.image(format, format);
        let outcome = site
            .tool("", "1234:1234")
            .arg(format!("--image=id:{format}"))
            .args(["sh", "-c", "id -u; touch /data/x; exit 3"])
            .expect(3);
        assert_eq!(outcome.stdout, "1234\n", "{outcome}");
        site.assert_nothing_left(&outcome);
    }
}

#[test]
fn a_writable_root_is_the_containers_own() {
    let site = Site::new("mountUdiRootWritable=1");
    // Directories are still root's; what an image lets everybody write is written to memory.
    let data = site.path("images/plain./data");
    fs::set_permissions(&data, fs::Permissions::from_mode(0o777)).expect("chmod");
    let outcome = site.script(&[], "echo mine >/data/new && cat /data/new; touch /usr/new");
    assert_eq!(outcome.stdout, "mine\n", "{outcome}");
    assert_eq!(outcome.code, Some(1), "{outcome}");
    assert!(!data.join("new").exists());
}

#[test]
fn a_file_of_variables_is_the_containers_or_else_the_callers() {
    let site = Site::new("");
    let inside = site.file(
        "home/user/work/settings",
        "WHERE=inside\n# no\n\nEMPTY=\nSP=a b\n",
    );
    chown(&inside, Some(0), Some(1234)).expect("chown");
    fs::set_permissions(&inside, fs::Permissions::from_mode(0o640)).expect("chmod");
    let outside = site
        .file("outside", "WHERE=outside\n")
        .display()
        .to_string();
    for (options, says) in [
        (
            &["--env-file=/home/user/work/settings"][..],
            "WHERE=inside\n",
        ),
        (
            &["--env-file=work/settings", "-w=/home/user"],
            "WHERE=inside\n",
        ),
        (
            &["--env-file=/mnt/settings", "-V/home/user/work:/mnt"],
            "WHERE=inside\n",
        ),
        (&["--env-file", &outside], "WHERE=outside\n"),
    ] {
        let outcome = site.shifter().args(options).arg("env").expect(0);
        outcome.says(says);
        if says.contains("inside") {
            outcome.says("\nEMPTY=\n").says("\nSP=a b\n");
        }
    }
    // Read as the user, though root calls.
    fs::set_permissions(&inside, fs::Permissions::from_mode(0o600)).expect("chmod");
    for (path, says) in [
        ("/home/user/work/settings", "Permission denied"),
        ("/nosuch/file", "is neither in the container nor outside"),
        ("/data", "is not a regular file"),
        ("/etc/nsswitch.conf", "\"passwd: files\" must be NAME=VALUE"),
    ] {
        let outcome = site.shifter().args(["--env-file", path, "env"]).expect(125);
        let line = outcome.one_line();
        assert!(line.contains(says), "{line}");
        site.assert_nothing_left(&outcome);
    }
}

#[test]
fn of_a_cleared_environment_what_is_named_stays() {
    let site = Site::new("");
    let tool = site
        .shifter()
        .args(["-E", "--keep-env=KEPT", "--keep-env", "NOSUCH", "env"]);
    let outcome = tool.env("KEPT", "1").env("OTHER", "1").expect(0);
    outcome.says("KEPT=1\n");
    assert!(!outcome.stdout.contains("OTHER"), "{outcome}");
}

/// What execve(2) makes of `#!/usr/bin/shifter --image=plain … /bin/sh -e`.
#[test]
fn a_script_names_image_and_interpreter_in_its_first_line() {
    let site = Site::new("");
    let script = "#!/usr/bin/shifter --image=plain /bin/sh\necho \"$0 $1\"\nexit 3\n";
    site.file("home/user/work/script", script);
    let place = |name: &str| site.path(name).display().to_string();
    let line = format!(
        "--image=plain --config={} --state={} --root={} --user=1234:1234  /bin/sh -e",
        place("udiRoot.conf"),
        place("node"),
        site.bench.root().display()
    );
    let outcome = Tool::new(shifter())
        .args([&*line, "/home/user/work/script", "a b"])
        .expect(3);
    assert_eq!(outcome.stdout, "/home/user/work/script a b\n", "{outcome}");
    site.assert_nothing_left(&outcome);
}

#[test]
fn a_writable_root_can_be_asked_for() {
    let site = Site::new("");
    let data = site.path("images/plain./data");
    fs::set_permissions(&data, fs::Permissions::from_mode(0o777)).expect("chmod");
    let script =
        "echo mine >/data/new && cat /data/new; touch /new && echo TOP; touch /etc/new && echo ETC";
    let outcome = site.script(&["--writable"], script);
    assert_eq!(outcome.stdout, "mine\nTOP\n", "{outcome}");
    assert!(!data.join("new").exists());
    let control = site.script(&[], script);
    assert_eq!(control.stdout, "", "{control}");
}

/// MPI modules need it; what others than the site want loaded first is left out, and told.
#[test]
fn a_sites_libraries_may_be_preloaded_and_nobody_elses() {
    let of_module = "LD_PRELOAD=/opt/udiImage/modules/mpi/libmpi.so";
    let site = Site::new(&format!(
        "module_mpi_siteEnv={of_module}\nmodule_mpi_copyPath=@/data"
    ));
    let outcome = site.script(&["--module=mpi"], "/bin/env");
    outcome.says(&format!("{of_module}\n"));
    assert_eq!(outcome.stderr, "", "{outcome}");
    let outcome = site.script(&["--env=LD_PRELOAD=/tmp/mine.so"], "/bin/env");
    assert!(!outcome.stdout.contains("LD_PRELOAD"), "{outcome}");
    let line = outcome.one_line();
    assert!(
        line.contains("LD_PRELOAD=/tmp/mine.so is left out"),
        "{line}"
    );
}

/// As after a failed chdir(2) of Shifter's.
#[test]
fn who_calls_from_a_directory_that_is_gone_is_in_the_root_and_told() {
    let site = Site::new("");
    let gone = site.path("gone").display().to_string();
    let prepare = format!("mkdir '{gone}'; cd '{gone}'; rmdir '{gone}'");
    for (workdir, stdout, lines) in [(None, "/\n", 1), (Some("--workdir=/data"), "/data\n", 0)] {
        let tool = site.shifter().args(workdir).arg("pwd").after(&prepare);
        let outcome = tool.expect(0);
        assert_eq!(outcome.stdout, stdout, "{outcome}");
        assert_eq!(outcome.stderr.lines().count(), lines, "{outcome}");
        site.assert_nothing_left(&outcome);
    }
}

/// What Shifter leaves out of an image: names that it cuts characters from, what is neither file nor directory, and large
/// files of `/etc`. What the site has goes before what the image has, as there.
#[test]
fn an_image_is_shown_whole() {
    let site = Site::new("siteFs=@/data:/usr");
    let tree = site.path("images/plain.");
    let mut wanted = vec![];
    for directory in ["", "etc/", "var/", "opt/"] {
        for name in ["we ird", "a@b", "c~", "d%", "é"] {
            let name = format!("{directory}{name}");
            site.bench.directory(&format!("images/plain./{name}"));
            wanted.push(format!("d /{name}"));
        }
        let pipe = format!("{directory}pipe");
        nix::unistd::mkfifo(&tree.join(&pipe), nix::sys::stat::Mode::S_IRUSR).expect("mkfifo");
        wanted.push(format!("p /{pipe}"));
        let large = format!("{directory}large");
        let file = std::fs::File::create(tree.join(&large)).expect("a file");
        file.set_len(5 << 20).expect("its length");
        wanted.push(format!("f 5242880 /{large}"));
    }
    let kind = |line: &String| match line.split_once(' ') {
        Some(("d", path)) => format!("[ -d '{path}' ] || echo no '{path}'"),
        Some(("p", path)) => format!("[ -p '{path}' ] || echo no '{path}'"),
        _ => {
            let path = line.rsplit(' ').next().unwrap_or_default();
            format!("[ $(cat '{path}' | busybox wc -c) = 5242880 ] || echo no '{path}'")
        }
    };
    let script: Vec<String> = wanted.iter().map(kind).collect();
    let script = format!(
        "{}; ls /usr; ls -d /opt/udiImage/modules",
        script.join("\n")
    );
    let outcome = site.script(&[], &script);
    assert_eq!(outcome.stdout, "file\n/opt/udiImage/modules\n", "{outcome}");
}
