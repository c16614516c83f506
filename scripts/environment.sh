# Makes the environment that the other scripts run in. They source this file, then call
#
#     require_environment run      chainrule and what it needs
#     require_environment develop  that, and what its checks and tests need
#
# The environment is .venv at the top of the repository. While it is newer than pyproject.toml and
# constraints.txt, no process is started and nothing is printed. Otherwise one line on standard
# error says what is being done; standard output stays the program's own.
#
# PYTHON=/path/to/python3 chooses the Python that a new environment is made with.
# shellcheck shell=bash

root=$(CDPATH='' cd -P -- "${BASH_SOURCE[0]%/*}/.." && pwd)
venv=$root/.venv

# There from before an installation starts until it has ended. One that was cut short leaves it
# behind, and nothing in such an environment is trusted again. At the end it becomes the stamp.
unfinished=$venv/.unfinished

require_environment() {
    is_ready "$1" || make_ready "$1"
}

# An environment holds its own path, so one that was moved or copied is of no use: the stamp says
# which folder it was made in.
is_ready() {
    local stamp=$venv/.ready-to-$1 made_in
    [[ $stamp -nt $root/pyproject.toml && $stamp -nt $root/constraints.txt ]] &&
        [[ -x $venv/bin/python && ! -e $unfinished ]] &&
        IFS= read -r made_in <"$stamp" && [[ $made_in == "$root" ]]
}

# One installation at a time. The lock is the kernel's, so it ends with whoever holds it; it is
# taken through Python because not every system has flock(1).
make_ready() {
    local purpose=$1 python
    python=$(find_python) || exit 1
    exec 9<>"$root/pyproject.toml"
    "$python" -c 'import fcntl; fcntl.flock(9, fcntl.LOCK_EX)'
    if ! is_ready "$purpose"; then
        trap 'say "chainrule: interrupted; the next start begins again."; exit 130' INT TERM
        if ! make_venv "$purpose" "$python" || ! install "$purpose"; then
            exit 1
        fi
        trap - INT TERM
    fi
    exec 9>&-
}

make_venv() {
    local purpose=$1 python=$2 reason
    rmdir -- "$venv" 2>/dev/null || true
    if [[ -e $venv ]]; then
        if [[ ! -e $unfinished ]] && has_working_pip; then
            say "chainrule: bringing .venv up to date to $purpose"
            return
        fi
        if [[ ! -e $unfinished && ! -e $venv/.ready-to-run ]]; then
            say "chainrule: $venv is there, but pip does not work in it and this script did not" \
                "make it. Move it away, then run the same command again."
            return 1
        fi
    fi
    say "chainrule: making .venv, to $purpose (once; about a minute)"
    mkdir -p -- "$venv"
    printf '%s\n' "$root" >"$unfinished"
    find "$venv" -mindepth 1 -maxdepth 1 ! -name "${unfinished##*/}" -exec rm -rf -- {} +
    if ! reason=$("$python" -m venv "$venv" 2>&1); then
        say "$reason" $'\n'"chainrule: $python could not make $venv, for the reason above."
        return 1
    fi
}

# Moved or copied, it would still run the pip of the folder that it was made in.
has_working_pip() {
    [[ $("$venv/bin/pip" --version 2>/dev/null) == *" from $venv/"* ]]
}

install() {
    local purpose=$1 extra=plot
    if [[ $purpose == develop ]]; then
        extra=dev
    fi
    printf '%s\n' "$root" >"$unfinished"
    if ! (cd -- "$root" && exec .venv/bin/python -m pip -qq --disable-pip-version-check \
        --no-input install --constraint constraints.txt --editable ".[$extra]" >&2); then
        # pip has given up by itself, and then it leaves things as they were.
        rm -f -- "$unfinished"
        say "chainrule: the installation failed, for the reason that pip gives above." \
            "Run the same command again to try once more."
        return 1
    fi
    if [[ $purpose == develop ]]; then
        cp -p -- "$unfinished" "$venv/.ready-to-run"
    fi
    mv -- "$unfinished" "$venv/.ready-to-$purpose"
}

find_python() {
    local candidate found=
    local -a candidates=(python3 python3.14 python3.13 python3.12 python3.11)
    if [[ -n ${PYTHON-} ]]; then
        candidates=("$PYTHON")
    fi
    for candidate in "${candidates[@]}"; do
        "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 ||
            continue
        found=$candidate
        if "$candidate" -c 'import ensurepip, venv' >/dev/null 2>&1; then
            printf '%s\n' "$candidate"
            return
        fi
    done
    if [[ -n $found ]]; then
        say "chainrule: $found lacks venv or pip. Install them (on Debian and Ubuntu:" \
            "apt-get install python3-venv), then run the same command again."
    elif [[ -n ${PYTHON-} ]]; then
        say "chainrule: PYTHON is $PYTHON, which is not a Python of version 3.11 or later."
    else
        say "chainrule: no Python of version 3.11 or later was found. Install one, or name it:" \
            "PYTHON=/path/to/python3 $0"
    fi
    return 1
}

say() {
    printf '%s\n' "$*" >&2
}
