#!/bin/sh
# Tokenizers beside Hugging Face's `tokenizers` (Rust) on one thread, the same lines, alternating on this machine; JSON lines on
# standard output. `tokens` and `sum` of the ids must agree.
#   PEERS=python-with-tokenizers sh tests/bench/tokenizer_vs_peer.sh TEXT TOKENIZER.json... [ROUNDS=5 in the environment]
set -eu
text=$1
shift
for i in $(seq "${ROUNDS:-5}"); do
  for tokenizer; do
    bin/bench tokenize --tokenizer "$tokenizer" --text "$text"
    RAYON_NUM_THREADS=1 TOKENIZERS_PARALLELISM=false "$PEERS" - "$tokenizer" "$text" <<'PYTHON'
import json, sys, time
from tokenizers import Tokenizer

tokenizer = Tokenizer.from_file(sys.argv[1])
tokenizer.no_truncation()
tokenizer.no_padding()
with open(sys.argv[2], newline="\n") as f:
    lines = f.read().removesuffix("\n").split("\n")
encodings = []
start = time.perf_counter()
for i in range(0, len(lines), 1024):
    encodings += tokenizer.encode_batch_fast(lines[i:i + 1024], add_special_tokens=False)
seconds = time.perf_counter() - start
ids = [e.ids for e in encodings]
tokens, total = sum(map(len, ids)), sum(map(sum, ids))
size = sum(len(line.encode()) for line in lines)
print(json.dumps({"who": "tokenizers", "tokenizer": sys.argv[1], "lines": len(lines), "bytes": size, "tokens": tokens,
                  "sum": total, "seconds": seconds, "mb_per_s": size / seconds / 1e6}), flush=True)
PYTHON
  done
done
