# Several containers in one shim, as containerd's CRI plug-in runs pods.
# shellcheck shell=bash

in_pod() {
    ctr run --detach --annotation "io.kubernetes.cri.sandbox-id=pod" "$IMAGE" "$1" sleep 1000
    gives 0
}

check_a_pod_has_one_shim() {
    in_pod one
    in_pod two
    in_pod three
    out=$(for each in one two three; do parent_of "$each"; done | sort -u | wc -l)
    prints_only 1
    ctr task kill --signal KILL two
    until_true is_stopped two
    ctr task delete two
    ctr task exec --exec-id still three echo here
    gives 0
    prints_only here
}

parent_of() {
    local pid
    pid=$(command ctr --address "$home/socket" --namespace "$cgroup_parent" task list | sed -nE "s/^$1 +([0-9]+).*/\\1/p")
    sed -n 's/^PPid:\t//p' "/proc/$pid/status"
}

check_a_pods_shim_ends_with_its_last_container() {
    in_pod one
    in_pod two
    local shim each
    shim=$(parent_of one)
    for each in one two; do
        ctr task kill --signal KILL "$each"
        until_true is_stopped "$each"
        ctr task delete "$each"
    done
    until_true is_gone "$shim"
}

is_gone() {
    [ ! -e "/proc/$1" ]
}
