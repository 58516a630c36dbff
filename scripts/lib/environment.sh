# Makes the environment that the other scripts run in. Sourced, never run.
#
# environment KIND: KIND is `runtime` (what fleetplan needs) or `development` (that, and what tests and checks need).
# Says on stderr what it does; prints nothing on stdout. The second time it only compares a stamp.

root=$(cd -P "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../.." && pwd)
venv=$root/.venv

say() { printf 'fleetplan: %s\n' "$*" >&2; }

die() {
    say "$*"
    exit 2
}

# A Python that will do: 3.11 or later, and not of the environment itself (somebody may have activated it), which may have to go.
find_python() {
    local name PATH=${PATH//"$venv/bin:"/}
    for name in python3 python3.14 python3.13 python3.12 python3.11; do
        if command -v "$name" >/dev/null && "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$name"
            return
        fi
    done
    die "needs Python 3.11 or later; found $(python3 --version 2>/dev/null || echo none). Install one and run this again."
}

# What an environment of this kind must have been made from. A changed link to another Python changes the real path.
stamp_of() {
    printf '%s %s %s %s' "$1" "$root" "$(readlink -f "$venv/bin/python")" "$(cksum <"$root/pyproject.toml")"
}

# While packages are installed a marker lies there: an environment that still has it was interrupted, and nothing in it is trusted.
current() {
    [ ! -e "$venv/.unfinished" ] && [ -x "$venv/bin/python" ] && [ "$(cat "$venv/.made-for-$1" 2>/dev/null)" = "$(stamp_of "$1")" ]
}

development_packages() {
    "$venv/bin/python" - "$root/pyproject.toml" <<'PYTHON'
import sys, tomllib
with open(sys.argv[1], "rb") as file:
    print("\n".join(tomllib.load(file)["dependency-groups"]["dev"]))
PYTHON
}

make_environment() {
    local kind=$1 python packages package status=0
    python=$(find_python) || exit 2
    # Without this an interrupt that pip handles would look like an install that failed in good order.
    trap 'exit 130' INT TERM
    # Programs in an environment name its path: after the checkout has moved they do not run any more.
    if [ -e "$venv/.unfinished" ] || [ "$(cat "$venv/.made-in" 2>/dev/null)" != "$root" ] ||
        ! "$venv/bin/python" -c 'import pip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        say "making an environment in $venv ($("$python" --version))"
        rm -rf "$venv"
        "$python" -m venv "$venv" >&2 || die "cannot make an environment: $python has no venv module (on Debian: apt install python3-venv)"
    fi
    printf '%s' "$root" >"$venv/.made-in"
    say "installing fleetplan and the libraries that it needs (once; this takes a minute)"
    local wanted=(--editable "$root")
    if [ "$kind" = development ]; then
        say "installing what the tests need"
        packages=$(development_packages) || die "cannot read the dependency group \`dev\` of $root/pyproject.toml"
        while IFS= read -r package; do wanted+=("$package"); done <<<"$packages"
    fi
    : >"$venv/.unfinished"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check "${wanted[@]}" >&2 || status=$?
    if [ "$status" -gt 0 ]; then
        # pip installs nothing until it has everything, so what was there is still good; unless pip itself was killed.
        [ "$status" -gt 128 ] || rm -f "$venv/.unfinished"
        die "could not install; a package index must be within reach the first time"
    fi
    "$venv/bin/python" -m compileall -q "$root/fleetplan" >&2 || true
    stamp_of runtime >"$venv/.made-for-runtime"
    if [ "$kind" = development ]; then
        stamp_of development >"$venv/.made-for-development"
    fi
    rm -f "$venv/.unfinished"
    trap - INT TERM
    say "ready"
}

environment() {
    local kind=$1
    current "$kind" && return
    # One at a time: a second first run waits for the first, and then finds the stamp.
    [ -w "$root" ] || die "cannot set up: $root is not writable. Install it with pip instead."
    if command -v flock >/dev/null; then
        exec 9>"$root/.venv.lock"
        flock 9
    else
        until mkdir "$root/.venv.lock.d" 2>/dev/null; do sleep 1; done
        trap 'rmdir "$root/.venv.lock.d" 2>/dev/null' EXIT
    fi
    current "$kind" || make_environment "$kind"
    if command -v flock >/dev/null; then
        exec 9>&-
    else
        rmdir "$root/.venv.lock.d"
        trap - EXIT
    fi
}
