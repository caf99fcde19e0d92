# Docker: a dockerd and a containerd of its own, without a bridge and without iptables.
# shellcheck shell=bash

IMAGE=busybox:test

check_files=("$here"/docker/checks/{lifecycle,process,limits,restart}.sh)

start_engine() {
    home=$place/docker
    mkdir -p "$home"/{root,exec,client}
    export DOCKER_HOST=unix://$home/socket DOCKER_CONFIG=$home/client
    write_configuration
    start_dockerd
    make_rootfs "$place/rootfs"
    tar -C "$place/rootfs" -c . | command docker import - "$IMAGE"
}

# The runtimes are entered as docs/docker.md says; the rest keeps this Docker away from the machine's.
write_configuration() {
    cat >"$home/daemon.json" <<END
{
  "runtimes": {
    "opt-runtime": { "path": "$place/bin/opt-runtime" },
    "control": { "path": "$control_program" }
  },
  "default-runtime": "opt-runtime",
  "data-root": "$home/root",
  "exec-root": "$home/exec",
  "pidfile": "$home/pid",
  "hosts": ["unix://$home/socket"],
  "cgroup-parent": "/$cgroup_parent",
  "exec-opts": ["native.cgroupdriver=cgroupfs"],
  "bridge": "none",
  "iptables": false,
  "ip6tables": false,
  "live-restore": true
}
END
}

start_dockerd() {
    dockerd --config-file "$home/daemon.json" >>"$home/log" 2>&1 &
    (until_true command docker version)
}

# docker, with the runtime that the check is for.
docker() {
    local options=()
    case $1 in
    run | create) options=(--runtime "$(name_of "$using")" --network none) ;;
    esac
    try docker "$1" "${options[@]}" "${@:2}"
}

# Docker keeps the name "runc" for the one that it finds itself.
name_of() {
    if [ "$1" = opt-runtime ]; then
        echo opt-runtime
    else
        echo control
    fi
}

empty_engine() {
    local all
    mapfile -t all < <(command docker ps --all --quiet)
    if [ ${#all[@]} != 0 ]; then
        command docker rm --force --volumes "${all[@]}"
    fi
}

stop_engine() {
    kill "$(cat "$home/pid")"
    wait
}

# --- What several files of checks use ---

# A container "one" that does nothing.
sleeper() {
    docker run --detach --name one "$@" "$IMAGE" sleep 1000
    gives 0
}

# Whether what container $1 has printed matches $2.
logs_say() {
    [[ $(command docker logs "$1" 2>&1) =~ $2 ]]
}

# The pid of the container "one".
pid_of_one() {
    command docker inspect --format '{{.State.Pid}}' one
}

# The engine, called on a terminal of its own.
on_terminal() {
    local options=()
    if [ "$1" = run ]; then
        options=(--runtime "$(name_of "$using")" --network none)
    fi
    on_a_terminal docker "$1" "${options[@]}" "${@:2}"
}
