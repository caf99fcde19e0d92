# Named checks and their verdicts. A check is a function `check_NAME` that uses the verbs below. What fails
# with the runtime under test is done once more with the control: if that fails as well, it is the machine's.
# shellcheck shell=bash

# The longest that one command of an engine may take, in seconds.
: "${WITHIN:=40}"

passed=() failed=() impossible=()

# --- Verbs: what a check does ---

# Runs a command with a watchdog. $code, $out and $err tell how it went; nothing fails yet.
try() {
    code=0
    timeout -k 5 "$WITHIN" "$@" >"$place/out" 2>"$place/err" || code=$?
    out=$(tr -d '\r\0' <"$place/out") err=$(tr -d '\r\0' <"$place/err")
    last="$(printf '%s ' "${@/#"$place"/…}")"
}

# The last command ended with this exit code.
gives() {
    [ "$code" = "$1" ] || no "exit code $code instead of $1"
}

# The last command printed this somewhere on standard output.
prints() {
    [[ $out == *"$1"* ]] || no "doesn't print: $1"
}

# The last command printed this and nothing else on standard output.
prints_only() {
    [ "$out" = "$1" ] || no "doesn't print just: $1"
}

# The last command printed something that matches this extended regular expression.
prints_like() {
    [[ $out =~ $1 ]] || no "prints nothing like: $1"
}

# The last command printed this nowhere.
never_prints() {
    [[ $out$err != *"$1"* ]] || no "prints: $1"
}

# The last command's standard error holds this.
complains() {
    [[ $err == *"$1"* ]] || no "doesn't complain: $1"
}

# Does a command again until it succeeds; at most ten seconds.
until_true() {
    local tries
    for tries in {1..100}; do
        if "$@" >"$place/until" 2>&1; then
            return
        fi
        sleep 0.1
    done
    tail -n 5 "$place/until"
    no "not within ten seconds ($tries times tried): $*"
}

# Ends this check as failed.
no() {
    printf '%s\n' "$1"
    printf '  command: %s\n  exit code: %s\n' "${last-}" "${code-}"
    printf '  %s: %s\n' stdout "$(tail -n 12 <<<"${out-}")" stderr "$(tail -n 12 <<<"${err-}")"
    exit 1
}

# --- The driver ---

# Runs every check of these files whose name matches $only, in the order in which they stand there.
run_checks() {
    local file name names
    for file; do
        # shellcheck source=/dev/null
        . "$file"
    done
    mapfile -t names < <(grep -hoE '^check_[a-z0-9_]+' "$@")
    for name in "${names[@]}"; do
        name=${name#check_}
        if [[ $name =~ $only ]]; then
            run_check "$name"
        fi
    done
}

# One check, with a verdict of one line; below it, where it failed, what there is to know.
run_check() {
    local began=${EPOCHREALTIME/./} shown="$engine: ${1//_/ }"
    if attempt "$1" "$runtime"; then
        passed+=("$shown")
        verdict ok "$shown" "$began"
        return
    fi
    mv "$place/log" "$place/log.ours"
    if [ "$control" != none ] && ! attempt "$1" "$control"; then
        impossible+=("$shown")
        verdict machine "$shown" "$began"
        sed "s/^/          $control: /" "$place/log" | head -n 30
    else
        failed+=("$shown")
        verdict FAILED "$shown" "$began"
    fi
    sed 's/^/          /' "$place/log.ours" | head -n 60
}

# A check with this runtime, in a shell of its own, and the engine emptied after it.
attempt() {
    local result=0
    (
        using=$2
        code='' out='' err='' last=''
        "check_$1"
    ) >"$place/log" 2>&1 </dev/null || result=$?
    empty_engine >>"$place/log" 2>&1 </dev/null
    return $result
}

verdict() {
    local tenths=$(((${EPOCHREALTIME/./} - $3) / 100000))
    printf '%-8s %s (%d.%d s)\n' "$1" "$2" $((tenths / 10)) $((tenths % 10))
}

# The closing lines, and the exit code: 1 when a check failed, or none was run.
close() {
    local each
    for each in "${impossible[@]}"; do
        echo "not possible on this machine, $control fails too: $each"
    done
    for each in "${failed[@]}"; do
        echo "failed: $each"
    done
    printf '%s with %s: %s passed, %s failed, %s not possible on this machine\n' "$engine" "$runtime" \
        "${#passed[@]}" "${#failed[@]}" "${#impossible[@]}"
    [ ${#failed[@]} = 0 ] && [ ${#passed[@]} != 0 ]
}
