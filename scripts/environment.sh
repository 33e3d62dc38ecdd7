#!/bin/sh
# Makes the project's own environment (.venv) and says in one line what the machine lacks.
#   scripts/environment.sh check            Python and cargo are there and new enough
#   scripts/environment.sh create           .venv with uv in it
#   scripts/environment.sh install [GROUP]  the locked runtime dependencies, and those of a dependency group
# Nothing is installed outside the project folder. The index, certificates and proxies configured for pip are used.
set -eu

UV_VERSION=0.13.8
VENV=${VENV:-.venv}

fail() {
    printf '\nopenbell: %s\n' "$1" >&2
    shift
    for line in "$@"; do printf '          %s\n' "$line" >&2; done
    printf '\n' >&2
    exit 1
}

is_new_enough_python() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

# Prints the interpreter to use: $PYTHON when given, else the first of the usual names that is at least 3.11.
find_python() {
    if [ -n "${PYTHON:-}" ]; then
        is_new_enough_python "$PYTHON" || fail "PYTHON=$PYTHON is not a working Python 3.11 or newer."
        echo "$PYTHON"
        return
    fi
    for candidate in python3 python3.14 python3.13 python3.12 python3.11 python; do
        if is_new_enough_python "$candidate"; then
            echo "$candidate"
            return
        fi
    done
    found=$(python3 --version 2>/dev/null || echo "no python3 on PATH")
    fail "Python 3.11 or newer is needed; found: $found." \
        "Debian, Ubuntu: apt-get install python3 python3-venv    Fedora: dnf install python3    macOS: brew install python" \
        "Already installed elsewhere? Name it: make PYTHON=/path/to/python3.12"
}

check_cargo() {
    command -v cargo >/dev/null 2>&1 || fail "cargo (the Rust toolchain) is needed to compile the engine and is not on PATH." \
        "Get it from https://rustup.rs, or with your distribution's packages if they are recent, then open a new shell."
    needed=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
    found=$(rustc --version 2>/dev/null | cut -d' ' -f2)
    [ -n "$found" ] || fail "cargo is there but rustc does not run." "With rustup: rustup default stable"
    oldest=$(printf '%s\n%s\n' "$needed" "$found" | sort -t. -k1,1n -k2,2n | head -n 1)
    [ "$oldest" = "$needed" ] || fail "Rust $needed or newer is needed; found $found." "With rustup: rustup update stable"
    command -v cc >/dev/null 2>&1 || fail "a C linker (cc) is needed by cargo and is not on PATH." \
        "Debian, Ubuntu: apt-get install build-essential    Fedora: dnf install gcc    macOS: xcode-select --install"
}

create() {
    python=$(find_python)
    if [ -x "$VENV/bin/python" ] && ! is_new_enough_python "$VENV/bin/python"; then
        rm -rf "$VENV" # its interpreter has gone or is too old
    fi
    if ! "$VENV/bin/python" -m pip --version >/dev/null 2>&1; then
        "$python" -m venv "$VENV" || fail "$python cannot make a virtual environment." \
            "Debian, Ubuntu: apt-get install python3-venv"
    fi
    "$VENV/bin/python" -m pip install --quiet --disable-pip-version-check "uv==$UV_VERSION" ||
        fail "pip could not install uv $UV_VERSION into $VENV." \
            "Is the package index reachable? A mirror or a certificate is set with: pip config set global.index-url|cert ..."
}

# uv does not read pip's configuration; whoever set up pip for this machine has said all that is needed.
use_pip_settings() {
    for setting in index-url extra-index-url find-links cert proxy; do
        value=$("$VENV/bin/python" -m pip config get "global.$setting" 2>/dev/null ||
            "$VENV/bin/python" -m pip config get "install.$setting" 2>/dev/null || true)
        [ -n "$value" ] || continue
        case $setting in
        index-url) export UV_DEFAULT_INDEX="${UV_DEFAULT_INDEX:-$value}" ;;
        extra-index-url) export UV_INDEX="${UV_INDEX:-$value}" ;;
        find-links) export UV_FIND_LINKS="${UV_FIND_LINKS:-$value}" ;;
        cert) export SSL_CERT_FILE="${SSL_CERT_FILE:-$value}" ;;
        proxy) export HTTPS_PROXY="${HTTPS_PROXY:-$value}" ;;
        esac
    done
    export UV_DEFAULT_INDEX="${UV_DEFAULT_INDEX:-${PIP_INDEX_URL:-https://pypi.org/simple}}"
    export SSL_CERT_FILE="${SSL_CERT_FILE:-${PIP_CERT:-}}"
    [ -n "$SSL_CERT_FILE" ] || unset SSL_CERT_FILE
    export UV_SYSTEM_CERTS=true UV_PYTHON_DOWNLOADS=never UV_HTTP_TIMEOUT="${UV_HTTP_TIMEOUT:-180}"
}

# The lock names files of the default index; exporting it first lets a mirror serve the same files, checked by hash.
install() {
    group=${1:-}
    use_pip_settings
    requirements=$VENV/requirements${group:+-$group}.txt
    "$VENV/bin/uv" export --quiet --frozen --no-emit-project ${group:+--group "$group"} --output-file "$requirements"
    "$VENV/bin/uv" pip install --python "$VENV/bin/python" --require-hashes --requirements "$requirements"
}

# Writes uv.lock anew from pyproject.toml.
lock() {
    use_pip_settings
    UV_DEFAULT_INDEX=https://pypi.org/simple "$VENV/bin/uv" lock "$@"
}

case ${1:-} in
check) find_python >/dev/null && check_cargo ;;
create) create ;;
install) install "${2:-}" ;;
lock) shift && lock "$@" ;;
*) fail "usage: scripts/environment.sh check | create | install [GROUP] | lock [ARGUMENTS OF uv lock]" ;;
esac
