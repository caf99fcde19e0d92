# Commands on a terminal of their own. script(1) has $SHELL take the words apart, and they are quoted for bash.
# shellcheck shell=bash

# Runs a command on a terminal of 33 lines and 99 columns, and types what printf makes of $typed on it. The
# terminal's input stays open to the end, because engines drop output when their own input ends first.
on_a_terminal() {
    local words
    printf -v words '%q ' "$@"
    SHELL=$BASH try script --quiet --return --command "stty rows 33 cols 99; exec $words" /dev/null < <(
        sleep 0.5
        printf '%b' "${typed-}"
        exec sleep "$WITHIN"
    )
}

# Begins a command on such a terminal, to be talked with: `types`, `shows` and, when it is over, `ends`.
talk() {
    local words
    printf -v words '%q ' "$@"
    last="$(printf '%s ' "${@/#"$place"/…}")" out='' err='' code='' seen=0
    rm -f "$place/typed"
    mkfifo "$place/typed"
    SHELL=$BASH timeout -k 5 "$WITHIN" script --quiet --return --command "stty rows 33 cols 99; exec $words" /dev/null \
        <"$place/typed" >"$place/shown" 2>&1 &
    talker=$!
    exec {typing}>"$place/typed"
}

# Types what printf makes of this.
types() {
    printf '%b' "$1" >&"$typing"
}

# The terminal shows this, sooner or later, after what was waited for before.
shows() {
    local tries rest
    for ((tries = 0; tries < WITHIN * 10; tries++)); do
        out=$(tr -d '\r\0' <"$place/shown")
        rest=${out:seen}
        if [[ $rest == *"$1"* ]]; then
            rest=${rest#*"$1"}
            seen=$((${#out} - ${#rest}))
            return
        fi
        sleep 0.1
    done
    no "the terminal doesn't show: $1"
}

# Waits for the command's end. All that it showed is in $out.
ends() {
    code=0
    wait "$talker" || code=$?
    exec {typing}>&-
    out=$(tr -d '\r\0' <"$place/shown")
}
