# Containers of Shifter images, which the prolog has prepared, run by the job's user without root.
# shellcheck shell=bash

# srun as the user, for a container that the job's comment asks for with these words.
asks() {
    as_user srun --comment="shifter $1" "${@:2}"
}

# Likewise, with shifter and the same words before the command.
runs() {
    local words options=() wanted=$1
    shift
    while [[ $1 == --* ]]; do
        options+=("$1")
        shift
    done
    read -ra words <<<"$wanted"
    asks "$wanted" "${options[@]}" "$place/bin/shifter" "${words[@]}" "$@"
}

check_shifter_runs_a_command_in_an_image_of_the_store() {
    local image
    for image in squashed plain; do
        runs "--image=id:$image" sh -c 'echo $(id -u) $(id -g); pwd; echo "$IMAGE $SHIFTER_RUNTIME $SHIFTER_IMAGE $SHIFTER_IMAGEREQUEST"'
        gives 0
        prints_only "$USER_ID $USER_ID
$home/work
$image 1 $image id:$image"
    done
    nothing_is_left
}

check_shifters_container_is_sealed() {
    # shellcheck disable=SC2016 # the $ are the container's
    runs --image=id:plain sh -c 'grep -hE "^(Cap|NoNew|Seccomp:|Groups)" /proc/self/status
        awk "!/nosuid/" /proc/self/mountinfo; touch /file 2>&1; ls /proc/self/fd | wc -l'
    gives 0
    prints_like $'CapInh:\t0{16}\nCapPrm:\t0{16}\nCapEff:\t0{16}\nCapBnd:\t0{16}\nCapAmb:\t0{16}\n'
    prints_like $'NoNewPrivs:\t1\nSeccomp:\t2\ntouch: .*Read-only file system\n4$'
    nothing_is_left
}

check_shifter_takes_what_is_asked_from_variables_too() {
    as_user env SLURM_SPANK_SHIFTER_IMAGEREQUEST=id:plain SHIFTER_VOLUME=/work:/mnt \
        srun --comment="shifter --image=id:plain --volume=/work:/mnt" "$place/bin/shifter" cat /var/shifterConfig.json
    gives 0
    prints_only '{"identifier":"plain","user":"alice","volMap":"/work:/mnt","modules":""}'
    # Nothing that is asked for is what was prepared.
    asks "--image=id:plain --volume=/work:/mnt" "$place/bin/shifter" --entrypoint=echo --workdir=/usr hello
    gives 0
    prints_only hello
    nothing_is_left
}

check_shifters_volumes_are_the_users() {
    mkdir "$home/work/data"
    chown "$USER_ID:$USER_ID" "$home/work/data"
    runs "--image=id:squashed --volume=/work/data:/new/place" sh -c 'echo mine >/new/place/file; cat /work/data/file'
    gives 0
    prints_only mine
    [ "$(stat -c %u "$home/work/data/file")" = "$USER_ID" ] || no "it isn't the user's"
    nothing_is_left
    rm -r "$home/work/data"
}

# Also what is mounted below a site's mount, which a module's script of root's has had before it as well.
check_what_a_node_has_mounted_stays_when_the_container_goes() {
    # shellcheck disable=SC2016 # the $ are the container's
    runs "--image=id:plain --module=hooked" sh -c 'cat /etc/hooked /shared/below/file; echo "$HOOKED"'
    gives 0
    prints_only $'by root\nthere\nyes'
    nothing_is_left
    try_on_node n1 cat "$home/site/shared/below/file"
    prints_only there
}

# The device has the host's owner and mode.
check_a_module_brings_a_device_of_the_nodes() {
    # shellcheck disable=SC2016 # the $ are the container's
    runs "--image=id:plain --module=fuse" sh -c 'test -c /dev/fuse && ls /usr/lib/driver; touch /usr/lib/driver/x 2>&1; echo "$DRIVER"'
    gives 0
    prints_only $'group\nnsswitch.conf\npasswd\ntouch: /usr/lib/driver/x: Read-only file system\nexample'
    runs --image=id:plain sh -c 'test -c /dev/fuse'
    gives 1
    nothing_is_left
}

check_shifters_exit_code_is_the_commands() {
    runs --image=id:plain sh -c 'exit 7'
    gives 7
    runs --image=id:plain sh -c "sh -c 'kill -KILL \$\$'; exit \$?"
    gives 137
    runs --image=id:plain nothing-there
    gives 127
    runs --image=id:plain /bin/not-executable
    gives 126
    nothing_is_left
}

check_shifters_tasks_on_two_nodes_find_each_other() {
    runs --image=id:plain --nodes=2 --ntasks=4 --overcommit --mpi=pmi2 exchange
    gives 0
    prints "task 0 of 4 on descriptor 3 knows of-$(hostname)-and-1"
    prints "task 3 of 4 on descriptor 3 knows of-$(hostname)-and-0"
    [ "$(wc -l <<<"$out")" = 4 ] || no "not four lines"
    nothing_is_left
}

# As a user can on any machine: nobody has prepared anything.
check_shifters_tasks_find_each_other_where_nothing_was_prepared() {
    as_user srun --nodes=2 --ntasks=4 --overcommit --mpi=pmi2 \
        "$place/bin/shifter" --root="$home/work/state" --image=id:unpacked exchange
    gives 0
    prints "task 1 of 4 on descriptor 3 knows of-$(hostname)-and-2"
    [ "$(wc -l <<<"$out")" = 4 ] || no "not four lines"
    rm -r "$home/work/state"
    # shellcheck disable=SC2016
    as_user srun --nodes=2 --ntasks-per-node=1 "$place/bin/shifter" --root="$home/work/state" --image=id:unpacked \
        sh -c 'echo $(cat /var/hostsfile)'
    prints_only $'n1 n2\nn1 n2'
    rm -r "$home/work/state"
    nothing_is_left
}

check_shifters_tasks_know_their_place_and_their_jobs_hosts() {
    # shellcheck disable=SC2016
    runs --image=id:plain --nodes=2 --ntasks-per-node=2 --overcommit --label \
        sh -c 'echo "$SLURM_PROCID $SLURM_NTASKS $SLURM_LOCALID" $(cat /var/hostsfile)'
    gives 0
    [ "$(sort <<<"$out")" = $'0: 0 4 0 n1 n2\n1: 1 4 1 n1 n2\n2: 2 4 0 n1 n2\n3: 3 4 1 n1 n2' ] || no "other places"
    nothing_is_left
}

# The node that is asked is the other one: what it shows is what its own prolog has told its container.
check_shifters_tasks_reach_the_other_node_by_ssh() {
    local script
    # shellcheck disable=SC2016 # the $ are the container's
    script='other=n1; [ "$SLURMD_NODENAME" = n1 ] && other=n2
        for try in $(seq 60); do
            ssh "$other" "echo in \$SHIFTER_IMAGE as \$(id -u), no privilege \$(grep -c ^CapEff:.0*\$ /proc/self/status)" \
                2>/work/told.$SLURM_PROCID && break
            sleep 0.5
        done
        # Nobody leaves before all have been there.
        >/work/done.$SLURM_PROCID
        for try in $(seq 60); do
            [ "$(ls /work/done.* | wc -l)" = 4 ] && exit
            sleep 0.5
        done
        cat /work/told.*; exit 1'
    runs "--image=id:plain --module=ssh" --nodes=2 --ntasks=4 --ntasks-per-node=2 --overcommit sh -c "$script"
    gives 0
    [ "$out" = "$(printf "in plain as $USER_ID, no privilege 1%.0s\n" 1 2 3 4)" ] || no "other lines: $out"
    nothing_is_left
    rm -r "$home/work"/{.udiRoot,done.*,told.*}
}

check_shifters_command_stays_on_its_processors() {
    # shellcheck disable=SC2016
    asks --image=id:plain --cpus-per-task=2 sh -c '
        one=$(sed -n "s/^Cpus_allowed_list:\t\([0-9]*\).*/\1/p" /proc/self/status)
        taskset -c "$one" "$0" sh -c "echo $one; sed -n s/^Cpus_allowed_list:.//p /proc/self/status"' "$place/bin/shifter"
    gives 0
    prints_like $'^([0-9]+)\n'
    [ "${out%%$'\n'*}" = "${out##*$'\n'}" ] || no "on others"
    nothing_is_left
}

check_shifter_reads_standard_input() {
    runs --image=id:plain cat <<<"from outside"
    gives 0
    prints_only "from outside"
}

# The bundle is one for Slurm's own way as well.
check_srun_runs_the_bundle_that_was_prepared() {
    # shellcheck disable=SC2016
    as_user sbatch --nodes=2 --output=batch.out --comment="shifter --image=id:squashed" \
        --wrap "exec srun --container=$home/udi/"'$SLURM_JOB_ID/bundle sh -c "echo \$IMAGE; cat /var/hostsfile"'
    submitted
    becomes COMPLETED
    ended_with 0:0
    [ "$(sort "$home/work/batch.out")" = $'n1\nn1\nn2\nn2\nsquashed\nsquashed' ] || no "$(cat "$home/work/batch.out")"
    nothing_is_left
}

check_a_batch_scripts_steps_share_what_was_prepared() {
    as_user sbatch --output=batch.out --comment="shifter --image=id:plain -V /work:/mnt" <<END
#!/bin/sh
for number in 1 2 3; do
    srun $place/bin/shifter --image=id:plain --volume=/work:/mnt sh -c "echo \$number; ls -d /mnt/batch.out"
done
END
    submitted
    becomes COMPLETED
    wrote $'1\n/mnt/batch.out\n2\n/mnt/batch.out\n3\n/mnt/batch.out'
    nothing_is_left
}

check_shifter_is_cancelled_with_its_job() {
    begins_to_sleep
    scancel "$job"
    becomes CANCELLED
    nothing_is_left
}

# A job of two nodes in whose containers a command sleeps.
begins_to_sleep() {
    as_user sbatch --nodes=2 --mem=100 --output=batch.out --comment="shifter --image=id:squashed" \
        --wrap "exec srun $place/bin/shifter --image=id:squashed sh -c 'echo started; exec sleep 314'"
    submitted
    wrote $'started\nstarted'
}

check_nothing_is_left_of_a_step_that_was_killed() {
    begins_to_sleep
    pkill -KILL -U "$USER_ID" -f "bin/shifter .*sleep 314"
    becomes FAILED
    nothing_is_left
    if pgrep -f 'sleep 314$'; then
        no "the command outlives its container"
    fi
}

# Who keeps the image mounted may be killed: the container has a mount of its own, and the epilog what it needs.
check_nothing_is_left_where_the_images_keeper_was_killed() {
    begins_to_sleep
    pkill -KILL -x shifter-image
    scancel "$job"
    becomes CANCELLED
    nothing_is_left
}

check_two_jobs_on_a_node_share_the_images_mount() {
    local first
    begins_to_sleep
    first=$job
    as_user sbatch --nodelist=n1 --mem=100 --output=batch.second --comment="shifter --image=id:squashed" \
        --wrap "exec srun $place/bin/shifter sh -c 'echo started; exec sleep 314'"
    submitted
    soon holds "$home/work/batch.second" started
    on_node n1 "$place/bin/shifter" image list >"$place/list"
    grep -E "^squashfs +$home/images/squashed.squashfs +$home/udi/$first $home/udi/$job$" "$place/list" ||
        no "not one image for two: $(cat "$place/list")"
    [ "$(wc -l <"$place/list")" = 1 ] || no "another mount: $(cat "$place/list")"
    scancel "$first"
    scancel "$job"
    nothing_is_left
}

# Nobody is left then who could tell Slurm how the command ended, or who ends it: the job's own end does.
check_nothing_is_left_where_slurms_own_hold_of_the_step_was_killed() {
    begins_to_sleep
    pkill -KILL -f "^slurmstepd: \[$job\.0\]"
    scancel "$job"
    soon has_ended
    nothing_is_left
}

has_ended() {
    ! has_state RUNNING && ! has_state COMPLETING
}
