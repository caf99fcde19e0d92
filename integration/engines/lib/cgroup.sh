# What a container's cgroup says.
# shellcheck shell=bash

# The cgroup of process $1: file $2 of cgroup v1's controller $3, or where there is none, cgroup v2's file $4.
# Tells in $out, as a command would.
cgroup_value() {
    local path
    if [ -d "/sys/fs/cgroup/$3" ]; then
        path=/sys/fs/cgroup/$3$(sed -n "s/^[0-9]*:$3://p" "/proc/$1/cgroup")/$2
    else
        path=/sys/fs/cgroup$(sed -n 's/^0:://p' "/proc/$1/cgroup")/$4
    fi
    out=$(cat "$path") code=$? last="cat $path" err=
}
