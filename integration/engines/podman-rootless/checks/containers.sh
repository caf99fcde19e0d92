# From run to rm, of an ordinary user's containers.
# shellcheck shell=bash

check_run_gives_the_exit_code_of_the_command() {
    podman run --rm "$IMAGE" sh -c 'exit 7'
    gives 7
}

check_create_start_wait_and_logs() {
    podman create --name one "$IMAGE" sh -c 'echo said; exit 3'
    gives 0
    podman start one
    gives 0
    podman wait one
    prints_only 3
    until_true logs_say one said
    podman rm one
    gives 0
}

check_stop_and_kill() {
    sleeper --init=false
    podman stop --time 1 one
    gives 0
    podman inspect --format '{{.State.Status}}' one
    prints_like '^(exited|stopped)$'
    podman start one
    gives 0
    podman kill --signal KILL one
    gives 0
    podman wait one
    prints_only 137
}

check_rm_with_force_ends_what_runs() {
    sleeper
    podman rm --force --time 0 one
    gives 0
    podman ps --all --quiet
    prints_only ""
}

check_a_terminal() {
    podman run --rm -t "$IMAGE" sh -c 'test -t 0 && test -t 1 && tty'
    gives 0
    prints_like '/dev/(pts/[0-9]+|console)'
}

check_exec() {
    sleeper --env GREETING=hello
    podman exec one sh -c 'echo $GREETING; id -u; exit 5'
    gives 5
    prints_only $'hello\n0'
    podman exec one /bin/nothing-there
    gives 127
    podman exec one /etc
    gives 126
}

check_exec_on_a_terminal() {
    sleeper
    podman exec -t one sh -c 'test -t 0 && test -t 1 && echo a terminal'
    gives 0
    prints_only "a terminal"
}

check_exec_as_another_user_opens_its_output_again() {
    sleeper
    podman exec --user worker one sh -c 'id -u >/dev/stdout'
    gives 0
    prints_only 1000
}

check_a_pod_as_a_whole() {
    podman pod create --name whole --infra-command "sleep 1000" --share ipc,uts
    gives 0
    podman run --detach --pod whole --name one "$IMAGE" sleep 1000
    gives 0
    podman pod inspect --format '{{.State}}' whole
    prints_only Running
    podman pod stop --time 0 whole
    gives 0
}
