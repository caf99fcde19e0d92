# Shared by the programs here: telling what happens, finding cargo, installing what is missing.
# shellcheck shell=bash

if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
    bold=$'\e[1m' red=$'\e[31m' plain=$'\e[0m'
else
    bold='' red='' plain=''
fi

step() {
    printf '\n%s==> %s%s\n' "$bold" "$*" "$plain"
}

die() {
    printf '%s%s: %s%s\n' "$red" "${0##*/}" "$*" "$plain" >&2
    exit 1
}

need_linux_root() {
    [ "$(uname -s)" = Linux ] || die "needs Linux"
    [ "$(id -u)" = 0 ] || die "needs root in this version: run 'sudo hack/${0##*/}'"
}

# Puts cargo on PATH: where it is already, else where rustup puts it for this user or for sudo's caller.
find_cargo() {
    local home
    for home in "${HOME:-/root}" "$(getent passwd "${SUDO_USER:-root}" | cut -d: -f6)"; do
        if ! command -v cargo >/dev/null && [ -x "$home/.cargo/bin/cargo" ]; then
            export PATH="$home/.cargo/bin:$PATH"
            export RUSTUP_HOME="${RUSTUP_HOME:-$home/.rustup}"
        fi
    done
    command -v cargo >/dev/null ||
        die "needs Rust 1.95 or newer: install it with rustup, and start this again"
}

# Has $musl name Rust's target for static programs with musl on this machine; it is empty where rustup can't get it. A program
# that starts with each command is linked with musl in a release: glibc asks the processor some sixty times what it can do before
# main begins, and each answer (CPUID) is the hypervisor's in a virtual machine, a third of a millisecond together.
find_musl() {
    local host sysroot
    host=$(rustc -vV | sed -n 's/^host: //p')
    sysroot=$(rustc --print sysroot)
    musl=${host/%-gnu/-musl}
    if [ ! -d "$sysroot/lib/rustlib/$musl" ] && ! rustup --quiet target add "$musl" >/dev/null 2>&1; then
        echo "no $musl for this Rust: the programs are linked with glibc, and start more slowly" >&2
        musl=
        return
    fi
    # For the C that crates bring, which calls nothing of a C library's.
    export "CC_${musl//-/_}=${CC:-cc}"
    # Rust's own linker, which only the other target finds by itself.
    export PATH="$sysroot/lib/rustlib/$host/bin/gcc-ld:$PATH"
}

# The Debian packages among these that are not installed.
missing_packages() {
    local package
    for package in "$@"; do
        dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed ||
            printf '%s ' "$package"
    done
}

# Installs those of these Debian packages that are missing.
install_packages() {
    local missing
    command -v apt-get >/dev/null ||
        die "knows only Debian's packages: install the equivalents of '$*', or use Debian or Ubuntu"
    read -ra missing <<<"$(missing_packages "$@")"
    if [ ${#missing[@]} = 0 ]; then
        echo "there already: $*"
        return
    fi
    echo "installing: ${missing[*]}"
    quietly apt-get -q update
    without_daemons quietly env DEBIAN_FRONTEND=noninteractive \
        apt-get -qy install --no-install-recommends "${missing[@]}"
}

# A Python that has pip; Debian's own often has none.
python_with_pip() {
    local python
    for python in python3 /usr/bin/python3; do
        if "$python" -m pip --version >/dev/null 2>&1; then
            echo "$python"
            return
        fi
    done
    install_packages python3-pip >&2
    echo /usr/bin/python3
}

# Runs a command while packages may not start their daemons (policy-rc.d of invoke-rc.d(8)): tests start their own.
without_daemons() (
    policy=/usr/sbin/policy-rc.d
    if [ ! -e "$policy" ]; then
        trap 'rm -f "$policy"' EXIT
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod 755 "$policy"
    fi
    "$@"
)

# Runs a command; its output is shown only if it fails, and then that ends the script.
quietly() {
    local log code=0
    log=$(mktemp)
    "$@" >"$log" 2>&1 </dev/null || code=$?
    if [ "$code" != 0 ]; then
        cat "$log" >&2
    fi
    rm -f "$log"
    [ "$code" = 0 ] || die "'$*' failed with exit code $code: its output is above"
}
