#!/bin/sh
# A task of a parallel program, as an MPI library begins: it tells its process manager something by PMI-1 and asks for
# what the next task has told. https://www.mcs.anl.gov/papers/P1760.pdf
set -e

ask() {
    echo "$1" >&"$PMI_FD"
    read -r answer <&"$PMI_FD"
    case $answer in
        "$2"*) ;;
        *) echo "asked $1, was told $answer"; exit 9 ;;
    esac
}

ask "cmd=init pmi_version=1 pmi_subversion=1" cmd=response_to_init
ask "cmd=get_my_kvsname" cmd=my_kvsname
space=${answer##*kvsname=}
ask "cmd=put kvsname=$space key=task$PMI_RANK value=of-$(hostname)-and-$PMI_RANK" cmd=put_result
ask "cmd=barrier_in" cmd=barrier_out
next=$(((PMI_RANK + 1) % PMI_SIZE))
ask "cmd=get kvsname=$space key=task$next" cmd=get_result
echo "task $PMI_RANK of $PMI_SIZE on descriptor $PMI_FD knows ${answer##*value=}"
ask "cmd=finalize" cmd=finalize_ack
