#!/usr/bin/env python3
"""The lines of a run of gpu.sh as a document: medians over its rounds."""
import datetime, json, platform, statistics, subprocess, sys


def said_by(*command):
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def table(head, rows):
    print("| " + " | ".join(head) + " |")
    print("|" + "".join("---|" if name in ("", "op", "shape", "who") else "---:|" for name in head))
    for row in rows:
        print("| " + " | ".join(row) + " |")
    print()


with open(sys.argv[1]) as file:
    lines = [json.loads(line) for line in file]
groups = {}  # lines of what was measured alike, in the order of the first ones
for line in lines:
    key = tuple(line.get(k) for k in ("bench", "who", "model", "op", "shape", "batch", "seq", "dtype", "compile", "checkpointing", "cuda_graphs"))
    groups.setdefault(key, []).append(line)


def median(group, field):
    return statistics.median(line[field] for line in group)


def of(bench):
    return [group for group in groups.values() if group[0].get("bench", "step") == bench]


def name(line):
    if line["who"] == "lorikeet":
        return "Lorikeet" + (", CUDA graphs" if line.get("cuda_graphs") else "")
    return "torch" + (", compiled" if line.get("compile") else "")


device = of("device")
if not device:
    sys.exit("gpu_report: no line says what the device reaches; what failed stands above")
device = device[0]
emulated = device[0]["device_name"] == "emulated"
torch = next((line["torch"] for line in lines if "torch" in line), "none")
print("# DRY RUN IN THE EMULATOR: no figure here says anything of a GPU\n" if emulated else f"# {device[0]['device_name']}\n")
print(f"{datetime.date.today()}, commit {said_by('git', 'describe', '--always', '--dirty')}, driver "
      f"{said_by('nvidia-smi', '--query-gpu=driver_version', '--format=csv,noheader')}, torch {torch}, "
      f"{platform.processor() or platform.machine()}. Made by tests/bench/gpu.sh: medians of {len(device)} rounds, Lorikeet and torch "
      "alternating.\n")
print(f"Measured peaks of this device: {median(device, 'gemm_bf16_gflops') / 1e3:.4g} TFLOP/s in bf16 and "
      f"{median(device, 'gemm_f32_gflops') / 1e3:.4g} in f32 (cuBLASLt, products of order {device[0]['order']}, normal numbers); "
      f"{median(device, 'copy_gb_per_s'):.4g} GB/s read and written by a copy within its memory.\n")

print("## A step of LoRA (query and value, rank 8, AdamW), bf16, random weights\n")
print("mfu: the step's matrix products as they run (those made again by checkpointing too) and attention's, at the measured bf16 peak.\n")
alone = {(g[0]["model"], g[0]["batch"], g[0]["seq"]): median(g, "tokens_per_s") for g in of("step")
         if g[0]["who"] == "lorikeet" and not g[0]["cuda_graphs"]}
rows = []
for group in of("step"):
    line, rate = group[0], median(group, "tokens_per_s")
    ours = alone.get((line["model"], line["batch"], line["seq"]))
    rows.append([f"{line['model']}, {line['batch']} x {line['seq']}" + (", checkpointing" if line["checkpointing"] else ""),
                 name(line), f"{rate:.0f}", f"{ours / rate:.2f}x" if ours and line["who"] == "torch" else "",
                 f"{median(group, 'peak_device_mb') / 1024:.1f} GB", f"{median(group, 'mfu'):.2f}" if "mfu" in line else "",
                 f"{len(group)}"])
table(["", "who", "tokens/s", "Lorikeet beside it", "tensors there", "mfu", "rounds"], rows)

print("## Attention, causal, bf16\n")
rows = []
for group in of("attention"):
    line = group[0]
    rows.append([f"{line['batch']} x {line['seq']}, {line['heads']} heads of {line['head_dim']}, {line['kv_heads']} of keys",
                 name(line) + ("'s scaled_dot_product_attention" if line["who"] == "torch" else ""),
                 f"{median(group, 'forward_tflops'):.4g}", f"{median(group, 'backward_tflops'):.4g}", f"{len(group)}"])
table(["", "who", "forward TFLOP/s", "backward TFLOP/s", "rounds"], rows)

print("## Kernels: bytes that each must move, over its time, beside the copy\n")
print("Operands are zeros, and larger than the caches.\n")
table(["op", "shape", "us", "GB/s", "of the copy"],
      [[g[0]["op"], g[0]["shape"], f"{median(g, 'microseconds'):.1f}", f"{median(g, 'gb_per_s'):.0f}", f"{median(g, 'of_copy'):.2f}"]
       for g in of("kernels") if not g[0]["op"].startswith("attention")])
