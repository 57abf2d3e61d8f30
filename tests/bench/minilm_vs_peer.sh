#!/bin/sh
# A whole job, MiniLM on a classification set, Lorikeet beside HF PEFT on torch: same data, same hyperparameters, alternating,
# seeds 0, 1, ...; JSON lines on standard output.
#   PEERS=python-of-the-peers PEER_DIR=folder-with-bench_real.py MODEL=minilm-folder sh tests/bench/minilm_vs_peer.sh train.tsv dev.tsv [SEEDS]
set -eu
train=$1 dev=$2 seeds=${3:-3}
unset OPENBLAS_CORETYPE OPENBLAS_L2_SIZE || true
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
ours() { # ours DTYPE SEED
  begin=$(date +%s.%N)
  bin/finetune --model "$MODEL" --train "$train" --dev "$dev" --output "$out/run" --method lora --rank 8 --alpha 16 \
    --target-modules query,value --epochs 3 --batch-size 32 --lr 1e-3 --warmup-ratio 0.06 --weight-decay 0.01 --max-length 64 \
    --truncate --no-baseline --dtype "$1" --seed "$2" >"$out/log"
  end=$(date +%s.%N)
  accuracy=$(sed -n 's/.*held out after: *accuracy \([0-9.]*\).*/\1/p' "$out/log")
  memory=$(sed -n 's/.*peak memory \(.*\)/\1/p' "$out/log")
  printf '{"who":"lorikeet","dtype":"%s","seed":%s,"accuracy":%s,"whole_s":%.1f,"peak_memory":"%s"}\n' \
    "$1" "$2" "$accuracy" "$(awk "BEGIN { print $end - $begin }")" "$memory"
  rm -rf "$out/run"
}
for seed in $(seq 0 $((seeds - 1))); do
  ours f32 "$seed"
  "$PEERS" "$PEER_DIR/bench_real.py" --train "$train" --dev "$dev" --seed "$seed"
  ours bf16 "$seed"
done
