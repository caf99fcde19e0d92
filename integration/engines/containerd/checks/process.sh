# exec, terminals, and what the process is given.
# shellcheck shell=bash

check_exec_prints_and_gives_the_exit_code() {
    sleeper
    in_one echo hello
    gives 0
    prints_only hello
    in_one sh -c 'exit 9'
    gives 9
}

check_exec_of_what_is_not_there() {
    sleeper
    in_one /bin/nothing-there
    gives 1
    complains nothing-there
}

check_exec_in_a_directory_as_another_user() {
    sleeper
    ctr task exec --exec-id other --user 1000 --cwd /usr one sh -c 'id -u; pwd'
    gives 0
    prints_only $'1000\n/usr'
}

check_exec_is_bounded_as_the_container_is() {
    sleeper --seccomp --memory-limit $((64 << 20))
    in_one sh -c 'grep -E "Seccomp:|NoNewPrivs|CapBnd" /proc/self/status; cat /proc/self/cgroup' 
    gives 0
    prints_like 'CapBnd:.00000000a80425fb.*NoNewPrivs:.1.*Seccomp:.2'
    local there=$out
    in_one sh -c 'grep -E "Seccomp:|NoNewPrivs|CapBnd" /proc/1/status; cat /proc/1/cgroup'
    prints_only "$there"
}

check_run_on_a_terminal() {
    on_terminal run --rm --tty "$IMAGE" one sh -c 'tty; exit 3'
    gives 3
    prints /dev/pts/0
}

check_the_terminal_has_the_callers_size() {
    on_terminal run --rm --tty "$IMAGE" one sh -c 'sleep 1; stty size'
    gives 0
    prints '33 99'
}

check_exec_on_a_terminal() {
    sleeper
    on_terminal task exec --tty --exec-id other one sh -c 'tty; exit 4'
    gives 4
    prints /dev/pts/0
}

check_environment_and_directory() {
    ctr run --rm --env COLOUR=green --cwd /usr "$IMAGE" one sh -c 'echo $COLOUR; pwd; hostname >/dev/null'
    gives 0
    prints_only $'green\n/usr'
}

check_a_root_file_system_from_a_directory() {
    ctr run --rm --rootfs "$place/rootfs" one /bin/cat /etc/passwd
    gives 0
    prints worker
}

check_a_configuration_of_the_callers() {
    jq -n --arg root "$place/rootfs" '{
        ociVersion: "1.0.2", root: {path: $root, readonly: true}, hostname: "own",
        process: {args: ["/bin/sh", "-c", "id -u; hostname; cat /proc/self/status | grep CapEff"],
            cwd: "/", user: {uid: 1000, gid: 1000}, env: ["PATH=/bin"], noNewPrivileges: true},
        mounts: [{destination: "/proc", type: "proc", source: "proc"}],
        linux: {namespaces: [{type: "pid"}, {type: "mount"}, {type: "uts"}, {type: "ipc"}, {type: "network"}],
            cgroupsPath: "/\($ENV.cgroup_parent)/own"}}' >"$place/config.json"
    ctr run --rm --config "$place/config.json" one
    gives 0
    prints_like $'^1000\nown\nCapEff:.0000000000000000'
}

check_capabilities_are_added_and_dropped() {
    ctr run --rm --cap-drop CAP_CHOWN --cap-add CAP_NET_ADMIN "$IMAGE" one grep -E 'CapEff|CapBnd' /proc/self/status
    gives 0
    prints_like 'CapEff:.00000000a80435fa'
    prints_like 'CapBnd:.00000000a80435fa'
}

check_no_new_privileges_unless_allowed() {
    ctr run --rm "$IMAGE" one grep NoNewPrivs /proc/self/status
    prints_like 'NoNewPrivs:.1'
    ctr run --rm --allow-new-privs "$IMAGE" one grep NoNewPrivs /proc/self/status
    gives 0
    prints_like 'NoNewPrivs:.0'
}

check_the_default_filter() {
    ctr run --rm --seccomp "$IMAGE" one grep Seccomp: /proc/self/status
    gives 0
    prints_like 'Seccomp:.2'
    ctr run --rm --seccomp --allow-new-privs "$IMAGE" one grep Seccomp: /proc/self/status
    gives 0
    prints_like 'Seccomp:.2'
    ctr run --rm --seccomp "$IMAGE" one unshare -m true
    gives 1
}

check_privileged() {
    ctr run --rm --privileged --allow-new-privs "$IMAGE" one sh -c 'mount -t tmpfs none /mnt && echo mounted'
    gives 0
    prints_only mounted
}

check_read_only_root() {
    ctr run --rm --read-only "$IMAGE" one touch /made
    gives 1
    complains 'Read-only file system'
}

check_mounts() {
    mkdir -p "$place/volume"
    echo outside >"$place/volume/in"
    ctr run --rm --mount "type=bind,src=$place/volume,dst=/data,options=rbind:ro" "$IMAGE" one \
        sh -c 'cat /data/in; touch /data/made'
    gives 1
    prints_only outside
    complains 'Read-only file system'
    ctr run --rm --mount "type=tmpfs,src=tmpfs,dst=/scratch,options=size=1m:nosuid" "$IMAGE" one df -k /scratch
    gives 0
    prints 1024
}

check_propagation_of_the_root() {
    ctr run --rm --rootfs-propagation rslave "$IMAGE" one grep ' / / ' /proc/self/mountinfo
    gives 0
    prints master:
}

check_memory_and_cpu() {
    sleeper --memory-limit $((48 << 20)) --cpus 0.5
    cgroup_value "$(pid_of_one)" memory.limit_in_bytes memory memory.max
    prints_only $((48 << 20))
    cgroup_value "$(pid_of_one)" cpu.cfs_quota_us cpu cpu.max
    prints_like '^50000'
}

check_a_device() {
    ctr run --rm --device /dev/kmsg "$IMAGE" one ls /dev/kmsg
    gives 0
}

check_namespaces_can_be_joined_and_shared() {
    sleeper
    local pid
    pid=$(pid_of_one)
    ctr run --rm --with-ns "network:/proc/$pid/ns/net" --with-ns "ipc:/proc/$pid/ns/ipc" "$IMAGE" two \
        sh -c 'readlink /proc/self/ns/net; readlink /proc/self/ns/ipc'
    gives 0
    prints_only "$(readlink "/proc/$pid/ns/net" "/proc/$pid/ns/ipc")"
    ctr run --rm --net-host "$IMAGE" two readlink /proc/self/ns/net
    gives 0
    prints_only "$(readlink /proc/self/ns/net)"
}

check_user_namespace() {
    ctr run --rm --uidmap 0:200000:1000 --gidmap 0:200000:1000 "$IMAGE" one sh -c 'cat /proc/self/uid_map; id -u'
    gives 0
    prints_like '0 +200000 +1000'
}

check_ten_containers_at_once() {
    local each pids=() options
    runtime_options
    for each in {1..10}; do
        command ctr --address "$home/socket" --namespace "$cgroup_parent" run --rm \
            "${options[@]}" "$IMAGE" "ten$each" echo "number $each" >>"$place/ten" 2>&1 &
        pids+=($!)
    done
    wait "${pids[@]}"
    last='ten times ctr run' code=$? out=$(cat "$place/ten") err=
    rm "$place/ten"
    [ "$(grep -c '^number' <<<"$out")" = 10 ] || no 'not all of them printed'
}
