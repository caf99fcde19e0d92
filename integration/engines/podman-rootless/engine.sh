# podman of an ordinary user: who that is, where the state is, how podman is called, how it is emptied.
# shellcheck shell=bash

IMAGE=localhost/busybox:test

# The user, with a range of ids to map. Both exist in these namespaces only.
USER_NAME=alice USER_ID=54321 FIRST_SUBID=600000

check_files=("$here"/podman/everybodys.sh "$here"/podman-rootless/checks/*.sh)

start_engine() {
    home=$place/home
    as_user=(env --ignore-environment --chdir="$home" HOME="$home" PATH="$PATH" XDG_RUNTIME_DIR="/run/user/$USER_ID"
        USER="$USER_NAME" setpriv --reuid "$USER_ID" --regid "$USER_ID" --clear-groups)
    make_user
    write_configuration
    make_rootfs "$place/rootfs"
    tar -C "$place/rootfs" -cf "$place/rootfs.tar" .
    as_user podman import --quiet --change 'CMD ["sleep", "1000"]' "$place/rootfs.tar" "$IMAGE"
}

# Account and ranges, in files that are laid over the machine's.
make_user() {
    local file
    mkdir -p "$place/etc" "$home" "/run/user/$USER_ID"
    for file in passwd group subuid subgid; do
        cp "/etc/$file" "$place/etc/$file" 2>/dev/null || true
    done
    echo "$USER_NAME:x:$USER_ID:$USER_ID::$home:/bin/sh" >>"$place/etc/passwd"
    echo "$USER_NAME:x:$USER_ID:" >>"$place/etc/group"
    echo "$USER_NAME:$FIRST_SUBID:65536" | tee "$place/etc/subuid" >"$place/etc/subgid"
    for file in passwd group subuid subgid; do
        [ -e "/etc/$file" ] || : >"/etc/$file"
        mount --bind "$place/etc/$file" "/etc/$file"
    done
    mkdir -p "$home/.config/containers"
    echo '{"default": [{"type": "insecureAcceptAnything"}]}' >"$home/.config/containers/policy.json"
    chown -R "$USER_ID:$USER_ID" "$home" "/run/user/$USER_ID"
    chmod 700 "$home" "/run/user/$USER_ID"
}

# As docs/podman.md says for root, but for what an ordinary user hasn't: cgroups, and networks.
write_configuration() {
    cat >"$home/.config/containers/containers.conf" <<END
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=32768:32768"]
log_driver = "k8s-file"
netns = "none"

[engine]
stop_timeout = 1
cgroup_manager = "cgroupfs"
events_logger = "file"
infra_image = "$IMAGE"
runtime_supports_json = ["opt-runtime", "$control"]
runtime_supports_nocgroup = ["opt-runtime"]

[engine.runtimes]
opt-runtime = ["$place/bin/opt-runtime"]
$control = ["$control_program"]
END
    cat >"$home/.config/containers/storage.conf" <<END
[storage]
driver = "overlay"
graphroot = "$home/storage"
runroot = "/run/user/$USER_ID/containers"
END
    chown -R "$USER_ID:$USER_ID" "$home/.config"
}

# A command as that user, with nothing of root's environment.
as_user() {
    "${as_user[@]}" "$@"
}

# podman, with the runtime that the check is for.
podman() {
    try "${as_user[@]}" podman --runtime "$using" "$@"
}

empty_engine() {
    as_user podman --runtime "$runtime" pod rm --all --force --time 0
    as_user podman --runtime "$runtime" rm --all --force --time 0
    as_user podman volume prune --force
}

stop_engine() {
    as_user podman system migrate
}

# --- What several files of checks use ---

# A container that does nothing, for as long as it takes.
sleeper() {
    podman run --detach --name one "$@" "$IMAGE" sleep 1000
    gives 0
}

# Whether what container $1 has printed matches $2.
logs_say() {
    [[ $(as_user podman logs "$1" 2>&1) =~ $2 ]]
}
