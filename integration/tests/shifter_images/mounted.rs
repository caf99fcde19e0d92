//! What a mounted image looks like from where it is used.

use integration::{Tool, shifter, skip};

use crate::store::{HELLO, Store, formats};

#[test]
fn an_image_of_each_format_is_read_only_and_has_neither_setuid_programs_nor_devices() {
    let store = Store::new();
    for format in formats() {
        store.make(format, format);
        let script = "cat $1/link $1/deep/file; grep \" $1 \" /proc/self/mountinfo
            touch $1/new && echo WRITTEN; cat $1/null && echo DEVICE
            setpriv --reuid 1234 --regid 1234 --clear-groups $1/setuid-id";
        let outcome = store.script(format, script).expect(0);
        let said = &outcome.stdout;
        assert!(said.starts_with(&format!("{HELLO}deep\n")), "{outcome}");
        assert!(said.contains(" ro,nosuid,nodev,"), "{outcome}");
        let last = said.lines().last().expect("what id says");
        assert_eq!(last, "uid=1234 gid=1234 groups=1234", "{outcome}");
        assert!(
            !said.contains("WRITTEN") && !said.contains("DEVICE"),
            "{outcome}"
        );
        assert!(store.path(format, format).exists());
        store.assert_nothing_left();
    }
}

/// The control of the test above: the same file where nothing is nosuid.
#[test]
fn the_setuid_program_of_these_tests_is_one() {
    let store = Store::new();
    let program = store.tree().join("setuid-id");
    let outcome = Tool::new("setpriv")
        .args(["--reuid", "1234", "--regid", "1234", "--clear-groups"])
        .arg(program)
        .expect(0);
    if !outcome.stdout.contains("euid=0") {
        skip("/var/tmp is mounted nosuid");
    }
}

#[test]
fn a_format_that_this_kernel_lacks_is_refused_with_a_way_out() {
    let store = Store::new();
    let known = std::fs::read_to_string("/proc/filesystems").expect("file systems");
    if known.contains("cramfs") {
        return skip("this kernel has cramfs");
    }
    let mut head = vec![0; 4096];
    head[..8].copy_from_slice(&[0x45, 0x3d, 0xcd, 0x28, 0, 16, 0, 0]);
    std::fs::write(store.path("old", "cramfs"), head).expect("write an image");
    store.describe("old", "cramfs");
    let outcome = store.script("old", "true").expect(125);
    let line = outcome.one_line();
    assert!(
        line.contains("this kernel has no cramfs; hint: only a kernel reads it"),
        "{line}"
    );
    store.assert_nothing_left();
}

#[test]
fn a_command_has_the_exit_code_the_input_and_the_directory_of_the_caller() {
    let store = Store::new();
    store.make("it", "erofs");
    let outcome = store
        .script("it", "pwd; cat; exit 7")
        .input("from outside")
        .expect(7);
    let here = store.bench.path("");
    let here = here.to_str().expect("a path").trim_end_matches('/');
    assert_eq!(outcome.stdout, format!("{here}\nfrom outside"));
    let outcome = store.mount("it").arg("/nowhere/at/all").expect(125);
    assert!(
        outcome.one_line().contains("run /nowhere/at/all"),
        "{outcome}"
    );
    store.assert_nothing_left();
}

#[test]
fn an_image_stays_mounted_until_it_is_released() {
    let store = Store::new();
    store.make("it", "squashfs");
    let (state, place) = (store.state.display(), store.place.display());
    let (program, images) = (shifter(), store.directory.display());
    let image = format!("{} image", program.display());
    // The namespace is the test's; a job's prolog does it in the host's.
    let script = format!(
        "{image} mount --state {state} --store {images} it {place}
         cat {place}/hello; {image} list --state {state}
         mkdir other; {image} mount --state {state} --store {images} it other
         stat -c %d {place} other | sort -u | wc -l
         {image} release --state {state} {place}; {image} list --state {state}; ls {place}
         {image} release --state {state} other; {image} list --state {state}
         {image} release --state {state} {place} && echo RELEASED TWICE; true"
    );
    let tool = Tool::new("true").current_dir(&store.bench.path(""));
    let outcome = tool.after(&script).expect(0);
    let base = store.bench.path("");
    let base = base.to_str().expect("a path").trim_end_matches('/');
    let file = store.path("it", "squashfs");
    let file = file.display();
    let expected = format!("{HELLO}squashfs {file} {place}\n1\nsquashfs {file} {base}/other\n");
    assert_eq!(outcome.stdout, expected, "{outcome}");
    assert!(
        outcome.stderr.contains("no image is mounted there"),
        "{outcome}"
    );
    store.assert_nothing_left();
}

#[test]
fn only_those_whom_an_image_is_kept_to_get_it() {
    let store = Store::new();
    store.make("it", "erofs");
    let meta = store.directory.join("it.meta");
    std::fs::write(meta, "FORMAT: erofs\nUSERACL: 1500\nGROUPACL: 77\n").expect("write .meta");
    let outcome = store.script("it", "true").expect(125);
    assert!(
        outcome
            .one_line()
            .contains("not among those who may use it"),
        "{outcome}"
    );
    let whom = |whom: &str| {
        let tool = store.image("mount").arg("--store").arg(&store.directory);
        tool.args(["--for", whom, "it"])
            .arg(&store.place)
            .args(["--", "true"])
    };
    whom("1500:1").expect(0);
    whom("1:1:5:77").expect(0);
    whom("1:1:5").expect(125);
    whom("1").expect(125);
    store.assert_nothing_left();
}
