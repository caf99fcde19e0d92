# MPI between tasks of one node, with Debian's libraries as they are: each task in a container of its own, and all of them
# see each other's processes.
# shellcheck shell=bash

# The last command's tasks got all that they were sent, and no library complained.
exchanges() {
    gives 0
    prints_only "$1 tasks, 0 bytes wrong, sum right"
    [ -z "$err" ] || no "complains"
}

# ring.c once with each of these numbers of tasks on one node: "$@" is srun's options and shifter's words.
rings() {
    local library=$1 manager=$2 tasks
    shift 2
    for tasks in 2 4; do
        as_user srun --nodes=1 --ntasks="$tasks" --overcommit --mpi="$manager" "$@" "ring-$library"
        exchanges "$tasks"
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

# Without Slurm's help: each starts the tasks of this node itself.
check_tasks_of_mpirun_and_mpiexec_exchange() {
    local words=("$place/bin/shifter" --root="$home/work/state" --image=id:unpacked --module=mpi)
    as_user env OMPI_MCA_oob_tcp_if_include=lo OMPI_MCA_mca_base_component_show_load_errors=0 \
        mpirun.openmpi --oversubscribe -np 4 "${words[@]}" ring-openmpi
    exchanges 4
    as_user mpiexec.hydra -np 4 "${words[@]}" ring-mpich
    exchanges 4
    rm -r "$home/work/state"
}

# They copy from each other's memory in one container as well.
check_tasks_in_one_container_exchange() {
    local unset='unset $(env | sed -n "s/^\(SLURM[A-Z_]*\)=.*/\1/p"); PATH=$PATH:/usr/bin HOME=/work' command
    for command in "OMPI_MCA_oob_tcp_if_include=lo exec mpirun.openmpi --oversubscribe -np 4 ring-openmpi" \
        "exec mpiexec.hydra -launcher fork -np 4 ring-mpich"; do
        runs "--image=id:plain --module=mpi" sh -c "$unset $command"
        exchanges 4
    done
    nothing_is_left
}
