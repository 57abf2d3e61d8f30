#!/bin/sh
# sh tests/fuzz/run.sh FOLDER TARGET SECONDS: runs FOLDER/TARGET so long, on FOLDER/seeds/TARGET and what
# it made of them in earlier runs (FOLDER/corpus). Prints how many inputs it ran; one that is a finding stays
# in FOLDER/found, and the exit code is then 1.
set -eu
folder=$1 target=$2 seconds=$3 length=4096

case $target in
  safetensors) readers="engine/files/safetensors.cc engine/dtype.cc" ;;
  torch_file) readers="engine/files/torch_file.cc engine/files/pickle.cc engine/files/zip.cc" ;;
  config) readers="$(echo nn/config*.cc nn/models/*.cc) nn/rope.cc nn/load.cc" ;;
  tokenizer) readers=$(echo data/tokenizer/*.cc) ;;
  chat_template) readers=$(echo data/jinja/*.cc) ;;
  adapter) readers=$(echo peft/*.cc) length=32768 ;;
  *) echo "run.sh: which sources read what $target is given?" >&2 && exit 2 ;;
esac
mkdir -p "$folder/corpus/$target" "$folder/found" "$folder/tmp"
# The fuzzer's dictionary: the words in quotes of the sources.
# shellcheck disable=SC2086
grep -oh '"[A-Za-z0-9_.%{}# -]\{1,40\}"' $readers | sort -u > "$folder/$target.dict"

log=$folder/$target.log
status=0
TMPDIR=$folder/tmp OMP_NUM_THREADS=1 ASAN_OPTIONS=quarantine_size_mb=8 "$folder/$target" \
  -max_total_time="$seconds" -max_len=$length -timeout=10 -rss_limit_mb=1024 -malloc_limit_mb=256 \
  -dict="$folder/$target.dict" -print_final_stats=1 -artifact_prefix="$folder/found/$target-" \
  "$folder/corpus/$target" "$folder/seeds/$target" > "$log" 2>&1 || status=1
runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
if [ $status = 0 ]; then
  echo "fuzz $target: $runs inputs in $seconds s, nothing found"
else
  grep -E '^==|runtime error|broken invariant|what\(\)' "$log" | head -n 5
  echo "fuzz $target: after ${runs:-some} inputs one that is a finding:" \
    "$(sed -n 's/.*Test unit written to //p' "$log") (see $log)"
fi
exit $status
