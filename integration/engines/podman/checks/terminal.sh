# podman -t: the runtime makes the terminal and hands it over through the console socket.
# shellcheck shell=bash

check_run_on_a_terminal() {
    podman run --rm --tty "$IMAGE" sh -c 'test -t 0 && test -t 1 && test -t 2 && tty'
    gives 0
    prints_only /dev/pts/0
}

check_run_on_a_terminal_of_the_callers() {
    on_terminal run --rm --interactive --tty "$IMAGE" sh -c 'tty; stty size; exit 3'
    gives 3
    prints /dev/pts/0
    prints '33 99'
}

check_interrupt_reaches_the_foreground() {
    podman run --detach --interactive --tty --name one "$IMAGE" \
        sh -c 'trap "echo interrupted; exit 8" INT; echo ready; while :; do sleep 0.1; done'
    until_true logs_say one ready
    typed='\003' on_terminal attach one
    podman wait one
    prints_only 8
}

check_a_shell_on_a_terminal_has_job_control() {
    on_terminal run --rm --interactive --tty "$IMAGE" sh -c 'sh -i 2>&1 <<END
echo hello
END'
    gives 0
    prints hello
    never_prints "can't access tty"
}

check_exec_on_a_terminal() {
    podman run --detach --name one "$IMAGE" sleep 1000
    podman exec --tty one sh -c 'tty; exit 4'
    gives 4
    prints_only /dev/pts/0
    # conmon learns of the size from podman and of the terminal from the runtime, which doesn't wait for it.
    on_terminal exec --interactive --tty one sh -c 'until stty size | grep "33 99"; do sleep 0.1; done 2>&1'
    gives 0
    prints '33 99'
}

check_the_console_is_the_terminal() {
    podman run --rm --tty "$IMAGE" sh -c 'echo written >/dev/console; stat -c %F /dev/console'
    gives 0
    prints written
    prints 'character special file'
}

check_a_terminal_for_another_user() {
    podman run --rm --tty --user worker "$IMAGE" sh -c 'echo >/dev/tty && stat -c %u "$(tty)"'
    gives 0
    prints 1000
}
