#!/bin/sh
# 4 bits beside HF PEFT and bitsandbytes on torch, and generation beside bf16, alternating on this machine; JSON lines on standard
# output.
#   PEERS=python-of-the-peers PEER_DIR=folder-with-bench_quant.py sh tests/bench/qlora_vs_peer.sh [ROUNDS]
set -eu
rounds=${1:-5}
unset OPENBLAS_CORETYPE OPENBLAS_L2_SIZE || true
for _ in $(seq "$rounds"); do
  bin/bench quant
  "$PEERS" "$PEER_DIR/bench_quant.py"
  for dtype in f32 bf16; do
    bin/bench step --model llama-160m --method qlora --rank 8 --quant nf4 --double-quant --dtype $dtype
    "$PEERS" "$PEER_DIR/bench_peft.py" --model llama-160m --method qlora --batch 4 --seq 256 --dtype $dtype
  done
  bin/bench generate --model llama-3b --dtype bf16 --prompt 1 --new 16
  bin/bench generate --model llama-3b --dtype bf16 --quant nf4 --prompt 1 --new 16
done
