#!/bin/sh
# Lorikeet on the CUDA device beside torch, alternating; the medians go to tests/gpu/REPORT-<device>-<date>.md.
#   [PEERS=python-with-torch-transformers-peft] sh tests/bench/gpu.sh [ROUNDS]
# BENCH names another bin/bench, MODELS other runs (shape:batch:tokens[:flags]). Without PEERS, Lorikeet alone. In the
# emulator (make EMULATE=1 bench-gpu) a dry run of all of it, peers on the CPU: its report says nothing of a GPU.
set -eu
rounds=${1:-5} bench=${BENCH:-bin/bench}
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
first=$("$bench" device --ceiling 8 --megabytes 0) # or it says that there is no device
device=$(printf '%s' "$first" | sed 's/.*"device_name":"\([^"]*\)".*/\1/')
where=cuda report=tests/gpu/REPORT-$(printf '%s' "$device" | tr -cs 'A-Za-z0-9\n' '-')-$(date +%F).md
models=${MODELS:-gpt2-small:16:1024 llama-1b:4:1024 llama-8b:4:1024:--checkpointing}
sizes= order= attention= steps='--steps 5 --warm-up 3'
if [ "$device" = emulated ]; then
  where=cpu report=build/bench-gpu-dry-run.md models=${MODELS:-llama-160m:1:4} rounds=1
  sizes='--megabytes 0' order='--ceiling 8' steps='--steps 1 --warm-up 1'
  attention='--batch 1 --seq 64 --heads 2 --kv-heads 1 --head-dim 64'
fi
measure() { # a line, or word of why there is none; the rest goes on
  "$@" >>"$out/lines" 2>"$out/error" || { echo "gpu.sh: failed, left out: $*" >&2; tail -n 3 "$out/error" >&2; }
}
peer() {
  [ -z "${PEERS:-}" ] || measure "$PEERS" tests/bench/gpu_peer.py --device $where "$@"
}
measure "$bench" kernels $sizes
for i in $(seq "$rounds"); do
  echo "gpu.sh: round $i of $rounds" >&2
  measure "$bench" device $sizes $order
  measure "$bench" attention --device cuda $attention
  peer attention $attention
  for run in $models; do
    IFS=: read -r model batch seq flags <<EOF
$run
EOF
    step="--model $model --batch $batch --seq $seq --dtype bf16 $steps $flags"
    measure "$bench" step --device cuda $step $order
    measure "$bench" step --device cuda $step $order --cuda-graphs
    peer step $step
    peer step $step --compile
  done
done
mkdir -p "$(dirname "$report")"
"${PEERS:-python3}" tests/bench/gpu_report.py "$out/lines" >"$out/report"
mv "$out/report" "$report"
echo "$report"
