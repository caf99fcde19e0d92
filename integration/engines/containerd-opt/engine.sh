# containerd with our own shim, containerd-shim-opt-v1, in the place of its own.
# shellcheck shell=bash
# shellcheck source=integration/engines/containerd/engine.sh
. "$here/containerd/engine.sh"

check_files=("$here"/containerd/checks/*.sh "$here"/containerd-opt/checks/*.sh)

# The control is containerd's own shim.
runtime_options() {
    if [ "$using" = opt-runtime ]; then
        options=(--runtime io.containerd.opt.v1)
    else
        options=(--runtime io.containerd.runc.v2 --runc-binary "$control_program")
    fi
}

# What the control doesn't promise, it passes: else a failure of ours would be taken for the machine's.
ours_alone() {
    [ "$using" = opt-runtime ]
}

# The name of the shim's program.
shim_name() {
    if [ "$using" = opt-runtime ]; then
        echo containerd-shim-opt-v1
    else
        echo containerd-shim-runc-v2
    fi
}

# The pids of the processes of the shim's program in this namespace, the shim's own before its helper's.
shim_pids() {
    pgrep -f "^([^ ]*/)?$(shim_name) -namespace $cgroup_parent "
}

# The shim of the container "one", by what containerd asks of it.
shim_of_one() {
    local pid
    pid=$(pid_of_one)
    sed -n 's/^PPid:\t//p' "/proc/$pid/status"
}
