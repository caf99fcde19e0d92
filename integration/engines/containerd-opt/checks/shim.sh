# What the shim promises besides what every runtime does.
# shellcheck shell=bash

check_the_runtime_is_linked_in() {
    mv "$place/bin/opt-runtime" "$place/opt-runtime.away"
    ctr run --rm "$IMAGE" one echo hello
    mv "$place/opt-runtime.away" "$place/bin/opt-runtime"
    gives 0
    prints_only hello
}

check_a_containers_process_is_the_shims_child() {
    sleeper
    out=$(tr '\0' ' ' <"/proc/$(shim_of_one)/cmdline")
    prints "$(shim_name) -namespace"
}

check_standard_input_reaches_the_command_and_ends() {
    sleeper
    try sh -c 'echo typed | ctr --address "$0" --namespace "$1" task exec --exec-id reader one cat' "$home/socket" "$cgroup_parent"
    gives 0
    prints_only typed
}

check_much_output_arrives_whole() {
    ctr run --rm "$IMAGE" one sh -c 'dd if=/dev/zero bs=1M count=8 2>/dev/null | tr "\0" x; echo end'
    gives 0
    [ "$(wc -c <"$place/out")" = $(((8 << 20) + 4)) ] || no "$(wc -c <"$place/out") bytes came"
}

# containerd's client of before 1.7 closes its end as soon as it hears that a container has ended.
check_a_slow_reader_gets_the_last_word() {
    ours_alone || return 0
    local options
    runtime_options
    command ctr --address "$home/socket" --namespace "$cgroup_parent" run --rm "${options[@]}" "$IMAGE" one \
        sh -c 'dd if=/dev/zero bs=1k count=150 2>/dev/null; echo end' | (sleep 2 && wc -c) >"$place/count"
    out=$(cat "$place/count")
    prints_only $(((150 << 10) + 4))
}

check_an_end_that_nobody_hears_is_told_at_once() {
    local began=$SECONDS
    ctr run --detach "$IMAGE" one sh -c 'echo unread; exec sleep 1000'
    gives 0
    ctr task exec --detach --exec-id second one sh -c 'sleep 0.5; echo unread'
    gives 0
    ctr task kill --signal KILL one
    until_true is_stopped one
    ctr task delete one
    ctr container delete one
    gives 0
    [ $((SECONDS - began)) -lt 8 ] || no "it took $((SECONDS - began)) s"
}

check_exit_codes_of_signals() {
    sleeper
    in_one sh -c 'kill -TERM $$'
    gives 143
    in_one sh -c 'kill -40 $$'
    gives 168
}

check_an_exec_is_killed_by_itself() {
    sleeper
    ctr task exec --detach --exec-id second one sleep 1001
    gives 0
    ctr task kill --exec-id second --signal KILL one
    gives 0
    until_true not_running 'sleep 1001'
    ctr task list
    prints RUNNING
}

not_running() {
    ! pgrep -f "^$1"
}

check_limits_are_changed() {
    sleeper --memory-limit $((64 << 20))
    local pid
    pid=$(pid_of_one)
    cgroup_value "$pid" memory.limit_in_bytes memory memory.max
    prints_only $((64 << 20))
    in_one true
    gives 0
}

check_processes_are_listed_with_their_names() {
    sleeper
    ctr task exec --detach --exec-id second one sleep 1001
    ctr task ps one
    gives 0
    prints_like 'ExecID:second|second'
}

check_the_policy_of_the_site_holds() {
    ours_alone || return 0
    etc_of_our_own
    mkdir -p /etc/opt-runtime
    printf '%s\n' 'policy = "seal"' '[seal]' 'run-as = "1000:1000"' >/etc/opt-runtime/config.toml
    ctr run --rm --allow-new-privs "$IMAGE" one grep -E 'CapBnd|NoNewPrivs|Seccomp:' /proc/self/status
    rm -r /etc/opt-runtime
    gives 0
    prints_like 'CapBnd:.0000000000000000.*NoNewPrivs:.1.*Seccomp:.2'
}

# A layer over /etc, in this mount namespace alone.
etc_of_our_own() {
    mkdir -p "$place/etc"
    mountpoint -q "$place/etc" || mount -t tmpfs etc "$place/etc"
    mkdir -p "$place/etc/upper" "$place/etc/work"
    mountpoint -q /etc || mount -t overlay etc -o "lowerdir=/etc,upperdir=$place/etc/upper,workdir=$place/etc/work" /etc
}

check_only_a_process_without_threads_forks() {
    ours_alone || return 0
    sleeper
    local shim helper
    shim=$(shim_of_one)
    helper=$(pgrep -P "$shim" opt-shim-helper) || no 'no helper'
    out=$(sed -n 's/^Threads:\t//p' "/proc/$helper/status")
    prints_only 1
}

check_the_shims_own_executable_can_not_be_written() {
    ours_alone || return 0
    sleeper
    try sh -c 'echo x >"/proc/$0/exe"' "$(shim_of_one)"
    [ "$code" != 0 ] || no 'it was written to'
    complains 'Read-only file system'
}
