# Privilege: capabilities, no_new_privs, the system call filter, what of /proc and /sys is hidden.
# shellcheck shell=bash

# The process's own view of its privileges, as /proc tells it.
STATUS='grep -E "^(Cap|NoNewPrivs|Seccomp:)" /proc/self/status'

check_default_capabilities_are_podmans() {
    podman run --rm "$IMAGE" sh -c "$STATUS"
    gives 0
    prints_like 'CapInh:.0000000000000000'
    prints_like 'CapPrm:.00000000800405fb'
    prints_like 'CapBnd:.00000000800405fb'
}

check_capabilities_are_dropped_and_added() {
    podman run --rm --cap-drop all "$IMAGE" sh -c "$STATUS"
    gives 0
    prints_like 'CapEff:.0000000000000000'
    prints_like 'CapBnd:.0000000000000000'
    podman run --rm --cap-drop all --cap-add net_admin "$IMAGE" sh -c "$STATUS"
    prints_like 'CapEff:.0000000000001000'
    podman run --rm --cap-add sys_admin "$IMAGE" sh -c "$STATUS"
    prints_like 'CapEff:.00000000802405fb'
}

check_an_ordinary_user_has_no_effective_capabilities() {
    podman run --rm --user worker "$IMAGE" sh -c "$STATUS"
    gives 0
    prints_like 'CapEff:.0000000000000000'
    podman run --rm --user worker --cap-add net_raw "$IMAGE" sh -c "$STATUS"
    prints_like 'CapAmb:.0000000000002000'
}

check_no_new_privileges() {
    podman run --rm "$IMAGE" sh -c "$STATUS"
    prints_like 'NoNewPrivs:.0'
    podman run --rm --security-opt no-new-privileges "$IMAGE" sh -c "$STATUS"
    gives 0
    prints_like 'NoNewPrivs:.1'
}


check_the_default_filter_is_loaded() {
    podman run --rm "$IMAGE" sh -c "$STATUS"
    gives 0
    prints_like 'Seccomp:.2'
    podman run --rm --security-opt no-new-privileges "$IMAGE" sh -c "$STATUS"
    prints_like 'Seccomp:.2'
    podman run --rm --user worker "$IMAGE" sh -c "$STATUS"
    gives 0
    prints_like 'Seccomp:.2'
}

check_a_filter_of_the_callers_does_what_it_says() {
    cat >"$place/filter.json" <<'END'
{"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"],
 "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 28}]}
END
    podman run --rm --security-opt "seccomp=$place/filter.json" "$IMAGE" mkdir /tmp/made
    gives 1
    complains 'No space left on device'
}

check_a_filter_can_kill() {
    cat >"$place/filter.json" <<'END'
{"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64"],
 "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_KILL_PROCESS"}]}
END
    podman run --rm --security-opt "seccomp=$place/filter.json" "$IMAGE" mkdir /tmp/made
    gives 159
}

check_without_a_filter() {
    podman run --rm --security-opt seccomp=unconfined "$IMAGE" sh -c "$STATUS"
    gives 0
    prints_like 'Seccomp:.0'
}

check_unshare_is_refused_by_default() {
    podman run --rm "$IMAGE" unshare -m true
    gives 1
}

check_paths_are_masked_and_unmasked() {
    podman run --rm "$IMAGE" sh -c 'cat /proc/keys; ls -A /proc/acpi /proc/scsi /sys/firmware | grep -v :'
    prints_only ''
    podman run --rm --security-opt mask=/etc "$IMAGE" ls /etc
    gives 0
    prints_only ''
    podman run --rm --security-opt unmask=/sys/firmware "$IMAGE" sh -c 'grep -c /sys/firmware /proc/self/mountinfo'
    prints_only 0
}

check_proc_sys_is_read_only() {
    podman run --rm "$IMAGE" sh -c 'echo 1 >/proc/sys/vm/overcommit_memory'
    gives 1
    complains 'Read-only file system'
}

check_privileged_has_everything_that_the_machine_has() {
    podman run --rm --privileged "$IMAGE" sh -c "$STATUS; ls /dev/null; mount -t tmpfs none /mnt && echo mounted"
    gives 0
    prints_like 'Seccomp:.0'
    prints mounted
}

check_read_only_root() {
    podman run --rm --read-only "$IMAGE" sh -c 'touch /made'
    gives 1
    complains 'Read-only file system'
    podman run --rm --read-only "$IMAGE" sh -c 'touch /tmp/made /run/made /dev/shm/made && echo made'
    gives 0
    prints_only made
}

check_read_only_root_without_temporary_file_systems() {
    podman run --rm --read-only --read-only-tmpfs=false "$IMAGE" touch /tmp/made
    gives 1
}

check_sysctl() {
    podman run --rm --sysctl net.ipv4.ip_unprivileged_port_start=77 --sysctl kernel.msgmax=7777 "$IMAGE" \
        cat /proc/sys/net/ipv4/ip_unprivileged_port_start /proc/sys/kernel/msgmax
    gives 0
    prints_only $'77\n7777'
}

check_devices_are_those_that_were_asked_for() {
    podman run --rm "$IMAGE" sh -c 'cd /dev; ls | grep -v core | sort | tr "\n" " "'
    gives 0
    prints_only 'fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero '
    podman run --rm --device /dev/zero:/dev/nought "$IMAGE" head -c 4 /dev/nought
    gives 0
    mknod "$place/kmsg" c 1 11
    podman run --rm --device "$place/kmsg:/dev/messages:r" "$IMAGE" sh -c ': >/dev/messages'
    gives 1
    complains 'Operation not permitted'
}

check_other_devices_cant_be_used() {
    podman run --rm "$IMAGE" sh -c 'mknod /tmp/kmsg c 1 11 && cat /tmp/kmsg'
    gives 1
    complains 'Operation not permitted'
}
