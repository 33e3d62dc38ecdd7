#!/usr/bin/env bash
# Runs under valgrind's memcheck what uses `unsafe` (tests/architecture/unsafe_allowlist.txt: the counting allocator, so the tests that
# count allocations) and what relies on unsafe code of others: rings, published books, mapped and checksummed records.
set -euo pipefail
cd "$(dirname "$0")/.."
command -v valgrind >/dev/null || { echo "valgrind is missing: apt-get install valgrind" >&2; exit 2; }

# The name of every test program cargo has built, from its own messages.
programs() {
    cargo test --no-run --locked --message-format=json "$@" 2>/dev/null |
        python3 -c 'import json, sys
for line in sys.stdin:
    found = json.loads(line)
    if found.get("executable"): print(found["executable"])'
}

check() {
    local program=$1
    shift
    echo "memcheck: $(basename "$program") $*"
    # a clock that stands still under valgrind must not fail a test: only memory is judged, by its own exit code
    valgrind --quiet --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite --fair-sched=yes \
        "$program" --test-threads=1 "$@" >/dev/null
}

checked=0
mapfile -t counting < <(grep -lE '^mod counting' crates/kernel/tests/*.rs crates/kernel/tests/*/main.rs | sed -E 's#.*/tests/([^/]+)(\.rs|/main\.rs)#\1#' | sort -u)
for test in "${counting[@]}"; do
    for program in $(programs -p openbell-kernel --test "$test"); do
        check "$program" && checked=$((checked + 1))
    done
done
for program in $(programs -p openbell-kernel --lib); do
    for part in ring:: seqlock:: journal::window record:: snapshot:: book::slab; do
        check "$program" "$part" && checked=$((checked + 1))
    done
done
echo "$checked programs, no error of memory"
