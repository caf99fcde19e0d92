# A user who wants root's hand on the node to do what the user's own can't.
# shellcheck shell=bash

# Slurm asks for the state of what has ended, as root, and kills what is said to run.
check_a_forged_state_makes_slurm_kill_nobody() {
    local victim
    sleep 300 &
    victim=$!
    as_user sbatch --container=BUNDLE --output=batch.out <<<$'#!/bin/sh\necho started\nsleep 300'
    submitted
    wrote started
    # Their names begin with the node's.
    forge "$home/containers/$USER_NAME"/n*/ "$victim"
    kill_runtimes
    soon all_idle
    kill -0 "$victim" || no "root killed its own process for a user"
    kill "$victim"
}

# Has the user's state name the victim, with what proc(5) says of it.
forge() {
    local start
    start=$(cut -d ' ' -f 22 "/proc/$2/stat")
    jq --argjson pid "$2" --argjson start "$start" \
        '.process.pid = $pid | .process.start_time = $start' "$1/state.json" >"$place/forged"
    cat "$place/forged" >"$1/state.json"
    grep -q "\"pid\": *$2" "$1/state.json" || no "nothing was forged"
}

check_nobody_can_make_anothers_place() {
    as_user mkdir "$home/containers/bob"
    [ "$code" != 0 ] || no "a user makes another's directory"
}
