# From create to rm.
# shellcheck shell=bash

check_info_lists_the_runtime_as_the_default() {
    docker info --format '{{.DefaultRuntime}} {{range $name, $path := .Runtimes}}{{$name}} {{end}}'
    gives 0
    prints_like '^opt-runtime .*opt-runtime'
}

check_run_prints_what_the_command_prints() {
    docker run --rm "$IMAGE" echo hello
    gives 0
    prints_only hello
}

check_run_passes_standard_input() {
    docker run --rm -i "$IMAGE" cat <<<"from outside"
    gives 0
    prints_only "from outside"
}

check_standard_error_stays_apart() {
    docker run --rm "$IMAGE" sh -c 'echo wrong >&2; echo right'
    gives 0
    prints_only right
    complains wrong
}

check_run_gives_the_exit_code_and_128_and_the_signal() {
    docker run --rm "$IMAGE" sh -c 'exit 7'
    gives 7
    docker run --rm --pid host "$IMAGE" sh -c 'kill -SEGV $$'
    gives 139
}

check_run_gives_127_and_126_where_it_cant_execute() {
    docker run --rm "$IMAGE" /bin/nothing-there
    gives 127
    complains nothing-there
    docker run --rm "$IMAGE" nothing-there
    gives 127
    docker run --rm "$IMAGE" /bin/not-executable
    gives 126
    complains 'permission denied'
}

check_create_start_wait_logs_and_rm() {
    docker create --name one "$IMAGE" sh -c 'echo out; echo err >&2; exit 3'
    gives 0
    docker start one
    gives 0
    docker wait one
    prints_only 3
    docker logs one
    prints_only out
    complains err
    docker inspect --format '{{.State.Status}} {{.State.ExitCode}} {{.HostConfig.Runtime}}' one
    prints_only "exited 3 $(name_of "$using")"
    docker rm one
    gives 0
}

check_stop_gives_the_command_its_time() {
    docker run --detach --name one "$IMAGE" sh -c 'trap "exit 5" TERM; while :; do sleep 0.1; done'
    gives 0
    docker stop --time 10 one
    gives 0
    docker inspect --format '{{.State.ExitCode}}' one
    prints_only 5
}

check_stop_kills_what_ignores_the_signal() {
    docker run --detach --name one "$IMAGE" sh -c 'trap "" TERM; while :; do sleep 0.1; done'
    docker stop --time 1 one
    gives 0
    docker inspect --format '{{.State.ExitCode}}' one
    prints_only 137
}

check_kill_by_name_and_by_number() {
    docker run --detach --name one "$IMAGE" \
        sh -c 'trap "echo usr1" USR1; trap "echo hup; exit 4" HUP; echo ready; while :; do sleep 0.1; done'
    until_true logs_say one ready
    docker kill --signal USR1 one
    gives 0
    until_true logs_say one usr1
    docker kill --signal 1 one
    gives 0
    docker wait one
    prints_only 4
}

check_restart_runs_it_again() {
    docker run --name one "$IMAGE" sh -c 'echo run >>/tmp/runs; wc -l </tmp/runs'
    prints_only 1
    docker start --attach one
    prints_only 2
    docker restart one
    gives 0
}

check_restart_policy_starts_a_failing_command_again() {
    docker run --detach --name one --restart on-failure:2 "$IMAGE" sh -c 'exit 1'
    until_true was_restarted one 2
}

check_pause_stops_the_clock_and_unpause_lets_it_go_on() {
    docker run --detach --name one "$IMAGE" sh -c 'while :; do echo tick; sleep 0.05; done'
    until_true logs_say one tick
    docker pause one
    gives 0
    docker inspect --format '{{.State.Status}}' one
    prints_only paused
    local before after
    before=$(command docker logs one | wc -l)
    sleep 0.5
    after=$(command docker logs one | wc -l)
    [ "$before" = "$after" ] || no "went on while it was paused: $before, then $after lines"
    docker unpause one
    gives 0
    until_true more_lines one "$after"
}

check_rm_with_force_ends_what_runs_and_what_is_paused() {
    docker run --detach --name one "$IMAGE" sleep 1000
    docker rm --force one
    gives 0
    docker run --detach --name one "$IMAGE" sleep 1000
    docker pause one
    docker rm --force one
    gives 0
    docker ps --all --quiet
    prints_only ''
}

check_nothing_is_left_of_a_container() {
    docker run --rm --memory 48m "$IMAGE" true
    gives 0
    out=$(find /sys/fs/cgroup -path "*/$cgroup_parent/*" -type d)
    prints_only ''
}

check_checkpoint_is_refused_in_words() {
    docker run --detach --name one "$IMAGE" sleep 1000
    docker checkpoint create one first
    gives 1
    [ -n "$err" ] || no 'says nothing'
    docker inspect --format '{{.State.Status}}' one
    prints_only running
}

check_init_reaps_and_forwards() {
    docker run --rm --init "$IMAGE" sh -c 'cat /proc/1/comm; exit 5'
    gives 5
    prints_only docker-init
}

check_healthcheck() {
    docker run --detach --name one --health-cmd 'test -e /tmp/healthy' --health-interval 0.3s "$IMAGE" \
        sh -c 'sleep 1; touch /tmp/healthy; sleep 1000'
    gives 0
    until_true is_healthy one
}

more_lines() {
    [ "$(command docker logs "$1" | wc -l)" -gt "$2" ]
}

was_restarted() {
    [ "$(command docker inspect --format '{{.RestartCount}}' "$1")" = "$2" ]
}

is_healthy() {
    [ "$(command docker inspect --format '{{.State.Health.Status}}' "$1")" = healthy ]
}
