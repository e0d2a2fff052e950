# Sourced by bin/chitty and bin/test: a virtual environment in the checkout, made for it and kept up to date.
# Knows nothing of what is run in it. Python is always started so that neither the directory of the call nor
# PYTHONPATH can put modules in its way.

root=$(cd "${BASH_SOURCE[0]%/*}/.." && pwd -P)
venv=$root/.venv

# find_python: print the path of the newest Python that will do.
find_python() {
    local candidate
    for candidate in "${CHITTY_PYTHON:-}" python3.13 python3.12 python3.11 python3; do
        if [ -n "$candidate" ] && "$candidate" -I -c '
import sys
if not (3, 11) <= sys.version_info < (3, 14): sys.exit(1)
print(sys.executable)' 2>/dev/null; then
            return
        fi
    done
    echo "chitty: needs Python 3.11, 3.12 or 3.13, and found none; name one with CHITTY_PYTHON=/path/to/python3" >&2
    return 1
}

# is_ours: whether the environment was made at this path. One that was copied or moved has the old path in its
# scripts, and runs the code of another checkout.
is_ours() {
    [ -x "$venv/bin/python" ] && [ -r "$venv/pyvenv.cfg" ] || return 1
    [[ $'\n'$(<"$venv/pyvenv.cfg")$'\n' == *$'\n''command = '*" $venv"$'\n'* ]]
}

# runs_checkout: whether the environment's Python imports chitty from this checkout.
runs_checkout() {
    "$venv/bin/python" -I -c '
import os, sys
import chitty
sys.exit(os.path.dirname(os.path.dirname(os.path.realpath(chitty.__file__))) != sys.argv[1])' "$root" 2>/dev/null
}

# is_current STAMP: whether the environment is this checkout's and has what its pyproject.toml asks for, of which
# the stamp is a copy. Python is asked only when something was installed or removed after the stamp.
is_current() {
    local stamp=$venv/$1.stamp packages
    cmp -s "$root/pyproject.toml" "$stamp" && is_ours || return 1
    for packages in "$venv"/lib/python3.*/site-packages; do
        [ ! "$packages" -nt "$stamp" ] && continue
        runs_checkout || return 1
        touch "$stamp" 2>/dev/null || true  # who may only read asks again the next time
    done
}

# check_ours: whether the environment may be made or changed here, or else who may.
check_ours() {
    local place=$root owner
    [ -e "$root/.venv.lock" ] && place=$root/.venv.lock
    [ -w "$place" ] && { [ ! -e "$venv" ] || [ -w "$venv" ]; } && return
    owner=$(stat -c %U "$root")
    echo "chitty: $root belongs to $owner, and the environment in it has to be set up, which $(id -un) may not do:" \
        "run bin/chitty there as $owner, or make a checkout of your own" >&2
    return 1
}

# make_venv EXTRA STAMP...: make or refresh the environment, with an extra of the package; one call at a time.
make_venv() {
    local extra=$1 python stamp
    shift
    check_ours || exit 1
    (
        flock 9
        if is_current "$1"; then exit 0; fi  # another call has made it meanwhile
        python=$(find_python) || exit 1
        cd "$root" || exit 1
        unset PYTHONPATH PYTHONHOME  # they would reach the processes that pip starts
        echo "chitty: setting up $venv with $("$python" --version) and the packages that all commands need," \
            "once; this takes a minute ..." >&2
        if ! is_ours || ! "$venv/bin/python" -I -c '' 2>/dev/null; then
            rm -rf "$venv"
            if ! "$python" -EP -m venv "$venv" >/dev/null 2>&1; then  # Debian's Python has pip, but no ensurepip
                rm -rf "$venv"
                "$python" -EP -m venv --without-pip "$venv" || exit 1
            fi
        fi
        pip=("$venv/bin/python" -I -m pip)
        "${pip[@]}" --version >/dev/null 2>&1 || pip=("$python" -EP -m pip --python "$venv/bin/python")
        "${pip[@]}" install --quiet --disable-pip-version-check --editable ".[$extra]" || {
            echo "chitty: the set-up failed; the lines above say why. Run the command again when it is fixed" >&2
            exit 1
        }
        runs_checkout || {
            echo "chitty: $venv does not import chitty from $root: remove $venv and run the command again" >&2
            exit 1
        }
        for stamp in "$@"; do cp "$root/pyproject.toml" "$venv/$stamp.stamp"; done
    ) 9>"$root/.venv.lock" || exit 1
}

# need_venv EXTRA STAMP...: return at once when the environment is current by the first stamp; all are written.
need_venv() {
    is_current "$2" || make_venv "$@"
}
