"""What HF PEFT's LoftQ (peft/utils/loftq_utils.py) makes of a small matrix, with bitsandbytes on the CPU.

PEFT itself insists on a GPU, so its loop is written out here around its own decomposition and
bitsandbytes' NF4. Run: python make_loftq.py > loftq.json
"""
import json

import bitsandbytes.functional as bnb
import torch
from peft.utils.loftq_utils import _low_rank_decomposition


def digits(x):
    return [round(v, 7) for v in x.flatten().tolist()]


def loftq(weight, rank, iterations):
    rest = weight
    for t in range(iterations):
        codes, state = bnb.quantize_4bit(rest, blocksize=64, compress_statistics=False, quant_type="nf4")
        quantized = bnb.dequantize_4bit(codes, state)
        parts = _low_rank_decomposition(weight - quantized, reduced_rank=rank)
        product = parts["L"] @ parts["R"]
        rest = weight - product
    return quantized, product


torch.manual_seed(11)
weight = torch.randn(16, 64) * 0.05 + torch.randn(16, 1) @ torch.randn(1, 64) * 0.02
weight = torch.round(weight * 10000) / 10000  # short in the file, the same in f32
plain, _ = loftq(weight, 4, 1)
out = {"rank": 4, "weight": digits(weight), "cases": []}
for iterations in (1, 4):
    quantized, product = loftq(weight, 4, iterations)
    out["cases"].append({
        "iterations": iterations,
        "quantized": digits(quantized),
        "product": digits(product),
        "error": torch.linalg.norm(weight - quantized - product).item(),
        "error_without": torch.linalg.norm(weight - plain).item(),
    })
print(json.dumps(out))
