"""quantization/: bytes, states and restored values of bitsandbytes on the CPU. Rows are a multiple of the
block, or their length is none of 16: with others its code for AVX-512 takes the factor of another block."""
import shutil

import bitsandbytes as bnb
import bitsandbytes.functional as F
import torch

import tiny

EXACT = {"packed": "exact", "dequantised": "exact"}
BLOCKWISE = [  # kind, type, block, double quantization, shape
    ("nf4", "float32", 64, True, (12, 64)),
    ("nf4", "bfloat16", 128, False, (5, 77)),
    ("nf4", "bfloat16", 256, False, (3, 256)),
    ("fp4", "float16", 64, True, (5, 77)),
    ("fp4", "float32", 128, False, (4, 128)),
]
EIGHT_BITS = [(True, 64, 501), (False, 256, 601)]  # signed, block, length


def codebooks():
    maps = {"nf4": F.get_4bit_type("nf4", device="cpu"), "fp4": F.get_4bit_type("fp4", device="cpu"),
            "dynamic_signed": F.create_dynamic_map(True), "dynamic_unsigned": F.create_dynamic_map(False)}
    return {f"codebook.{k}": v for k, v in maps.items()}, {"tolerance": {"exact": True}}


def blockwise(kind, dtype, block, double, shape):
    w = (torch.randn(shape) * torch.rand(shape[0], 1)).to(getattr(torch, dtype))
    packed, state = F.quantize_4bit(w, blocksize=block, quant_type=kind, compress_statistics=double)
    out = {"in.w": w, "out.packed": packed, "out.absmax": state.absmax,
           "out.dequantised": F.dequantize_4bit(packed, state)}
    if double:
        restored = F.dequantize_blockwise(state.absmax, state.state2) + state.offset
        out |= {"out.nested_absmax": state.state2.absmax, "out.offset": state.offset.reshape(1),
                "out.absmax_restored": restored}
    return out, {"quant_type": kind, "blocksize": block, "double": double, "dtype": dtype,
                 "shape": list(shape), "nested_blocksize": 256 if double else None, "tolerance": EXACT}


def eight_bits(signed, block, length):
    x = torch.randn(length) if signed else torch.rand(length)
    codes, state = F.quantize_blockwise(x, code=F.create_dynamic_map(signed), blocksize=block)
    return ({"in.x": x, "out.codes": codes, "out.absmax": state.absmax,
             "out.dequantised": F.dequantize_blockwise(codes, state)},
            {"blocksize": block, "signed": signed, "tolerance": {"codes": "exact", "dequantised": "exact"}})


def saved(double):
    layer = bnb.nn.Linear4bit(64, 10, compute_dtype=torch.float32, compress_statistics=double, quant_type="nf4")
    weight, x = torch.randn(10, 64), torch.randn(3, 64)
    layer.weight = bnb.nn.Params4bit(weight.clone(), requires_grad=False, quant_type="nf4",
                                     compress_statistics=double)
    layer = layer.to("cpu")
    states = layer.state_dict()
    out = {"in.w": weight, "in.x": x, "out.y": layer(x)} | {f"saved.{k}": v for k, v in states.items()}
    return out, {"keys": sorted(states), "tolerance": {"y": 1e-4}}


def optimizer(kind, steps):
    # 8-bit states begin at 4096 elements; start and gradients are exact in f16, which is half the file.
    start = torch.randn(4100).half()
    p = torch.nn.Parameter(start.float())
    optimizer = kind([p], lr=0.01)
    out = {"start": start}
    for i in range(steps):
        grad = (0.1 * torch.randn(4100)).half()
        p.grad = grad.float()
        optimizer.step()
        out[f"grad.{i}"] = grad
    return out | {f"param.{steps - 1}": p}, {"tolerance": {"param": 1e-5}}


def make(name, function, *arguments):
    tiny.seed(name)
    tensors, entry = function(*arguments)
    tiny.save(tiny.ROOT / "quantization" / f"{name}.safetensors", tensors)
    return {"name": name, "vectors": f"quantization/{name}.safetensors", **entry}


shutil.rmtree(tiny.ROOT / "quantization", ignore_errors=True)
tiny.index("quantization", [make("codebooks", codebooks)] + [
    make(f"{kind}-{dtype}-block{block}" + "-double" * double, blockwise, kind, dtype, block, double, shape)
    for kind, dtype, block, double, shape in BLOCKWISE] + [
    make(f"int8-dynamic-{'signed' if c[0] else 'unsigned'}-block{c[1]}", eight_bits, *c) for c in EIGHT_BITS] + [
    make("linear4bit-saved", saved, False), make("linear4bit-saved-double", saved, True),
    make("AdamW8bit", optimizer, bnb.optim.AdamW8bit, 3), make("Lion8bit", optimizer, bnb.optim.Lion8bit, 3)])
