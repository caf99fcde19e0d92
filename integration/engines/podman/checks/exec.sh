# podman exec: a process more in a container that runs.
# shellcheck shell=bash

check_exec_prints_and_gives_the_exit_code() {
    sleeper
    podman exec one echo hello
    gives 0
    prints_only hello
    podman exec one sh -c 'exit 9'
    gives 9
    podman exec one sh -c 'kill -KILL $$'
    gives 137
}

check_exec_passes_standard_input() {
    sleeper
    podman exec -i one cat <<<"from outside"
    gives 0
    prints_only "from outside"
}

check_exec_gives_127_and_126_where_it_cant_execute() {
    sleeper
    podman exec one /bin/nothing-there
    gives 127
    podman exec one /bin/not-executable
    gives 126
}

check_exec_has_the_containers_environment_and_its_own() {
    sleeper --env COLOUR=green --env SHAPE=round
    podman exec --env SHAPE=square one sh -c 'echo $COLOUR $SHAPE'
    gives 0
    prints_only 'green square'
}

check_exec_starts_in_the_directory_that_is_asked_for() {
    sleeper --workdir /usr
    podman exec one pwd
    prints_only /usr
    podman exec --workdir /etc one pwd
    prints_only /etc
    podman exec --workdir /nowhere one pwd
    gives 127
}

check_exec_as_another_user() {
    sleeper --user worker
    podman exec one id
    prints 'uid=1000(worker) gid=1000(worker)'
    podman exec --user 0 one id -u
    prints_only 0
    podman exec --user 1234:5678 one id
    prints 'uid=1234 gid=5678'
}

check_exec_has_the_containers_capabilities() {
    sleeper --cap-drop all --cap-add chown,kill
    podman exec one grep CapEff /proc/self/status
    gives 0
    prints_like 'CapEff:.0000000000000021'
    podman exec --privileged one grep CapEff /proc/self/status
    gives 0
    never_prints '0000000000000021'
}

check_exec_has_the_containers_filter_and_no_new_privileges() {
    sleeper --security-opt no-new-privileges
    podman exec one grep -E 'Seccomp:|NoNewPrivs' /proc/self/status
    gives 0
    prints_like 'NoNewPrivs:.1.*Seccomp:.2'
}

check_exec_is_in_the_containers_namespaces() {
    sleeper
    podman exec one sh -c 'for kind in mnt pid ipc uts net cgroup user; do
        [ "$(readlink /proc/1/ns/$kind)" = "$(readlink /proc/self/ns/$kind)" ] || echo "another $kind"; done'
    gives 0
    prints_only ''
}

check_exec_is_in_the_containers_cgroup() {
    sleeper --memory 64m
    podman exec one sh -c 'diff /proc/1/cgroup /proc/self/cgroup'
    gives 0
}

check_exec_has_the_containers_limits() {
    # Named as well, because podman would raise it, which not every machine allows.
    sleeper --ulimit nofile=123:456 --ulimit nproc=4096:4096
    podman exec one sh -c 'ulimit -Hn'
    gives 0
    prints_only 456
}

check_exec_in_a_user_namespace_stays_in_it() {
    sleeper --uidmap 0:100000:5000 --gidmap 0:100000:5000
    podman exec one sh -c 'cat /proc/self/uid_map; id -u; touch /tmp/made; stat -c %u /tmp/made'
    gives 0
    prints_like '0 +100000 +5000'
    podman mount one
    [ "$(stat -c %u "$out/tmp/made")" = 100000 ] || no "a file of $(stat -c %u "$out/tmp/made")"
}

check_exec_detached_runs_on() {
    sleeper
    podman exec --detach one sh -c 'echo made >/tmp/made'
    gives 0
    until_true command podman exec one grep -q made /tmp/made
}

check_exec_into_what_has_ended_is_refused() {
    podman run --name one "$IMAGE" true
    podman exec one true
    gives 255
    complains 'can only create exec sessions on running containers'
}

check_twenty_processes_at_once() {
    sleeper
    local each pids=()
    for each in {1..20}; do
        command podman --runtime "$using" exec one echo "number $each" >>"$place/twenty" 2>&1 &
        pids+=($!)
    done
    wait "${pids[@]}"
    last='twenty times podman exec' code=$? out=$(sort -u "$place/twenty") err=
    rm "$place/twenty"
    [ "$(grep -c '^number' <<<"$out")" = 20 ] || no 'not all of them printed'
}

check_exec_ends_with_the_container() {
    sleeper
    podman exec --detach one sleep 2000
    podman stop --time 0 one
    gives 0
    ! pgrep -f '^sleep 2000' || no 'the second process outlives the container'
}
