# What podman does alike for root and for an ordinary user.
# shellcheck shell=bash

check_run_prints_what_the_command_prints() {
    podman run --rm "$IMAGE" echo hello
    gives 0
    prints_only hello
}

check_run_passes_standard_input() {
    podman run --rm -i "$IMAGE" cat <<<"from outside"
    gives 0
    prints_only "from outside"
}

check_run_gives_127_where_there_is_no_such_command() {
    podman run --rm "$IMAGE" /bin/nothing-there
    gives 127
    podman run --rm "$IMAGE" nothing-there
    gives 127
}

check_run_gives_126_where_it_cant_be_executed() {
    podman run --rm "$IMAGE" /etc
    gives 126
    podman run --rm "$IMAGE" /bin/not-executable
    gives 126
}

check_run_gives_125_where_podman_refuses() {
    podman run --rm --no-such-flag "$IMAGE" true
    gives 125
}

check_output_can_be_opened_again_by_another_user() {
    podman run --rm --user 1000 "$IMAGE" sh -c 'echo right >/dev/stdout; echo wrong >/dev/stderr'
    gives 0
    prints_only right
    complains wrong
}

check_a_named_volume_keeps_what_is_written() {
    podman run --rm --volume kept:/data "$IMAGE" sh -c 'echo kept >/data/file'
    gives 0
    podman run --rm --volume kept:/data "$IMAGE" cat /data/file
    prints_only kept
    podman volume rm kept
    gives 0
}
