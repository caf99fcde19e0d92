# podman as root: where its state is, how it is called, how it is emptied.
# shellcheck shell=bash

IMAGE=localhost/busybox:test

check_files=("$here"/podman/everybodys.sh "$here"/podman/checks/*.sh)

start_engine() {
    local home=$place/podman
    mkdir -p "$home"/{storage,run,tmp,cni}
    write_configuration "$home"
    export CONTAINERS_CONF=$home/containers.conf CONTAINERS_STORAGE_CONF=$home/storage.conf
    make_rootfs "$place/rootfs"
    # The command is for the first container of a pod.
    tar -C "$place/rootfs" -cf "$place/rootfs.tar" .
    command podman import --quiet --change 'CMD ["sleep", "1000"]' "$place/rootfs.tar" "$IMAGE"
}

# The runtimes are entered as docs/podman.md says; the rest is what this machine and its isolation need.
write_configuration() {
    cat >"$1/containers.conf" <<END
[containers]
default_capabilities = ["CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "NET_BIND_SERVICE", "SETFCAP",
    "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT"]
default_ulimits = ["nofile=20000:20000", "nproc=32768:32768"]
log_driver = "k8s-file"

[engine]
stop_timeout = 1
cgroup_manager = "cgroupfs"
events_logger = "file"
infra_image = "$IMAGE"
init_path = "/usr/bin/tini-static"
tmp_dir = "$1/tmp"
runtime_supports_json = ["opt-runtime", "$control"]
runtime_supports_nocgroup = ["opt-runtime"]

[engine.runtimes]
opt-runtime = ["$place/bin/opt-runtime"]
$control = ["$control_program"]

[network]
network_backend = "cni"
network_config_dir = "$1/cni"
END
    cat >"$1/storage.conf" <<END
[storage]
driver = "overlay"
graphroot = "$1/storage"
runroot = "$1/run"
END
    mkdir -p /etc/containers
    echo '{"default": [{"type": "insecureAcceptAnything"}]}' >/etc/containers/policy.json
}

# podman, with the runtime that the check is for. Containers get the cgroup parent that is removed at the end.
podman() {
    local parent=()
    case "$*" in
    *"--cgroups disabled"*) ;;
    run\ * | create\ *) parent=(--cgroup-parent "/$cgroup_parent") ;;
    esac
    try podman --runtime "$using" "$1" "${parent[@]}" "${@:2}"
}


empty_engine() {
    command podman --runtime "$runtime" pod rm --all --force --time 0
    command podman --runtime "$runtime" rm --all --force --time 0
    command podman volume prune --force
}

stop_engine() { :; }

# --- What several files of checks use ---

# A container that does nothing, for as long as it takes.
sleeper() {
    podman run --detach --name one "$@" "$IMAGE" sleep 1000
    gives 0
}

# Whether what container $1 has printed matches $2.
logs_say() {
    [[ $(command podman logs "$1" 2>&1) =~ $2 ]]
}

# The pid of the container "one".
pid_of_one() {
    command podman inspect --format '{{.State.Pid}}' one
}

# The engine, called on a terminal of its own.
on_terminal() {
    on_a_terminal podman --runtime "$using" "$@"
}
