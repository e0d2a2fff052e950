# Sourced by bin/chitty and bin/test: a virtual environment beside the checkout, made and kept up to date.
# Knows nothing of what is run in it.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
venv=$root/.venv

# find_python: print the newest Python that will do.
find_python() {
    local candidate
    for candidate in "${CHITTY_PYTHON:-}" python3.13 python3.12 python3.11 python3; do
        if [ -n "$candidate" ] && "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null; then
            printf '%s\n' "$candidate"
            return
        fi
    done
    echo "chitty: needs Python 3.11, 3.12 or 3.13, and found none; name one with CHITTY_PYTHON=/path/to/python3" >&2
    return 1
}

# make_venv STAMP REQUIREMENT: make or refresh the environment, once at a time; the stamp is a copy of
# pyproject.toml, so that any change of it refreshes.
make_venv() {
    local stamp=$1 requirement=$2 python
    (
        flock 9
        if cmp -s "$root/pyproject.toml" "$stamp"; then exit 0; fi  # somebody else did, meanwhile
        python=$(find_python) || exit 1
        echo "chitty: setting up $venv with $("$python" --version), once; this takes a minute ..." >&2
        pip=("$venv/bin/python" -m pip)
        if ! "$venv/bin/python" -c 'import sys' 2>/dev/null; then
            rm -rf "$venv"
            if ! "$python" -m venv "$venv" >/dev/null 2>&1; then  # Debian's Python has pip, but no ensurepip
                rm -rf "$venv"
                "$python" -m venv --without-pip "$venv" || exit 1
            fi
        fi
        "${pip[@]}" --version >/dev/null 2>&1 || pip=("$python" -m pip --python "$venv/bin/python")
        (cd "$root" && "${pip[@]}" install --quiet --disable-pip-version-check --editable "$requirement") || {
            echo "chitty: the set-up failed; the lines above say why. Run the command again when it is mended" >&2
            exit 1
        }
        cp "$root/pyproject.toml" "$stamp"
    ) 9>"$root/.venv.lock" || exit 1
}

# need_venv NAME REQUIREMENT: return at once when the environment has the requirement already.
need_venv() {
    cmp -s "$root/pyproject.toml" "$venv/$1.stamp" || make_venv "$venv/$1.stamp" "$2"
}
