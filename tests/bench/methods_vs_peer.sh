#!/bin/sh
# A training step of every method that HF PEFT or AdapterHub has for gpt2-small, beside theirs on torch, alternating on this
# machine; JSON lines on standard output.
#   PEERS=python-of-the-peers PEER_DIR=folder-with-bench_peft.py [DTYPES="f32 bf16"] sh tests/bench/methods_vs_peer.sh [ROUNDS] [STEPS]
set -eu
rounds=${1:-5} steps=${2:-5}
unset OPENBLAS_CORETYPE OPENBLAS_L2_SIZE || true
# $1: the peer's name; the rest: ours.
both() {
  peer=$1
  shift
  for dtype in ${DTYPES:-f32 bf16}; do
    bin/bench step --method "$@" --dtype "$dtype" --steps "$steps"
    "$PEERS" "$PEER_DIR/bench_peft.py" --method "$peer" --batch 4 --seq 256 --dtype "$dtype" --steps "$steps"
  done
}
for _ in $(seq "$rounds"); do
  for method in full bitfit lora adalora ia3 prefix prompt pfeiffer compacter mam unipelt; do both $method $method; done
  both adapter houlsby
  both parallel-adapter parallel
  both lora-all lora --target-modules all-linear
  both dora lora --dora true
  both prefix-mlp prefix --prefix-projection true
  both ptuning ptuning
done
