# Last, because it stops the daemon: containers run on without one.
# shellcheck shell=bash

check_containers_live_on_while_the_daemon_starts_again() {
    docker run --detach --name one "$IMAGE" sh -c 'while :; do echo tick; sleep 0.1; done'
    gives 0
    docker inspect --format '{{.State.Pid}}' one
    local before=$out
    local daemon
    daemon=$(cat "$home/pid")
    kill "$daemon"
    until_true has_ended "$daemon"
    start_dockerd || { tail -n 20 "$home/log"; no "dockerd doesn't start again"; }
    docker inspect --format '{{.State.Pid}}' one
    prints_only "$before"
    docker exec one true
    gives 0
    docker stop --time 0 one
    gives 0
}

has_ended() {
    [ ! -e "/proc/$1" ]
}
