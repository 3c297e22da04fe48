# Shared by every script here. Source it first: it sets $root (the checkout) and $tools (.tools).
# shellcheck shell=bash

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck disable=SC2034  # Used by the scripts that source this file.
tools=$root/.tools

# Says what happens now and when, so that a long wait has a name.
step() {
    printf '[%4d s] %s\n' "$SECONDS" "$*"
}

# Every failure names what went wrong and what to do about it.
die() {
    printf 'error: %s\n' "$1" >&2
    if (($# > 1)); then printf '  help: %s\n' "$2" >&2; fi
    exit 1
}
