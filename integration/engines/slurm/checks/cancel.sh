# scancel, and what else ends a container from outside.
# shellcheck shell=bash

check_scancel_ends_a_container_that_lets_itself_be_ended() {
    as_both is_cancelled 'echo started; exec sleep 300'
}

check_scancel_ends_a_container_that_ignores_signals() {
    as_both is_cancelled 'trap "" TERM INT HUP; echo started; while :; do sleep 1; done'
}

is_cancelled() {
    submit_step "$1"
    wrote $'started\nstarted'
    scancel "$job"
    becomes CANCELLED
    nothing_is_left
}

check_scancel_ends_a_batch_script_in_a_container() {
    as_user sbatch --container=BUNDLE --output=batch.out <<<$'#!/bin/sh\necho started\nsleep 300'
    submitted
    wrote started
    scancel "$job"
    becomes CANCELLED
    nothing_is_left
}

check_a_signal_reaches_the_command() {
    as_both is_signalled
}

is_signalled() {
    submit_step 'trap "echo caught; exit 9" USR1; echo started; while :; do sleep 0.1; done'
    wrote $'started\nstarted'
    scancel --signal=USR1 "$job"
    becomes FAILED
    ended_with 9:0
    wrote $'caught\n'
    nothing_is_left
}

# The user's processes are the user's to kill: Slurm, as root, removes what the runtime then can't.
check_a_killed_runtime_is_cleaned_up_after() {
    submit_step 'echo started; exec sleep 311'
    wrote $'started\nstarted'
    kill_runtimes
    becomes FAILED
    nothing_is_left
    if pgrep -f 'sleep 311$'; then
        no "the command outlives its container"
    fi
}
