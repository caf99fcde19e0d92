# Inside of the namespaces that `run` made: hides the machine's state, starts the engine, runs the checks.
# shellcheck shell=bash
set -uo pipefail
# shellcheck source=integration/engines/lib/checks.sh
. "$here/lib/checks.sh"
# shellcheck source=integration/engines/lib/cgroup.sh
. "$here/lib/cgroup.sh"
# shellcheck source=integration/engines/lib/terminal.sh
. "$here/lib/terminal.sh"
# shellcheck source=integration/engines/lib/image.sh
. "$here/lib/image.sh"

# What engines keep outside of the directories that they can be given. Shared, as systemd makes a machine's.
hide_the_machine() {
    local directory
    mount --make-rshared /
    for directory in /run /dev/shm /var/tmp; do
        mount -t tmpfs -o mode=1777 tmpfs "$directory"
    done
    chmod 755 /run
    mkdir /run/lock
    for directory in /var/lib/cni /var/cache/cni /etc/cni /etc/containers /var/lib/containers; do
        if [ -d "$directory" ]; then
            mount -t tmpfs -o mode=755 tmpfs "$directory"
        fi
    done
    busybox ip link set lo up
}

exec </dev/null
hide_the_machine
runtime=opt-runtime control=${control_program##*/}
# shellcheck source=/dev/null
. "$here/$engine/engine.sh"
start_engine || { echo "$engine doesn't start"; exit 1; }
[ -z "$instead" ] || check_files=("$instead")
run_checks "${check_files[@]}"
stop_engine
close
