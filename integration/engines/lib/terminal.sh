# Commands on a terminal of their own.
# shellcheck shell=bash

# Runs a command on a terminal of 33 lines and 99 columns, and types what printf makes of $typed on it. The
# terminal's input stays open to the end, because engines drop output when their own input ends first.
on_a_terminal() {
    local words
    printf -v words '%q ' "$@"
    try script --quiet --return --command "stty rows 33 cols 99; exec $words" /dev/null < <(
        sleep 0.5
        printf '%b' "${typed-}"
        exec sleep "$WITHIN"
    )
}
