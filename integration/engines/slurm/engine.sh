# Slurm: a controller and two nodes on this machine's loopback, with users, keys, ports and cgroups of its own.
# shellcheck shell=bash

# The user's ordinary self; known nowhere but in these namespaces.
USER_NAME=alice USER_ID=54321

NODES=(n1 n2)

# What is shipped for a site.
snippets=$here/../../dist/snippets/slurm

check_files=("$here"/slurm/checks/*.sh)

# The peers' part in Slurm is told in docs/slurm.md; what fails here is ours.
# shellcheck disable=SC2034 # the driver's
control=none

start_engine() {
    home=$place/slurm
    export SLURM_CONF=$home/etc/slurm.conf
    mkdir -p "$home"/{etc,state,spool,log,run,bundles,work}
    chmod 755 "$home" "$home"/{etc,bundles}
    chmod 1777 "$home/work"
    add_user
    # Slurm looks names up by what kinds of addresses this host has, and loopback's don't count.
    busybox ip address add 192.0.2.1/32 dev lo
    # What listens on a node listens on an address of its own.
    printf '127.0.0.%s %s\n' 11 n1 12 n2 >>/etc/hosts
    start_munge && write_configuration && make_site && start_daemons && make_bundles
}

# In an /etc of these namespaces: a file that is mounted over another would come off when that one is replaced.
add_user() {
    mkdir "$home/users"
    mount -t tmpfs tmpfs "$home/users"
    mkdir "$home/users"/{upper,work}
    mount -t overlay -o "lowerdir=/etc,upperdir=$home/users/upper,workdir=$home/users/work" overlay /etc
    echo "$USER_NAME:x:$USER_ID:$USER_ID::$home/work:/bin/sh" >>/etc/passwd
    echo "$USER_NAME:x:$USER_ID:" >>/etc/group
}

start_munge() {
    local munge=$home/munge
    mkdir -m 755 "$munge"
    (umask 077 && head -c 128 /dev/urandom >"$munge/key")
    chown -R munge:munge "$munge"
    setpriv --reuid munge --regid munge --clear-groups munged --num-threads=2 --key-file="$munge/key" \
        --socket="$munge/socket" --pid-file="$munge/pid" --log-file="$munge/log" --seed-file="$munge/seed"
}

# The lines that docs/slurm.md gives are between the marks; the rest is what one machine as two nodes needs.
write_configuration() {
    local node port=6820 nodes='' track=cgroup task=cgroup
    if [ ! -d /sys/fs/cgroup/memory ]; then
        echo "without cgroup v1: Slurm limits nothing here"
        track=linuxproc task=none check_files=("$here"/slurm/checks/[!r]*.sh "$here"/slurm/checks/run.sh)
    fi
    for node in "${NODES[@]}"; do
        nodes+="NodeName=$node NodeHostname=$(hostname) NodeAddr=127.0.0.1 Port=$port CPUs=2 RealMemory=1000"$'\n'
        port=$((port + 1))
    done
    cat >"$SLURM_CONF" <<END
ClusterName=opt-integration
SlurmctldHost=$(hostname)(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthInfo=socket=$home/munge/socket
StateSaveLocation=$home/state
SlurmdSpoolDir=$home/spool/%n
SlurmctldPidFile=$home/run/slurmctld.pid
SlurmdPidFile=$home/run/slurmd.%n.pid
SlurmctldLogFile=$home/log/slurmctld
SlurmdLogFile=$home/log/slurmd.%n
SlurmdDebug=debug2
MpiDefault=none
SchedulerType=sched/builtin
SlurmdParameters=config_overrides
ReturnToService=2
KillWait=2
UnkillableStepTimeout=20
# docs/slurm.md
ProctrackType=proctrack/$track
TaskPlugin=task/$task
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
PropagateResourceLimits=NONE
Prolog=$home/etc/prolog.d/*
Epilog=$home/etc/epilog.d/*
# end
$nodes
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
END
    cat >"$home/etc/cgroup.conf" <<END
CgroupPlugin=cgroup/v1
CgroupMountpoint=/sys/fs/cgroup
ConstrainRAMSpace=yes
ConstrainCores=yes
END
    mkdir "$home/etc/prolog.d" "$home/etc/epilog.d"
    snippet prolog prolog.d/containers
    snippet shifter-prolog prolog.d/shifter
    snippet shifter-epilog epilog.d/shifter
    use_flags --cgroup-manager=disabled
}

# Puts a script that is shipped where Slurm runs it, with the places of here.
snippet() {
    sed "s|/usr/bin/|$place/bin/|g; s|/run/slurm-containers|$home/containers|g" "$snippets/$1" >"$home/etc/$2"
    chmod 755 "$home/etc/$2"
}

# A Shifter site: its configuration where it always is, and a store with an image of each kind.
make_site() {
    mkdir -p "$home"/{udi,images,site/etc,site/shared/below} /etc/shifter
    chmod 755 "$home"/{udi,images,site,site/etc,site/shared,site/shared/below} /etc/shifter
    cat >/etc/shifter/udiRoot.conf <<END
udiMount=$home/udi
imagePath=$home/images
etcPath=$home/site/etc
defaultImageType=id
maxGroupCount=31
siteFs=$home/work:/work;$home/site/shared:/shared:rec
siteEnv=SHIFTER_RUNTIME=1
module_hooked_roothook=$home/site/hook
module_hooked_siteEnv=HOOKED=yes
module_ssh_sshd=/usr/sbin/sshd
module_ssh_sshdListen=%n
module_ssh_siteFs=/usr:/usr;/usr/lib:/lib;/usr/lib64:/lib64
module_ssh_siteEnvAppend=PATH=/usr/bin
module_fuse_cdi=example.org/fuse=fuse
module_mpi_siteFs=/usr:/usr;/usr/lib:/lib;/usr/lib64:/lib64;$home/site/mpi:/opt/mpi
module_mpi_siteEnv=OMPI_MCA_mca_base_component_show_load_errors=0
module_mpi_siteEnvAppend=PATH=/opt/mpi
END
    mkdir -p /etc/cdi
    cat >/etc/cdi/fuse.yaml <<END
cdiVersion: 0.6.0
kind: example.org/fuse
devices:
  - name: fuse
    containerEdits:
      deviceNodes: [{path: /dev/fuse}]
      mounts: [{hostPath: $home/site/etc, containerPath: /usr/lib/driver}]
containerEdits:
  env: [DRIVER=example]
END
    chmod 755 /etc/cdi
    chmod 644 /etc/cdi/fuse.yaml
    printf '%s\n' 'echo "by root" >etc/hooked' >"$home/site/hook"
    grep -E "^$USER_NAME:" /etc/passwd >"$home/site/etc/passwd"
    grep -E "^$USER_NAME:" /etc/group >"$home/site/etc/group"
    echo 'passwd: files' >"$home/site/etc/nsswitch.conf"
    chmod 644 /etc/shifter/udiRoot.conf "$home/site/hook" "$home/site/etc"/*
    make_mpi_programs
    make_rootfs "$home/site/tree"
    cp "$here/slurm/exchange.sh" "$home/site/tree/bin/exchange"
    chmod 755 "$home/site/tree/bin/exchange"
    mksquashfs "$home/site/tree" "$home/images/squashed.squashfs" -noappend -quiet -no-progress
    mkfs.erofs --quiet "$home/images/plain.erofs" "$home/site/tree"
    ln "$home/images/plain.erofs" "$home/images/secret.erofs"
    cp -a "$home/site/tree" "$home/images/unpacked."
    describe unpacked VFS
    describe squashed squashfs
    describe plain erofs
    describe secret erofs USERACL:7
}

# ring.c for each MPI library of this host's.
make_mpi_programs() {
    local library
    mkdir -m 755 "$home/site/mpi"
    for library in openmpi mpich; do
        "mpicc.$library" -O1 -o "$home/site/mpi/ring-$library" "$here/slurm/ring.c"
    done
}

# The .meta file of an image, of a format and with more lines.
describe() {
    printf '%s\n' "FORMAT: $2" "ENV: PATH=/bin" "ENV: IMAGE=$1" "ENTRY: ['/bin/echo', 'entered']" "${@:3}" \
        >"$home/images/$1.meta"
}

# oci.conf as docs/slurm.md gives it, with these flags. Slurm reads it again for every step.
use_flags() {
    local runtime="$place/bin/opt-runtime --root=$home/containers/%u $*" id=%n.%u.%j.%s.%t
    cat >"$home/etc/oci.conf" <<END
RunTimeQuery="$runtime state $id 2>/dev/null || echo {}"
RunTimeKill="exec $runtime kill --all $id KILL"
RunTimeDelete="exec $runtime delete --force $id"
RunTimeRun="exec $runtime run --bundle %b $id"
END
}

start_daemons() {
    slurmctld
    local directory names
    # Slurm makes its cgroups at the top. Here the top is the directory that is removed at the end.
    while read -r directory names; do
        directory=$directory/$cgroup_parent
        mkdir -p "$directory"
        if [ -f "$directory/cpuset.cpus" ]; then
            cat "$directory/../cpuset.cpus" >"$directory/cpuset.cpus"
            cat "$directory/../cpuset.mems" >"$directory/cpuset.mems"
        fi
    done < <(findmnt -rno TARGET,FS-OPTIONS -t cgroup,cgroup2)
    (
        while read -r directory names; do
            echo "$BASHPID" >"$directory/$cgroup_parent/cgroup.procs"
        done < <(findmnt -rno TARGET,FS-OPTIONS -t cgroup,cgroup2)
        exec env home="$home" unshare --mount --cgroup bash "$here/slurm/nodes.sh" "${NODES[@]}"
    )
    soon all_idle
}

all_idle() {
    [ "$(sinfo --noheader --states=idle --format=%D)" = "${#NODES[@]}" ]
}

# One bundle for root, with no user namespace, and one for a user, who stays that user inside.
make_bundles() {
    local name
    for name in root user; do
        mkdir -p "$home/bundles/$name"
        make_rootfs "$home/bundles/$name/rootfs"
    done
    # shellcheck disable=SC2016 # the $ is jq's
    local common='.process.terminal = false | .root.readonly = true | .hostname = "inside"
        | .mounts += [{ destination: "/tmp", type: "tmpfs", source: "tmpfs", options: ["nosuid", "nodev", "mode=1777"] }]'
    starter root "$common"
    # shellcheck disable=SC2016
    starter user "$common"' | .process.user = { uid: $id, gid: $id }
        | (.linux.uidMappings, .linux.gidMappings) = [{ containerID: $id, hostID: $id, size: 1 }]' --rootless
}

# Writes the config.json of bundle $1: the runtime's own to begin with, changed by the jq program $2.
starter() {
    local bundle=$home/bundles/$1 changes=$2
    "$place/bin/opt-runtime" spec --bundle "$bundle" "${@:3}"
    jq --argjson id "$USER_ID" "$changes" "$bundle/config.json" >"$place/config.json"
    mv "$place/config.json" "$bundle/config.json"
}

# --- Verbs ---

# A Slurm command as root or as the user. BUNDLE in it stands for that user's bundle.
as_root() {
    try env --chdir="$home/work" "${@//BUNDLE/$home/bundles/root}"
}

as_user() {
    user_does try "$@"
}

# Likewise, on a terminal to be talked with.
talk_as_user() {
    user_does talk "$@"
}

user_does() {
    local verb=$1
    shift
    "$verb" setpriv --reuid "$USER_ID" --regid "$USER_ID" --clear-groups env --chdir="$home/work" \
        USER="$USER_NAME" HOME="$home/work" "${@//BUNDLE/$home/bundles/user}"
}

# Does a part of a check as root and as the user: `as` is the verb for it, `who` the name and `id` the uid.
as_both() {
    local as who id
    as=as_root who=root id=0
    "$@"
    as=as_user who=$USER_NAME id=$USER_ID
    "$@"
}

# A batch job whose script, outside, becomes one step of this shell command in a container on each node.
submit_step() {
    "${as:-as_user}" sbatch --nodes=2 --output=batch.out --wrap "exec srun --container=BUNDLE sh -c '$1'"
    submitted
}

# The job that sbatch has just told of.
submitted() {
    gives 0
    job=${out##* }
    [[ $job =~ ^[0-9]+$ ]] || no "no job"
}

# Kills the user's runtimes, both processes of each at once, as the user could.
kill_runtimes() {
    pkill -KILL -U "$USER_ID" -f 'bin/opt-runtime .* run '
}

# The job has this state, sooner or later.
becomes() {
    soon has_state "$1"
}

# Does a command again until it succeeds: Slurm itself takes up to ten seconds for some things.
soon() {
    local tries
    for tries in {1..250}; do
        if "$@" >"$place/until" 2>&1; then
            return
        fi
        sleep 0.1
    done
    no "not after $tries tries: $*: $(tail -n 40 "$place/until")"
}

has_state() {
    scontrol show job "$job" >"$place/job"
    grep -q "JobState=$1 " "$place/job" || { cat "$place/job"; return 1; }
}

# The job's exit code and signal are CODE:SIGNAL.
ended_with() {
    grep -q " ExitCode=$1\$" "$place/job" || no "the job's exit code isn't $1: $(cat "$place/job")"
}

# The batch job's output holds these lines, sooner or later.
wrote() {
    soon holds "$home/work/batch.out" "$1"
}

holds() {
    [[ $(cat "$1") == *"$2"* ]] || { cat "$1"; return 1; }
}

# All nodes take jobs again, none was drained, and nothing of any container is left on them.
nothing_is_left() {
    soon all_idle
    [ -z "$(sinfo --noheader --list-reasons)" ] || no "drained: $(sinfo --list-reasons)"
    rm -f "$home/work"/batch.*
    soon nothing_in "bundles" "$home"/spool/*/oci-job*
    soon nothing_in "state" "$home"/containers/*/*
    soon nothing_in "cgroups" "/sys/fs/cgroup"/*/"$cgroup_parent"/{opt-runtime-,n[0-9].}*
    soon no_image_is_used
}

# On each node: no mount and no directory of a job's container, no process that keeps an image, and no loop device.
no_image_is_used() {
    local node
    for node in "${NODES[@]}"; do
        on_node "$node" sh -c "ls $home/udi /run/shifter; grep $home/udi/ /proc/self/mountinfo" >"$place/used"
        if grep -vE "^$|:$" "$place/used"; then
            return 1
        fi
    done
    ! losetup --list --noheadings | grep -F "$home/"
}

# A command of root's among the mounts of a node.
on_node() {
    nsenter --mount --target "$(cat "$home/run/slurmd.$1.pid")" "${@:2}"
}

# Likewise, as a verb.
try_on_node() {
    try nsenter --mount --target "$(cat "$home/run/slurmd.$1.pid")" "${@:2}"
}

nothing_in() {
    local path
    for path in "${@:2}"; do
        if [ -e "$path" ]; then
            echo "$1: $path"
            return 1
        fi
    done
}

# Everything to its end, and the nodes and the configuration back as they were.
empty_engine() {
    use_flags --cgroup-manager=disabled
    scancel --state=PENDING --state=RUNNING --me 2>/dev/null
    scancel --user="$USER_NAME"
    rm -f "$home/work"/batch.*
    soon all_idle
}

stop_engine() {
    local file
    for file in "$home"/run/*.pid "$home/munge/pid"; do
        kill "$(cat "$file")"
    done
}
