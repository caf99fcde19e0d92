# sbatch --container: the script itself runs in the container.
# shellcheck shell=bash

check_a_batch_script_runs_in_the_container() {
    as_both runs_script
}

runs_script() {
    "$as" sbatch --container=BUNDLE --output=batch.out --error=batch.err <<'END'
#!/bin/sh
hostname
id -u
ls /tmp/slurm
echo wrong >&2
END
    submitted
    becomes COMPLETED
    ended_with 0:0
    wrote $'inside\n'"$id"
    wrote startup
    [ "$(cat "$home/work/batch.err")" = wrong ] || no "on standard error: $(cat "$home/work/batch.err")"
    nothing_is_left
}

check_a_batch_scripts_exit_code_is_the_jobs() {
    as_both fails_in_script
}

fails_in_script() {
    "$as" sbatch --container=BUNDLE --output=/dev/null <<<$'#!/bin/sh\nexit 7'
    submitted
    becomes FAILED
    ended_with 7:0
    nothing_is_left
}

check_a_batch_job_on_two_nodes_starts_its_script_once() {
    as_user sbatch --nodes=2 --container=BUNDLE --output=batch.out <<<$'#!/bin/sh\necho $SLURM_JOB_NUM_NODES'
    submitted
    becomes COMPLETED
    wrote 2
    [ "$(wc -l <"$home/work/batch.out")" = 1 ] || no "several lines"
    nothing_is_left
}

# The script is outside, and each of its steps in a container.
check_a_batch_scripts_steps_run_in_containers() {
    as_user sbatch --nodes=2 --output=batch.out <<END
#!/bin/sh
hostname
srun --container=$home/bundles/user hostname
srun --nodes=1 --ntasks=1 --container=$home/bundles/user sh -c 'exit 3'
echo "step gave \$?"
END
    submitted
    becomes COMPLETED
    wrote "$(hostname)"$'\ninside\ninside'
    wrote "step gave 3"
    nothing_is_left
}
