# From run to delete, in the foreground and detached.
# shellcheck shell=bash

check_run_prints_what_the_command_prints() {
    ctr run --rm "$IMAGE" one echo hello
    gives 0
    prints_only hello
}

check_run_gives_the_exit_code() {
    ctr run --rm "$IMAGE" one sh -c 'exit 7'
    gives 7
}

check_run_gives_128_and_the_signal() {
    ctr run --rm --with-ns pid:/proc/1/ns/pid "$IMAGE" one sh -c 'kill -SEGV $$'
    gives 139
}

check_standard_error_stays_apart() {
    ctr run --rm "$IMAGE" one sh -c 'echo wrong >&2; echo right'
    gives 0
    prints_only right
    complains wrong
}

check_the_runtimes_own_words_are_told() {
    ctr run --rm "$IMAGE" one /bin/nothing-there
    gives 1
    complains nothing-there
    never_prints 'did not terminate successfully'
}

check_a_failed_run_leaves_nothing() {
    ctr run --rm "$IMAGE" one /bin/nothing-there
    gives 1
    ctr task list --quiet
    prints_only ''
    out=$(find /sys/fs/cgroup -path "*/$cgroup_parent/one")
    prints_only ''
    ctr run --rm "$IMAGE" one true
    gives 0
}

check_detached_runs_until_it_is_killed() {
    sleeper
    ctr task list
    prints_like 'one +[0-9]+ +RUNNING'
    ctr task kill --signal KILL one
    gives 0
    until_true is_stopped one
    ctr task delete one
    complains 'exit code 137'
    ctr container delete one
    gives 0
    out=$(find /sys/fs/cgroup -path "*/$cgroup_parent/one")
    prints_only ''
}

check_signals_by_number_and_by_name() {
    ctr run --detach "$IMAGE" one sh -c 'trap "exit 11" USR1; trap "exit 12" HUP; touch /ready; while :; do sleep 0.1; done'
    until_true in_one test -e /ready
    ctr task kill --signal SIGUSR1 one
    gives 0
    until_true is_stopped one
    ctr task delete one
    complains 'exit code 11'
}

check_kill_all_reaches_every_process() {
    sleeper
    ctr task exec --detach --exec-id second one sleep 1001
    ctr task kill --all --signal KILL one
    gives 0
    until_true is_stopped one
    ! pgrep -f '^sleep 1001' || no 'the second process outlives the container'
}

check_create_and_start_apart() {
    local options
    runtime_options
    runc_of_the_path
    # It knows no options of a runtime's, so containerd's shim takes the runc of its PATH.
    ctr container create "${options[@]:0:2}" "$IMAGE" one echo started
    gives 0
    ctr task start one
    gives 0
    prints_only started
    [ "$(shim_name)" != containerd-shim-runc-v2 ] || grep -q create "$place/called" || no 'another runc ran'
}

# Until the check ends, it is the runtime that the check is for, and notes that it was called.
runc_of_the_path() {
    trap 'rm -f "$place/bin/runc" "$place/called"' EXIT
    # shellcheck disable=SC2016 # the wrapper's own
    printf '#!/bin/sh\necho "$*" >>%q\nexec %q "$@"\n' "$place/called" "$(program_of "$using")" >"$place/bin/runc"
    chmod +x "$place/bin/runc"
}

check_pause_and_resume() {
    sleeper
    ctr task pause one
    gives 0
    ctr task list
    prints PAUSED
    ctr task resume one
    gives 0
    ctr task list
    prints RUNNING
    in_one true
    [ "$code" = 0 ] || no 'exec after resume'
}

check_delete_with_force_ends_what_runs() {
    sleeper
    ctr task delete --force one
    complains 'exit code 137'
    ctr task list --quiet
    prints_only ''
}

check_delete_refuses_what_runs() {
    sleeper
    ctr task delete one
    gives 1
}

check_checkpoint_is_refused_in_words() {
    sleeper
    ctr task checkpoint one
    [ "$code" != 0 ] || no 'CRIU can run here after all: say what is expected now'
    [ -n "$err" ] || no 'says nothing'
    ctr task list
    prints RUNNING
}

check_task_list_ps_and_metrics() {
    ctr run --detach --memory-limit $((64 << 20)) "$IMAGE" one sh -c 'sleep 1001; true'
    ctr task ps one
    gives 0
    [ "$(grep -cE '^[0-9]+' <<<"$out")" = 2 ] || no 'not two processes'
    ctr task metrics one
    gives 0
    prints memory.usage_in_bytes
}

check_events_of_an_oom_and_the_exit_code() {
    ctr run --rm --memory-limit $((20 << 20)) "$IMAGE" one sh -c 'dd if=/dev/zero of=/dev/null bs=200M count=1; exit $?'
    [ "$code" != 0 ] || no 'it was not ended'
}
