#!/usr/bin/env bash
# A flame graph of the matching benchmark's usual flow: scripts/flame.sh OUT.svg. Needs cargo and Python, and one of
#   perf      samples the release build as it runs, where the system lets us sample;
#   valgrind  counts the instructions of a smaller run instead: no times, but the same on every machine.
# inferno, which draws the graph, is built into target/ from its pinned version.
set -euo pipefail
out=${1:-flame.svg}
inferno_version=0.12.8
tools=$PWD/target/flame-tools
python=${VENV:-.venv}/bin/python
stacks=$(mktemp)
record=$(mktemp)
trap 'rm -f "$stacks" "$record"' EXIT

if [ ! -x "$tools/$inferno_version/bin/inferno-flamegraph" ]; then
  echo "building inferno $inferno_version into target/ (a minute, once)"
  cargo install inferno --version "$inferno_version" --locked --quiet --root "$tools/$inferno_version" \
    --target-dir "$tools/build"
fi
inferno=$tools/$inferno_version/bin

cargo bench -p openbell-kernel --bench matching --locked --no-run
binary=$(cargo bench -p openbell-kernel --bench matching --locked --no-run --message-format=json 2>/dev/null |
  "$python" -c 'import json, sys
lines = [json.loads(line) for line in sys.stdin if line.startswith("{")]
print([line["executable"] for line in lines if line.get("executable")][-1])')

why_not_perf=
if ! command -v perf >/dev/null; then
  why_not_perf="perf is not installed (Debian and Ubuntu: linux-perf or linux-tools)"
elif ! perf record -q -e cpu-clock -o "$record" true >/dev/null 2>&1; then
  why_not_perf="perf may not sample here: sysctl kernel.perf_event_paranoid=1"
fi

# cpu-clock: the one event that virtual machines have too.
if [ -z "$why_not_perf" ]; then
  perf record -q -e cpu-clock -F 1999 --call-graph dwarf,4096 -o "$record" "$binary" 500000 3 usual
  perf script -i "$record" 2>/dev/null | "$inferno/inferno-collapse-perf" >"$stacks"
  title="openbell matching, CPU time" unit=samples
elif command -v valgrind >/dev/null; then
  echo "$why_not_perf; counting instructions with valgrind instead"
  valgrind --tool=callgrind --separate-callers=24 --compress-strings=no --compress-pos=no \
    --callgrind-out-file="$record" "$binary" 50000 1 usual 2>/dev/null
  "$python" -m benchmarks.fold_callgrind "$record" >"$stacks"
  title="openbell matching, instructions" unit=instructions
else
  echo "make flame needs perf or valgrind: $why_not_perf, and valgrind is not installed" >&2
  exit 1
fi
"$inferno/inferno-flamegraph" --title "$title" --countname "$unit" "$stacks" >"$out"
echo "wrote $out: $(wc -l <"$stacks") stacks"
