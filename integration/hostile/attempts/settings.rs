//! Kernel settings and what the kernel tells of itself: opened to be written to or read, and nothing is written.

use std::fs::{self, File, OpenOptions};
use std::io::Read;

use nix::errno::Errno;

use super::{Named, named};
use crate::calls::Attempt;

/// Written to, each would change the host, or what the process may do.
const WRITE: &str = "
    /proc/sys/kernel/core_pattern /proc/sys/kernel/core_pipe_limit /proc/sys/kernel/modprobe /proc/sys/kernel/hostname
    /proc/sys/kernel/domainname /proc/sys/kernel/randomize_va_space /proc/sys/kernel/dmesg_restrict
    /proc/sys/kernel/kptr_restrict /proc/sys/kernel/panic /proc/sys/kernel/sysrq /proc/sys/kernel/pid_max
    /proc/sys/kernel/threads-max /proc/sys/kernel/ns_last_pid /proc/sys/kernel/perf_event_paranoid
    /proc/sys/kernel/unprivileged_bpf_disabled /proc/sys/kernel/kexec_load_disabled /proc/sys/kernel/modules_disabled
    /proc/sys/kernel/keys/maxkeys /proc/sys/kernel/shmmax /proc/sys/kernel/shm_rmid_forced /proc/sys/kernel/msgmni
    /proc/sys/kernel/sem /proc/sys/kernel/printk /proc/sys/kernel/io_uring_disabled /proc/sys/kernel/hotplug
    /proc/sys/kernel/poweroff_cmd /proc/sys/kernel/cap_last_cap /proc/sys/kernel/overflowuid /proc/sys/vm/drop_caches
    /proc/sys/vm/overcommit_memory /proc/sys/vm/mmap_min_addr /proc/sys/vm/swappiness /proc/sys/vm/panic_on_oom
    /proc/sys/vm/nr_hugepages /proc/sys/vm/unprivileged_userfaultfd /proc/sys/vm/compact_memory
    /proc/sys/fs/suid_dumpable /proc/sys/fs/file-max /proc/sys/fs/nr_open /proc/sys/fs/protected_symlinks
    /proc/sys/fs/protected_hardlinks /proc/sys/fs/mount-max /proc/sys/fs/pipe-max-size
    /proc/sys/fs/inotify/max_user_watches /proc/sys/fs/binfmt_misc/register /proc/sys/fs/binfmt_misc/status
    /proc/sys/fs/mqueue/queues_max /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv4/ping_group_range
    /proc/sys/net/ipv4/ip_unprivileged_port_start /proc/sys/net/core/somaxconn /proc/sys/net/core/bpf_jit_enable
    /proc/sys/user/max_user_namespaces /proc/sys/debug/exception-trace /proc/sys/dev/tty/ldisc_autoload
    /proc/sysrq-trigger /proc/mtrr /proc/irq/default_smp_affinity /proc/scsi/scsi /proc/acpi/wakeup
    /proc/latency_stats /proc/timer_list /proc/sched_debug /proc/kmsg /proc/kcore /proc/bus/pci/00/00.0
    /proc/fs/nfsd /proc/self/uid_map /proc/self/gid_map /proc/self/projid_map /proc/self/timens_offsets
    /proc/self/attr/exec /proc/self/attr/current /proc/1/mem /proc/1/oom_score_adj /proc/1/uid_map /proc/1/setgroups
    /proc/1/clear_refs /proc/1/coredump_filter /proc/1/comm /proc/1/autogroup /proc/1/attr/current
    /proc/1/timerslack_ns /sys/kernel/uevent_helper /sys/kernel/kexec_crash_size /sys/kernel/profiling
    /sys/kernel/rcu_expedited /sys/kernel/mm/ksm/run /sys/kernel/mm/transparent_hugepage/enabled
    /sys/kernel/debug/sched/debug /sys/kernel/debug/provoke-crash/DIRECT /sys/kernel/tracing/kprobe_events
    /sys/kernel/tracing/set_event /sys/kernel/security/apparmor/.load /sys/kernel/livepatch
    /sys/module/kernel/parameters/panic /sys/module/printk/parameters/time
    /sys/module/nf_conntrack/parameters/hashsize /sys/power/state /sys/power/wakeup_count
    /sys/firmware/efi/efivars /sys/bus/pci/rescan /sys/bus/pci/drivers_probe /sys/block/vda/queue/scheduler
    /sys/block/loop0/loop/autoclear /sys/class/net/lo/mtu /sys/class/mem/null/uevent
    /sys/devices/system/cpu/cpu1/online /sys/devices/system/memory/probe /sys/devices/virtual/tty/console/active
    /sys/fs/bpf /sys/fs/fuse/connections /sys/fs/ext4/features /sys/fs/selinux/enforce /sys/fs/smackfs/load
";

/// Read, each would tell of the host or of others.
const READ: &str = "
    /proc/kcore /proc/kmsg /proc/kallsyms /proc/modules /proc/keys /proc/key-users /proc/timer_list /proc/timer_stats
    /proc/sched_debug /proc/iomem /proc/ioports /proc/interrupts /proc/vmallocinfo /proc/slabinfo /proc/pagetypeinfo
    /proc/diskstats /proc/partitions /proc/cmdline /proc/config.gz /proc/crypto /proc/consoles /proc/bootconfig
    /proc/kpagecount /proc/kpageflags /proc/kpagecgroup /proc/swaps /proc/zoneinfo /proc/buddyinfo
    /proc/tty/drivers /proc/acpi/wakeup /proc/asound/cards /proc/scsi/scsi /proc/pressure/memory
    /proc/1/environ /proc/1/mem /proc/1/maps /proc/1/stack /proc/1/io /proc/1/auxv /proc/1/syscall /proc/1/pagemap
    /proc/1/fd/0 /proc/1/root/etc/shadow /proc/1/cwd/etc/shadow /proc/1/map_files /proc/1/patch_state
    /sys/kernel/vmcoreinfo /sys/kernel/notes /sys/kernel/debug/dri/0/name /sys/kernel/tracing/trace
    /sys/kernel/boot_params/data /sys/firmware/dmi/tables/DMI /sys/firmware/acpi/tables/DSDT
    /sys/firmware/efi/systab /sys/class/dmi/id/product_serial /sys/devices/virtual/dmi/id/product_uuid
    /sys/hypervisor/uuid /sys/fs/pstore
";

fn errno(error: &std::io::Error) -> Errno {
    Errno::from_raw(error.raw_os_error().unwrap_or(0))
}

/// Reads some of it; what is there and empty is as good as absent.
pub fn read_some(path: &str) -> Attempt {
    let mut file = File::open(path).map_err(|error| errno(&error))?;
    let mut bytes = [0; 64];
    match file.read(&mut bytes).map_err(|error| errno(&error))? {
        0 => Err(Errno::ENODATA),
        length => Ok(format!("{length} bytes")),
    }
}

/// Opened only: nothing is written. A directory counts where something can be made in it.
pub fn open_to_write(path: &str) -> Attempt {
    if fs::metadata(path).is_ok_and(|status| status.is_dir()) {
        let made = format!("{path}/made-by-probe");
        fs::create_dir(&made).map_err(|error| errno(&error))?;
        let _ = fs::remove_dir(&made);
        return Ok("a directory".to_owned());
    }
    let opened = OpenOptions::new().write(true).open(path);
    let file = opened.map_err(|error| errno(&error))?;
    // The null device, with which paths are hidden, takes everything.
    let is_null =
        std::os::unix::fs::MetadataExt::rdev(&file.metadata().map_err(|error| errno(&error))?)
            == 0x103;
    if is_null {
        Err(Errno::ENODATA)
    } else {
        Ok(String::new())
    }
}

/// Both.
pub fn settings() -> Vec<Named> {
    let write = WRITE
        .split_whitespace()
        .map(|path| named(format!("write to {path}"), move || open_to_write(path)));
    let read = READ
        .split_whitespace()
        .map(|path| named(format!("read from {path}"), move || read_some(path)));
    write.chain(read).collect()
}

/// The cgroups, wherever they might be.
pub fn cgroups() -> Vec<Named> {
    let places = [
        "/sys/fs/cgroup",
        "/sys/fs/cgroup/memory",
        "/sys/fs/cgroup/pids",
        "/sys/fs/cgroup/systemd",
        "/sys/fs/cgroup/unified",
        "/dev/cgroup",
    ];
    let files = [
        "cgroup.procs",
        "tasks",
        "release_agent",
        "notify_on_release",
        "cgroup.subtree_control",
        "cgroup.kill",
        "memory.max",
        "memory.limit_in_bytes",
        "pids.max",
        "devices.allow",
        "cpu.max",
    ];
    let mut attempts: Vec<Named> = places
        .map(|place| {
            named(format!("make a cgroup in {place}"), move || {
                open_to_write(place)
            })
        })
        .into();
    for place in ["/sys/fs/cgroup", "/sys/fs/cgroup/memory"] {
        for file in files {
            let path = format!("{place}/{file}");
            attempts.push(named(format!("write to {path}"), move || {
                open_to_write(&path)
            }));
        }
    }
    attempts
}

/// Files and sockets of the host's, by the names that they have there.
pub fn host() -> Vec<Named> {
    let read = "
        /etc/shadow /etc/gshadow /etc/sudoers /etc/machine-id /etc/fstab /etc/ssh/ssh_host_ed25519_key /root/.bashrc
        /root/.ssh/id_ed25519 /home /boot /lib/modules /var/log /var/lib /var/spool /var/run/docker.sock
        /run/docker.sock /run/containerd/containerd.sock /run/podman/podman.sock /run/systemd/private
        /run/dbus/system_bus_socket /run/munge/munge.socket.2 /run/opt-runtime /run/opt-server /run/user
        /../etc/shadow /proc/self/root/etc/shadow /proc/self/cwd/../../../../etc/shadow
        /dev/disk /dev/mapper /dev/vda /dev/sda /mnt /media /srv";
    read.split_whitespace()
        .map(|path| {
            named(format!("reach {path}"), move || {
                let status = fs::metadata(path).map_err(|error| errno(&error))?;
                if status.is_dir() {
                    let entries = fs::read_dir(path).map_err(|error| errno(&error))?;
                    return match entries.count() {
                        0 => Err(Errno::ENODATA),
                        count => Ok(format!("{count} entries")),
                    };
                }
                if std::os::unix::fs::FileTypeExt::is_socket(&status.file_type()) {
                    let connected = std::os::unix::net::UnixStream::connect(path);
                    return connected
                        .map(|_| "connected".to_owned())
                        .map_err(|error| errno(&error));
                }
                read_some(path)
            })
        })
        .collect()
}
