#!/bin/sh
# Builds the wheel, then shows that it stands alone: a fresh environment in which nothing but its own Python is on PATH
# (no cargo, no compiler) installs it from dist/ and runs a command from it, by default the demo.
#   scripts/wheel.sh [ARGUMENTS OF openbell ...]
#
# zig links against glibc 2.17 (manylinux2014), so the wheel runs on every distribution since 2014 without a container;
# abi3 makes the one file good for Python 3.11 and newer.
set -eu

VENV=${VENV:-.venv}
PROBE=$PWD/build/wheel
[ $# -gt 0 ] || set -- demo

case $(uname -s) in
Linux) platform="--zig --compatibility manylinux_2_17" ;;
*) platform="" ;;
esac

rm -rf dist/openbell-*.whl "$PROBE"
# shellcheck disable=SC2086 # the words of $platform are separate arguments
"$VENV/bin/maturin" build --quiet --release --locked --strip $platform --out dist
wheel=$(ls dist/openbell-*.whl)
echo "built $wheel ($(du -k "$wheel" | cut -f1) KiB)"

mkdir -p "$PROBE/folder"
"$VENV/bin/python" -m venv "$PROBE/venv"

# Nothing but this environment is on PATH, and no other variable is set.
alone() {
    env -i HOME="$PROBE/folder" PATH="$PROBE/venv/bin" "$@"
}

# pip keeps the machine's index and certificates, in files or variables; cargo and compilers are out of its reach.
PATH="$PROBE/venv/bin" "$PROBE/venv/bin/python" -m pip install --only-binary :all: --quiet --disable-pip-version-check "$PWD/$wheel"
cd "$PROBE/folder"
alone "$PROBE/venv/bin/python" -c 'import openbell._kernel as k; print("installed", k.__file__)'
alone "$PROBE/venv/bin/openbell" "$@"
echo "the wheel stands alone: openbell $* ran without cargo in an empty environment"
