# Events, as containerd's clients see them: those of its own shim, in the same order.
# shellcheck shell=bash

# Listens while the rest of the check goes on.
listen() {
    stdbuf -oL ctr --address "$home/socket" --namespace "$cgroup_parent" events >"$place/events" 2>&1 &
    listener=$!
    # An event of our own says that it listens.
    local tries
    for tries in {1..100}; do
        command ctr --address "$home/socket" namespace label "$cgroup_parent" "listens=$tries"
        ! grep -q '/namespaces/update' "$place/events" || return 0
        sleep 0.1
    done
    no 'nothing is heard'
}

# The topics of tasks, in $out, when the last of them is $1.
heard() {
    until_true grep -q "$1" "$place/events"
    kill "$listener"
    out=$(grep -oE '/tasks/[a-z-]+' "$place/events")
    last=events code=0 err=$(grep /tasks/ "$place/events")
}

check_events_of_a_container() {
    listen
    ctr run --rm "$IMAGE" one sh -c 'exit 5'
    gives 5
    heard /tasks/delete
    prints_only $'/tasks/create\n/tasks/start\n/tasks/exit\n/tasks/delete'
    complains '"exit_status":5'
}

check_events_of_an_exec() {
    sleeper
    listen
    ctr task exec --exec-id second one sh -c 'exit 6'
    gives 6
    heard /tasks/exit
    prints_only $'/tasks/exec-added\n/tasks/exec-started\n/tasks/exit'
    complains '"id":"second"'
    complains '"exit_status":6'
}

check_events_of_pause_and_resume() {
    sleeper
    listen
    ctr task pause one
    gives 0
    ctr task resume one
    gives 0
    heard /tasks/resumed
    prints_only $'/tasks/paused\n/tasks/resumed'
}

check_an_event_of_want_of_memory() {
    listen
    ctr run --rm --memory-limit $((20 << 20)) "$IMAGE" one dd if=/dev/zero of=/dev/null bs=200M count=1
    gives 137
    heard /tasks/delete
    prints /tasks/oom
}
