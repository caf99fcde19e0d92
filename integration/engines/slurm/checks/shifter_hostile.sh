# Users who ask for images, in words that root reads, and who have places of their own among root's.
# shellcheck shell=bash

# What is asked in vain is told by the step, and no node goes out of service for it.
is_refused() {
    asks "$1" "$place/bin/shifter" true
    gives 125
    complains "the job's prolog made no container: "
    complains "$2"
    nothing_is_left
}

check_an_image_that_is_kept_to_others_is_refused() {
    is_refused --image=id:secret "image secret: you are not among those who may use it"
}

check_an_identifier_leads_nowhere_but_into_the_store() {
    local evil
    # Both of these would be an image, if anybody looked there.
    cp "$home/images/plain.erofs" "$home/work/evil.erofs"
    printf 'FORMAT: erofs\n' >"$home/work/evil.meta"
    for evil in ../work/evil "$home/work/evil"; do
        is_refused "--image=id:$evil" "image \"id:$evil\": a name of this type can't have"
        as_prolog 999 setupRoot -u "$USER_NAME" -U "$USER_ID" -G "$USER_ID" docker "$evil"
        gives 125
        complains "image \"id:$evil\": a name of this type can't have"
        nothing_is_left
    done
    is_refused --image=id:.. '".." is no identifier of an image'
    as_prolog ../999 setupRoot -u "$USER_NAME" id plain
    gives 125
    complains 'SLURM_JOB_ID: "../999" is no number of a job'
    rm "$home/work"/evil.*
    nothing_is_left
}

# A program of shifter's as root on a node, as if for this job.
as_prolog() {
    try_on_node n1 env SLURM_JOB_ID="$1" "$place/bin/shifter" "${@:2}"
}

check_a_jobs_comment_is_nothing_but_a_request() {
    is_refused "--config=$home/work/mine --image=id:plain" "the job's comment: error: unexpected argument '--config'"
    is_refused --image=id:nowhere "there is no image nowhere"
    is_refused "--image=id:plain --volume=/etc:/etc" "volume"
    # shellcheck disable=SC2016 # it is to stay as it is
    is_refused '--image=id:$(touch${IFS}evil)' "can't have '\$' in it"
    # Whoever doesn't ask has none.
    as_user srun --comment="shifty business" ls "$home/udi"
    gives 0
    prints_only ""
}

# The place of a job's container can be entered by its user alone, who can't let others in.
check_nobody_enters_anothers_container() {
    local other=$((USER_ID + 1))
    begins_to_sleep
    as_user srun --jobid="$job" --overlap --mem=0 sh -c "
        chmod 777 $home/udi/$job; chmod 777 $home/udi/$job/bundle; mkdir $home/udi/$job/x $home/udi/7; ls $home/udi/$job"
    prints bundle
    complains "Read-only file system"
    try_on_node n1 setpriv --reuid "$other" --regid "$other" --clear-groups ls "$home/udi/$job"
    gives 2
    complains "Permission denied"
    scancel "$job"
    nothing_is_left
}

# What users write where the state of their containers is, root never acts upon.
check_a_forged_state_of_a_prepared_container_is_nobodys_command() {
    local victim state
    sleep 300 &
    victim=$!
    begins_to_sleep
    state=$home/udi/$job/state
    on_node n1 sh -c "cat $state/*/state.json" >"$place/state.json"
    mkdir -p "$place/copy" && cp "$place/state.json" "$place/copy/state.json"
    forge "$place/copy" "$victim"
    cp "$place/copy/state.json" "$home/work/forged"
    # The user's, in the place of the real one, with links to what is root's.
    try_on_node n1 setpriv --reuid "$USER_ID" --regid "$USER_ID" --clear-groups sh -ec "
        for directory in $state/*; do cp $home/work/forged \$directory/state.json; done
        ln -s $home/site $state/link; ln -s /etc/shifter/udiRoot.conf $state/file"
    gives 0
    scancel "$job"
    becomes CANCELLED
    rm "$home/work/forged"
    nothing_is_left
    [ -f "$home/site/tree/bin/busybox" ] || no "root followed a user's link"
    kill -0 "$victim" || no "root killed its own process for a user"
    kill "$victim"
}

# As after a prolog that was killed: mounts upon mounts, and nobody who keeps an image for them.
check_whatever_a_prolog_leaves_the_epilog_takes_away() {
    try_on_node n1 sh -ec "cd $home/udi; mkdir 777 778; mount -t tmpfs tmpfs 777; mkdir 777/image
        mount -t tmpfs tmpfs 777/image; mount -t tmpfs tmpfs 777"
    gives 0
    as_prolog 777 unsetupRoot
    gives 0
    as_prolog 777 epilog
    gives 0
    nothing_is_left
}

# Shifter's own way to prepare: one container for whoever has the node.
check_setup_root_takes_shifters_arguments() {
    as_prolog 999 setupRoot -V -v /work:/mnt -v /tmp:/data -u "$USER_NAME" -U "$USER_ID" -G "$USER_ID" \
        -N "one/2 two/1" -m none docker squashed
    gives 0
    try_on_node n1 setpriv --reuid "$USER_ID" --regid "$USER_ID" --clear-groups env SLURM_JOB_ID=999 \
        "$place/bin/shifter" --image=docker:squashed --volume="/tmp:/data;/work:/mnt" --module=none \
        sh -c 'cat /var/hostsfile /var/shifterConfig.json; ls -d /mnt /data'
    gives 0
    prints_only $'one\none\ntwo\n{"identifier":"squashed","user":"alice","volMap":"/tmp:/data;/work:/mnt","modules":""}/data\n/mnt'
    try_on_node n1 setpriv --reuid "$USER_ID" --regid "$USER_ID" --clear-groups env SLURM_JOB_ID=999 \
        "$place/bin/shifter" explain --workdir=/mnt some words
    gives 0
    prints "command: some words"
    prints "working directory: /mnt"
    prints "volume /work:/mnt of the user's"
    # Once more takes the place of the first.
    as_prolog 999 setupRoot -u "$USER_NAME" id plain
    gives 0
    as_prolog 999 unsetupRoot
    gives 0
    nothing_is_left
}
