#!/usr/bin/env bash
# A flame graph of the matching benchmark: scripts/flame.sh OUT.svg. Needs perf and inferno (cargo install inferno).
set -euo pipefail
out=${1:-flame.svg}
for tool in perf inferno-collapse-perf inferno-flamegraph; do
  command -v "$tool" >/dev/null || {
    echo "make flame needs $tool: install perf with your system's packages, and 'cargo install inferno'" >&2
    exit 1
  }
done
perf record -o /dev/null true >/dev/null 2>&1 || {
  echo "make flame needs the right to sample: sysctl kernel.perf_event_paranoid=1" >&2
  exit 1
}
cargo bench -p openbell-kernel --bench matching --locked --no-run
binary=$(cargo bench -p openbell-kernel --bench matching --locked --no-run 2>&1 | sed -n 's/.*(\(.*\)).*/\1/p' | tail -1)
samples=$(mktemp)
trap 'rm -f "$samples"' EXIT
perf record -q -F 999 --call-graph dwarf,16384 -o "$samples" "$binary" 1000000 3 usual
perf script -i "$samples" | inferno-collapse-perf | inferno-flamegraph --title "openbell matching" >"$out"
echo "wrote $out"
