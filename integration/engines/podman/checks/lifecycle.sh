# From create to rm: what podman asks of a runtime for every container.
# shellcheck shell=bash

check_info_shows_the_runtime_and_its_version() {
    podman info --format '{{.Host.OCIRuntime.Name}} {{.Host.OCIRuntime.Version}}'
    gives 0
    prints_like "^$using .*[0-9]+\.[0-9]+"
}

check_standard_error_stays_apart() {
    podman run --rm "$IMAGE" sh -c 'echo wrong >&2; echo right'
    gives 0
    prints_only right
    complains wrong
}

check_run_gives_the_exit_code_of_the_command() {
    podman run --rm "$IMAGE" sh -c 'exit 7'
    gives 7
}

check_run_gives_128_and_the_signal() {
    podman run --rm --pid host "$IMAGE" sh -c 'kill -KILL $$'
    gives 137
    podman run --rm --pid host "$IMAGE" sh -c 'kill -SEGV $$'
    gives 139
}

check_create_start_wait_and_logs() {
    podman create --name one "$IMAGE" sh -c 'echo out; echo err >&2; exit 3'
    gives 0
    podman inspect --format '{{.State.Status}}' one
    prints_only created
    podman start one
    gives 0
    podman wait one
    prints_only 3
    podman logs one
    gives 0
    prints out
    podman inspect --format '{{.State.Status}} {{.State.ExitCode}} {{.OCIRuntime}}' one
    prints_only "exited 3 $using"
    podman rm one
    gives 0
}

check_init_prepares_without_starting() {
    podman create --name one "$IMAGE" echo started
    podman init one
    gives 0
    podman inspect --format '{{.State.Status}} {{.State.Pid}}' one
    prints_like '^(created|initialized) [1-9]'
    podman start --attach one
    gives 0
    prints_only started
}

check_created_containers_can_be_removed() {
    podman create --name one "$IMAGE" true
    podman init one
    gives 0
    podman rm one
    gives 0
    podman ps --all --quiet
    prints_only ''
}

check_detached_runs_until_it_is_stopped() {
    podman run --detach --name one "$IMAGE" sh -c 'trap "exit 5" TERM; while :; do sleep 0.1; done'
    gives 0
    podman ps --format '{{.Names}} {{.Status}}'
    prints_like '^one Up'
    podman stop --time 10 one
    gives 0
    podman inspect --format '{{.State.Status}} {{.State.ExitCode}}' one
    prints_only 'exited 5'
}

check_stop_kills_what_ignores_the_signal() {
    podman run --detach --name one "$IMAGE" sh -c 'trap "" TERM; while :; do sleep 0.1; done'
    podman stop --time 1 one
    gives 0
    podman inspect --format '{{.State.ExitCode}}' one
    prints_only 137
}

check_kill_by_name_and_by_number() {
    podman run --detach --name one "$IMAGE" \
        sh -c 'trap "echo usr1" USR1; trap "echo hup; exit 4" HUP; echo ready; while :; do sleep 0.1; done'
    until_true logs_say one ready
    podman kill --signal USR1 one
    gives 0
    until_true logs_say one usr1
    podman kill --signal 1 one
    gives 0
    podman wait one
    prints_only 4
}

check_kill_without_a_signal_ends_it() {
    podman run --detach --name one "$IMAGE" sleep 1000
    podman kill one
    gives 0
    podman wait one
    prints_only 137
}

check_kill_of_what_has_ended_is_an_error() {
    podman run --name one "$IMAGE" true
    podman kill one
    gives 125
    complains 'state'
}

check_restart_runs_it_again() {
    podman run --name one "$IMAGE" sh -c 'echo run >>/tmp/runs; wc -l </tmp/runs'
    prints_only 1
    podman start --attach one
    prints_only 2
    podman restart one
    gives 0
    podman wait one
    prints_only 0
}

check_restart_policy_starts_a_failing_command_again() {
    podman run --name one --restart on-failure:2 "$IMAGE" sh -c 'echo run >>/tmp/runs; exit 1'
    until_true was_restarted one 2
}

check_rm_with_force_ends_what_runs() {
    podman run --detach --name one "$IMAGE" sleep 1000
    podman rm --force --time 0 one
    gives 0
    podman ps --all --quiet
    prints_only ''
}

check_rm_without_force_refuses_what_runs() {
    podman run --detach --name one "$IMAGE" sleep 1000
    podman rm one
    gives 2
}

check_detached_with_rm_leaves_nothing() {
    podman run --detach --rm --name one "$IMAGE" true
    gives 0
    until_true none_left
}

check_pause_stops_the_clock_and_unpause_lets_it_go_on() {
    podman run --detach --name one "$IMAGE" sh -c 'while :; do echo tick; sleep 0.05; done'
    until_true logs_say one tick
    podman pause one
    gives 0
    podman inspect --format '{{.State.Status}}' one
    prints_only paused
    local before after
    before=$(command podman logs one | wc -l)
    sleep 0.5
    after=$(command podman logs one | wc -l)
    [ "$before" = "$after" ] || no "went on while it was paused: $before, then $after lines"
    podman exec one true
    gives 255
    podman unpause one
    gives 0
    until_true more_lines one "$after"
    podman kill one
    gives 0
}

check_rm_with_force_ends_what_is_paused() {
    podman run --detach --name one "$IMAGE" sleep 1000
    podman pause one
    podman rm --force --time 0 one
    gives 0
}

check_inspect_shows_a_live_pid() {
    podman run --detach --name one "$IMAGE" sleep 1000
    podman inspect --format '{{.State.Pid}}' one
    gives 0
    [ "$(tr '\0' ' ' <"/proc/$out/cmdline")" = 'sleep 1000 ' ] || no "pid $out is something else"
}

check_attach_follows_the_output() {
    podman create --name one "$IMAGE" sh -c 'echo attached; exit 6'
    podman start --attach one
    gives 6
    prints_only attached
}

check_a_second_container_of_the_same_name_is_refused() {
    podman run --detach --name one "$IMAGE" sleep 1000
    podman run --name one "$IMAGE" true
    gives 125
}

check_checkpoint_is_refused_in_words() {
    podman run --detach --name one "$IMAGE" sleep 1000
    podman container checkpoint one
    gives 125
    [ -n "$err" ] || no 'says nothing'
    podman inspect --format '{{.State.Status}}' one
    prints_only running
}

check_arguments_with_odd_characters_arrive() {
    podman run --rm "$IMAGE" printf '[%s]' 'a b' '' '"' "'" '$HOME' '*' 'ü'
    gives 0
    prints_only "[a b][][\"]['][\$HOME][*][ü]"
}

check_preserved_descriptors_reach_the_command() {
    podman run --rm --preserve-fds 1 "$IMAGE" sh -c 'cat <&3' 3<<<'by descriptor'
    gives 0
    prints_only 'by descriptor'
}

more_lines() {
    [ "$(command podman logs "$1" | wc -l)" -gt "$2" ]
}

none_left() {
    [ -z "$(command podman ps --all --quiet)" ]
}

was_restarted() {
    [ "$(command podman inspect --format '{{.RestartCount}}' "$1")" = "$2" ]
}
