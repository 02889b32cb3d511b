#!/usr/bin/env bash
# people10: five training and five test subjects of ten people, in MRBrainS13's layout.
#   benchmarks/people10.sh MAPS OUT
# MAPS holds the label maps that benchmarks/people10.sha256 lists; see benchmarks/README.md.
set -euo pipefail
if [ $# -ne 2 ]; then
  echo "usage: $0 MAPS OUT" >&2
  exit 2
fi
sums=$(cd "$(dirname "$0")" && pwd)/people10.sha256
check=(sha256sum)
command -v sha256sum >/dev/null || check=(shasum -a 256)
(cd "$1" && "${check[@]}" --check --quiet "$sums")
anatomies=()
while read -r _ name; do
  anatomies+=(--anatomies "$1/$name")
done <"$sums"
exec voxres phantom "$2" --subjects 5 --test-subjects 5 --seed 10 "${anatomies[@]}"
