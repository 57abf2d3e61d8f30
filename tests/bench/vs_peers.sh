#!/bin/sh
# Lorikeet beside HF PEFT on torch, alternating on this machine; JSON lines on standard output.
#   PEERS=python-of-the-peers PEER_DIR=folder-with-bench_peft.py sh tests/bench/vs_peers.sh [ROUNDS]
set -eu
rounds=${1:-5}
unset OPENBLAS_CORETYPE OPENBLAS_L2_SIZE || true
for i in $(seq "$rounds"); do
  for model in gpt2-small llama-160m; do
    for dtype in f32 bf16; do
      bin/bench step --model $model --dtype $dtype
      "$PEERS" "$PEER_DIR/bench_peft.py" --model $model --method lora --batch 4 --seq 256 --dtype $dtype
    done
  done
  bin/bench generate --model llama-160m --dtype bf16
  "$PEERS" "$PEER_DIR/bench_generate.py" --model llama-160m --dtype bf16
done
