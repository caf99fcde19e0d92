# containerd with a state, root and socket of its own, driven by ctr.
# shellcheck shell=bash

IMAGE=localhost/busybox:test

check_files=("$here"/containerd/checks/*.sh)

start_engine() {
    home=$place/containerd
    mkdir -p "$home"
    write_configuration
    start_containerd
    make_rootfs "$place/rootfs"
    import_image
}

start_containerd() {
    # Shims are found by their names.
    PATH=$place/bin:$PATH containerd --config "$home/config.toml" >>"$home/log" 2>&1 &
    # Not in a variable: a check that starts it anew is a shell of its own.
    echo $! >"$home/pid"
    until_true command ctr --address "$home/socket" version
}

# One layer, made by umoci: nothing from any registry.
import_image() {
    local layout=$place/layout
    umoci init --layout "$layout"
    umoci new --image "$layout:test"
    umoci insert --image "$layout:test" "$place/rootfs" /
    umoci config --image "$layout:test" --config.cmd /bin/sh \
        --config.env PATH=/usr/bin:/bin --config.workingdir /tmp
    tar -C "$layout" -cf "$place/image.tar" .
    command ctr --address "$home/socket" --namespace "$cgroup_parent" image import \
        --index-name "$IMAGE" "$place/image.tar"
}

# What a machine's plugins would need and this test doesn't is off.
write_configuration() {
    cat >"$home/config.toml" <<END
version = 2
root = "$home/root"
state = "$home/state"
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.snapshotter.v1.aufs",
    "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs",
    "io.containerd.snapshotter.v1.devmapper", "io.containerd.internal.v1.opt"]

[grpc]
address = "$home/socket"

[ttrpc]
address = "$home/socket.ttrpc"
END
}

# ctr, with the runtime that the check is for. The namespace names the cgroups' parent, too.
ctr() {
    local options=()
    if [ "$1" = run ]; then
        runtime_options
    fi
    try ctr --address "$home/socket" --namespace "$cgroup_parent" "$1" "${options[@]}" "${@:2}"
}

# Sets $options to what ctr needs to run a container with it.
runtime_options() {
    options=(--runtime io.containerd.runc.v2 --runc-binary "$(program_of "$using")")
}

program_of() {
    if [ "$1" = opt-runtime ]; then
        echo "$place/bin/opt-runtime"
    else
        echo "$control_program"
    fi
}

# The name of the shim's program.
shim_name() {
    echo containerd-shim-runc-v2
}

empty_engine() {
    local using=$runtime each
    ctr task list --quiet
    for each in $out; do
        ctr task kill --signal KILL --all "$each"
        until_true is_stopped "$each"
        ctr task delete --force "$each"
    done
    ctr container list --quiet
    for each in $out; do
        ctr container delete "$each"
    done
}

is_stopped() {
    local tasks
    tasks=$(command ctr --address "$home/socket" --namespace "$cgroup_parent" task list) &&
        { grep -qE "^$1 .*STOPPED" <<<"$tasks" || ! grep -qE "^$1 " <<<"$tasks"; }
}

stop_engine() {
    kill "$(cat "$home/pid")"
    until_true has_stopped
}

has_stopped() {
    ! kill -0 "$(cat "$home/pid")"
}

# --- What several files of checks use ---

# A container "one" that does nothing.
sleeper() {
    ctr run --detach "$@" "$IMAGE" one sleep 1000
    gives 0
}

# Executes a command in the container "one".
in_one() {
    ctr task exec --exec-id "e$RANDOM" one "$@"
    return "$code"
}

# The pid of the container "one".
pid_of_one() {
    command ctr --address "$home/socket" --namespace "$cgroup_parent" task list |
        sed -nE 's/^one +([0-9]+).*/\1/p'
}

# The engine, called on a terminal of its own.
on_terminal() {
    local options=()
    if [ "$1" = run ]; then
        runtime_options
    fi
    on_a_terminal ctr --address "$home/socket" --namespace "$cgroup_parent" "$1" "${options[@]}" "${@:2}"
}
