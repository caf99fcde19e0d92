# MPI between tasks of one node, with Debian's libraries as they are: each task in a container of its own, and all of them
# see each other's processes.
# shellcheck shell=bash

# ring.c once with each of these numbers of tasks on one node: "$@" is srun's options and shifter's words.
rings() {
    local library=$1 manager=$2 tasks
    shift 2
    for tasks in 2 4; do
        as_user srun --nodes=1 --ntasks="$tasks" --overcommit --mpi="$manager" "$@" "ring-$library"
        gives 0
        prints_only "$tasks tasks, 0 bytes wrong, sum right"
        [ -z "$err" ] || no "complains"
    done
}

check_open_mpis_tasks_of_a_node_exchange() {
    rings openmpi pmix --comment="shifter --image=id:plain --module=mpi" "$place/bin/shifter"
    nothing_is_left
}

check_mpichs_tasks_of_a_node_exchange() {
    local times
    # Where they don't see each other, every other time hangs.
    for times in 1 2 3; do
        rings mpich pmi2 --comment="shifter --image=id:plain --module=mpi" "$place/bin/shifter"
    done
    nothing_is_left
}

# As a user can on any machine: nobody has prepared anything.
check_mpis_tasks_exchange_where_nothing_was_prepared() {
    local words=("$place/bin/shifter" --root="$home/work/state" --image=id:unpacked --module=mpi)
    rings openmpi pmix "${words[@]}"
    rings mpich pmi2 "${words[@]}"
    rm -r "$home/work/state"
    nothing_is_left
}
