#!/bin/bash
# Full fine-tuning of gpt2-small's shape under a memory limit that the kernel enforces (a memory cgroup): with AdamW's states in
# memory it is killed, with them in a paged file it goes on. Needs root, or a systemd session of the user.
#   tests/bench/paged_limit.sh [MEGABYTES=1700]
set -eu
cd "$(dirname "$0")/../.."
megabytes=${1:-1700}
group=/sys/fs/cgroup/memory/lorikeet-$$

limited() {
  if [ -w /sys/fs/cgroup/memory ]; then  # cgroup v1
    mkdir "$group"
    echo "${megabytes}M" > "$group/memory.limit_in_bytes"
    (echo "$BASHPID" > "$group/cgroup.procs" && exec "$@") && status=0 || status=$?
    rmdir "$group"
    return $status
  fi
  [ "$(id -u)" = 0 ] && of= || of=--user
  # shellcheck disable=SC2086  # nothing, or --user
  systemd-run $of --quiet --scope -p MemoryMax="${megabytes}M" -p MemorySwapMax=0 "$@"
}

echo "full fine-tuning, gpt2-small, f32, batch 1, 256 tokens; limit $megabytes MB"
for optimizer in adamw paged-adamw; do
  status=0
  out=$(limited bin/bench step --model gpt2-small --method full --batch 1 --seq 256 --steps 5 --warm-up 2 --optimizer $optimizer) || status=$?
  case $status in
    0) echo "$optimizer: $(echo "$out" | grep -o '"step_ms":[0-9.]*\|"optimizer_ms":[0-9.]*\|"peak_rss_mb":[0-9]*' | tr '\n' ' ')" ;;
    137) echo "$optimizer: killed, out of memory" ;;
    *) echo "$optimizer: ended with $status" ;;
  esac
done
