# srun --pty: a user before a terminal, whose command runs on a node.
# shellcheck shell=bash

check_srun_pty_gives_a_shell_in_an_image_job_control() {
    talk_as_user srun --pty --comment="shifter --image=id:plain" \
        "$place/bin/shifter" --image=id:plain "--env=PS1=inner> " sh -i
    shows 'inner> '
    never_prints "job control"
    types 'stty size; tty; echo $(ls /dev/pts)\n'
    shows '33 99'
    shows /dev/pts/0
    shows '0 ptmx'
    # It says itself that it has the terminal: the keys would be the shell's before.
    types "sh -c 'trap \"echo go\\\"\\\"ing\" CONT; echo be\"\"gun; while :; do sleep 0.1; done'\n"
    shows begun
    types '\032'
    shows Stopped
    types 'jobs\n'
    shows Stopped
    types 'fg\n'
    shows going
    types '\003'
    shows 'inner> '
    types 'echo code $?\n'
    shows 'code 130'
    types 'exit 42\n'
    ends
    gives 42
    nothing_is_left
}

# Slurm takes the bundle's terminal away and gives the task the other end of srun's.
check_srun_pty_of_a_bundle_is_a_terminal_that_controls_nothing() {
    talk_as_user srun --pty --container=BUNDLE sh -c 'test -t 0 && test -t 1 && stty size; (echo >/dev/tty); read line; echo "got $line"; exit 7'
    shows '33 99'
    shows "can't create /dev/tty"
    types 'typed\n'
    shows 'got typed'
    ends
    gives 7
    nothing_is_left
}
