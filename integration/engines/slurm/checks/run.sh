# srun --container, as root and as a user, on one node and on two.
# shellcheck shell=bash

check_srun_prints_what_the_command_prints() {
    as_both prints_hello
}

prints_hello() {
    "$as" srun --container=BUNDLE echo hello
    gives 0
    prints_only hello
    nothing_is_left
}

check_the_container_is_the_bundles() {
    as_both is_the_bundles
}

is_the_bundles() {
    "$as" srun --container=BUNDLE sh -c 'hostname; id -u; ls /; touch /file 2>&1'
    gives 1
    prints $'inside\n'"$id"$'\nbin'
    prints "Read-only file system"
}

check_standard_input_reaches_the_command() {
    as_both reads_standard_input
}

reads_standard_input() {
    "$as" srun --container=BUNDLE cat <<<"from outside"
    gives 0
    prints_only "from outside"
}

check_standard_error_stays_apart() {
    as_both tells_errors_apart
}

tells_errors_apart() {
    "$as" srun --container=BUNDLE sh -c 'echo wrong >&2; echo right'
    gives 0
    prints_only right
    complains wrong
}

check_the_exit_code_is_the_commands() {
    as_both gives_codes
}

gives_codes() {
    "$as" srun --container=BUNDLE sh -c 'exit 7'
    gives 7
    # Not the first process of its pid namespace: the kernel lets no signal from inside end that one.
    "$as" srun --container=BUNDLE sh -c "sh -c 'kill -KILL \$\$'; exit \$?"
    gives 137
    "$as" srun --container=BUNDLE /bin/nothing-there
    gives 127
    complains "no such file or directory"
    "$as" srun --container=BUNDLE /bin/not-executable
    gives 126
    complains "permission denied"
    nothing_is_left
}

check_a_bundle_that_isnt_there_is_an_error() {
    as_root srun --container=BUNDLE-nowhere echo never
    [ "$code" != 0 ] || no "succeeds"
    never_prints never
    nothing_is_left
}

check_the_environment_is_the_jobs() {
    as_both sees_environment
}

sees_environment() {
    "$as" FROM_OUTSIDE="two words" srun --container=BUNDLE env
    gives 0
    prints "FROM_OUTSIDE=two words"
    prints "SLURM_JOB_ID="
    prints "SLURM_JOB_USER=$who"
}

check_both_nodes_run_the_command() {
    as_both runs_on_both
}

runs_on_both() {
    "$as" srun --nodes=2 --container=BUNDLE sh -c 'echo $SLURM_JOB_NODELIST'
    gives 0
    prints_only $'n[1-2]\nn[1-2]'
    "$as" srun --nodes=2 --label --container=BUNDLE cat <<<"for all"
    gives 0
    prints "0: for all"
    prints "1: for all"
    "$as" srun --nodes=2 --container=BUNDLE sh -c 'exit 7'
    gives 7
    nothing_is_left
}

check_several_jobs_run_at_once() {
    # shellcheck disable=SC2016 # the $ are the shell's in there
    as_user sh -c 'for node in n1 n2 n1; do
            srun --container=BUNDLE --nodelist=$node sh -c "sleep 1; echo done" &
        done
        wait'
    gives 0
    prints_only $'done\ndone\ndone'
    nothing_is_left
}

check_twenty_jobs_in_a_row() {
    # shellcheck disable=SC2016 # the $ are the shell's in there
    as_user sh -c 'for n in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
            srun --container=BUNDLE echo "job $n" || echo "failed"
        done'
    gives 0
    never_prints failed
    prints "job 20"
    [ "$(wc -l <<<"$out")" = 20 ] || no "not twenty lines"
    nothing_is_left
}
