# exec, terminals, and what the process is given.
# shellcheck shell=bash

STATUS='grep -E "^(Cap|NoNewPrivs|Seccomp:)" /proc/self/status'

check_exec_prints_and_gives_the_exit_code() {
    sleeper
    docker exec one echo hello
    gives 0
    prints_only hello
    docker exec one sh -c 'exit 9'
    gives 9
    docker exec -i one cat <<<"from outside"
    prints_only "from outside"
}

check_exec_gives_126_where_it_cant_execute() {
    sleeper
    docker exec one nothing-there
    gives 126
    prints 'executable file not found'
    docker exec one /bin/not-executable
    gives 126
}

check_exec_as_another_user_elsewhere() {
    sleeper --env COLOUR=green
    docker exec --user worker --workdir /usr --env SHAPE=square one sh -c 'id; pwd; echo $COLOUR $SHAPE'
    gives 0
    prints 'uid=1000(worker) gid=1000(worker) groups=1000(worker),2000(helpers)'
    prints $'/usr\ngreen square'
}

check_exec_is_bounded_as_the_container_is() {
    sleeper --memory 64m --cap-drop all --cap-add chown
    docker exec one sh -c "$STATUS; cat /proc/self/cgroup"
    gives 0
    prints_like 'CapEff:.0000000000000001.*Seccomp:.2'
    prints "/$cgroup_parent/"
}

check_a_privileged_exec_has_more() {
    sleeper --cap-drop all
    docker exec --privileged one sh -c "$STATUS"
    gives 0
    prints_like 'CapEff:.0000....ffffffff'
}

check_run_on_a_terminal() {
    on_terminal run --rm --interactive --tty "$IMAGE" sh -c 'tty; sleep 0.5; stty size; exit 3'
    gives 3
    prints /dev/pts/0
    prints '33 99'
}

check_exec_on_a_terminal() {
    sleeper
    on_terminal exec --interactive --tty one sh -c 'tty; exit 4'
    gives 4
    prints /dev/pts/
}

check_interrupt_reaches_the_foreground() {
    docker run --detach --interactive --tty --name one "$IMAGE" \
        sh -c 'trap "exit 8" INT; echo ready; while :; do sleep 0.1; done'
    until_true logs_say one ready
    typed='\003' on_terminal attach one
    docker wait one
    prints_only 8
}

check_default_privileges_are_dockers() {
    docker run --rm "$IMAGE" sh -c "$STATUS"
    gives 0
    prints_like 'CapEff:.00000000a80425fb'
    prints_like 'NoNewPrivs:.0.*Seccomp:.2'
}

check_capabilities_and_no_new_privileges() {
    docker run --rm --cap-drop all --cap-add net_admin --security-opt no-new-privileges "$IMAGE" sh -c "$STATUS"
    gives 0
    prints_like 'CapEff:.0000000000001000'
    prints_like 'NoNewPrivs:.1.*Seccomp:.2'
    docker run --rm --user worker "$IMAGE" sh -c "$STATUS"
    gives 0
    prints_like 'CapEff:.0000000000000000'
}

check_a_filter_of_the_callers_and_none() {
    cat >"$place/filter.json" <<'END'
{"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"],
 "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 28}]}
END
    docker run --rm --security-opt "seccomp=$place/filter.json" "$IMAGE" mkdir /tmp/made
    gives 1
    complains 'No space left on device'
    docker run --rm --security-opt seccomp=unconfined "$IMAGE" sh -c "$STATUS"
    gives 0
    prints_like 'Seccomp:.0'
}

check_privileged() {
    docker run --rm --privileged "$IMAGE" sh -c 'mount -t tmpfs none /mnt && echo mounted'
    gives 0
    prints_only mounted
}

check_paths_are_masked() {
    docker run --rm "$IMAGE" sh -c 'cat /proc/keys; ls -A /proc/acpi /proc/scsi /sys/firmware | grep -v :; echo 1 >/proc/sys/vm/overcommit_memory'
    gives 1
    prints_only ''
    complains 'Read-only file system'
}

check_devices() {
    docker run --rm --device /dev/zero:/dev/nought "$IMAGE" head -c 3 /dev/nought
    gives 0
    docker run --rm "$IMAGE" sh -c 'mknod /tmp/kmsg c 1 11 && : </tmp/kmsg'
    gives 1
    complains 'Operation not permitted'
}

check_identity_and_place() {
    docker run --rm --user worker --workdir /usr --hostname somewhere --env COLOUR=green "$IMAGE" \
        sh -c 'id -u; pwd; hostname; echo $COLOUR'
    gives 0
    prints_only $'1000\n/usr\nsomewhere\ngreen'
    docker run --rm --user 4321:1234 --group-add 3456 "$IMAGE" id -G
    prints_only '1234 3456'
}

check_network_host() {
    try docker run --rm --runtime "$(name_of "$using")" --network host "$IMAGE" readlink /proc/self/ns/net
    gives 0
    prints_only "$(readlink /proc/self/ns/net)"
}

check_network_none() {
    docker run --rm "$IMAGE" ip -o link
    gives 0
    [ "$(wc -l <<<"$out")" = 1 ] || no 'more than one interface'
}

check_namespaces_of_another_container() {
    sleeper --ipc shareable
    docker run --rm --pid container:one --ipc container:one "$IMAGE" cat /proc/1/cmdline
    gives 0
    prints sleep
}

check_volumes() {
    mkdir -p "$place/volume"
    echo outside >"$place/volume/in"
    docker run --rm --volume "$place/volume:/data" "$IMAGE" sh -c 'cat /data/in; echo inside >/data/out'
    gives 0
    prints_only outside
    [ "$(cat "$place/volume/out")" = inside ] || no 'nothing arrived outside'
    docker run --rm --volume "$place/volume:/data:ro" "$IMAGE" touch /data/made
    gives 1
    complains 'Read-only file system'
    docker run --rm --volume "$place/volume:/data:rslave" "$IMAGE" grep ' /data ' /proc/self/mountinfo
    gives 0
    prints master:
}

check_a_named_volume() {
    docker run --rm --volume kept:/home "$IMAGE" stat -c %u /home/worker
    gives 0
    prints_only 1000
    docker volume rm kept
    gives 0
}

check_temporary_file_system_and_read_only_root() {
    docker run --rm --read-only --tmpfs /scratch:size=2m,mode=1750 "$IMAGE" \
        sh -c 'stat -c %a /scratch; df -k /scratch; touch /scratch/made && touch /made'
    gives 1
    prints 1750
    prints ' 2048 '
    complains 'touch: /made: Read-only file system'
}

check_ulimit_sysctl_and_shared_memory() {
    docker run --rm --ulimit nofile=234:345 --sysctl kernel.msgmax=7777 --shm-size 3m "$IMAGE" \
        sh -c 'ulimit -n; ulimit -Hn; cat /proc/sys/kernel/msgmax; df -k /dev/shm | tail -n 1'
    gives 0
    prints_like $'^234\n345\n7777\n.* 3072 '
}

check_cp_and_diff() {
    sleeper
    echo copied >"$place/copied"
    docker cp "$place/copied" one:/tmp/copied
    gives 0
    docker exec one cat /tmp/copied
    prints_only copied
    docker diff one
    prints 'A /tmp/copied'
}

check_build_with_run() {
    mkdir -p "$place/context"
    printf 'FROM %s\nRUN id -u >/made\nUSER worker\nRUN id -u >/tmp/made\nCMD cat /made /tmp/made\n' "$IMAGE" \
        >"$place/context/Dockerfile"
    DOCKER_BUILDKIT=0 docker build --network none --tag built "$place/context"
    gives 0
    docker run --rm built
    gives 0
    prints_only $'0\n1000'
    docker rmi --force built
}
