#!/bin/sh
# A training step of every method that HF PEFT or AdapterHub has for gpt2-small, beside theirs on torch, alternating on this
# machine; JSON lines on standard output.
#   PEERS=python-of-the-peers PEER_DIR=folder-with-bench_peft.py [DTYPES="f32 bf16"] sh tests/bench/methods_vs_peer.sh [ROUNDS] [STEPS]
set -eu
rounds=${1:-5} steps=${2:-5}
unset OPENBLAS_CORETYPE OPENBLAS_L2_SIZE || true
for _ in $(seq "$rounds"); do
  # Ours, and the peer's name where it is another.
  for method in full bitfit lora adalora ia3 prefix prompt houlsby:adapter pfeiffer parallel:parallel-adapter compacter mam unipelt; do
    for dtype in ${DTYPES:-f32 bf16}; do
      bin/bench step --method "${method%:*}" --dtype "$dtype" --steps "$steps"
      "$PEERS" "$PEER_DIR/bench_peft.py" --method "${method#*:}" --batch 4 --seq 256 --dtype "$dtype" --steps "$steps"
    done
  done
done
