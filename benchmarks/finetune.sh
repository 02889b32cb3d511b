#!/usr/bin/env bash
# What a start from a model gains: the first 1, 2 and 5 subjects of TRAIN, fine-tuned and from scratch,
# with as many steps, scored on TEST. Interrupted, the same command goes on.
#   benchmarks/finetune.sh MODEL TRAIN TEST OUT [STEPS]
set -euo pipefail
if [ $# -lt 4 ]; then
  echo "usage: $0 MODEL TRAIN TEST OUT [STEPS]" >&2
  exit 2
fi
model=$1 train=$2 test=$3 out=$4 steps=${5:-200}

score() { # a run, by its name
  [ -d "$out/models/$1/1" ] || voxres export "$out/$1" -o "$out/models/$1"
  voxres predict -m "$out/models/$1" "$test" -o "$out/seg-$1" --overwrite
  echo "== $1"
  voxres evaluate --pred "$out/seg-$1" --ref "$test" -o "$out/$1.csv" --overwrite
}

for count in 1 2 5; do
  data="$out/data$count"
  mkdir -p "$data"
  find "$train" -mindepth 1 -maxdepth 1 -type d | sort -V | head -n "$count" | while read -r subject; do
    ln -sfn "$(realpath "$subject")" "$data/$(basename "$subject")"
  done
  voxres train "$data" -o "$out/tuned$count-$steps" --init "$model" --modality-dropout 0.5 --frozen-norm \
    --steps "$steps" --cache "$out/cache"
  voxres train "$data" -o "$out/scratch$count-$steps" --preset quick --steps "$steps" --cache "$out/cache"
  score "tuned$count-$steps"
  score "scratch$count-$steps"
done
