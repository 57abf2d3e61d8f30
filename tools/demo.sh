#!/bin/sh
# The main job, from the shipped base to a merged model. `make demo` builds and calls this.
set -eu
# Threads spin shortly while they wait: long spinning would starve others where other programs use the cores too.
export GOMP_SPINCOUNT=${GOMP_SPINCOUNT:-10000}
out=${1:-build/demo}
rm -rf "$out"
echo "== Fine-tune data/base on data/demo/train.jsonl with LoRA =="
bin/finetune --model data/base --train data/demo/train.jsonl --dev data/demo/dev.jsonl --output "$out" --method lora --rank 4 --alpha 16 \
  --target-modules all-linear --epochs 2 --batch-size 16 --group-by-length --lr 5e-3 --dtype f32
echo
echo "== Held out for good: data/demo/test.jsonl =="
printf 'base:    '
bin/evaluate --model data/base --data data/demo/test.jsonl --limit 100
printf 'adapter: '
bin/evaluate --adapter "$out/adapter" --data data/demo/test.jsonl --limit 100 --predictions "$out/predictions.jsonl"
echo
echo "== Merge, and compare the texts =="
bin/merge --adapter "$out/adapter" --output "$out/merged"
bin/evaluate --model "$out/merged" --data data/demo/test.jsonl --limit 100 --predictions "$out/predictions-merged.jsonl"
if cmp -s "$out/predictions.jsonl" "$out/predictions-merged.jsonl"; then
  echo "the merged model gives the same 100 texts"
else
  echo "the merged model's texts differ: diff $out/predictions.jsonl $out/predictions-merged.jsonl" >&2
  exit 1
fi
echo
echo "Try it:  bin/generate --adapter $out/adapter --prompt 'name: The Odd Spoon | type: pub | food: Thai | area: old town'"
bin/generate --adapter "$out/adapter" --prompt 'name: The Odd Spoon | type: pub | food: Thai | area: old town'
