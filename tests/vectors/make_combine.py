"""combine/: four LoRA adapters of a module, and what PeftModel.add_weighted_adapter makes of them by
cases.json: its factors, or their product where they are an SVD's and so no one's but up to signs."""
import json
import shutil

import peft
import torch

import tiny

FOLDER = tiny.ROOT / "combine"
QV = {"r": 3, "target_modules": ["q_proj", "v_proj"]}
ADAPTERS = {"a": {**QV, "lora_alpha": 6}, "b": {**QV, "lora_alpha": 3},
            "c": {"r": 2, "target_modules": ["q_proj", "words"], "lora_alpha": 5, "use_rslora": True},
            "d": {**QV, "lora_alpha": 6}}
CASES = [
    {"type": "linear", "adapters": "ab", "weights": [0.7, 0.3]},
    {"type": "linear", "adapters": "abd", "weights": [0.7, -0.3, 1.5]},
    {"type": "cat", "adapters": "ac", "weights": [1.0, 0.5]},
    {"type": "svd", "adapters": "ac", "weights": [0.8, -0.4]},
    {"type": "svd", "adapters": "abd", "weights": [0.5, 0.5, 0.5], "rank": 2},
    {"type": "ties", "adapters": "abd", "weights": [0.6, 0.4, 0.9], "density": 0.5},
    {"type": "ties", "adapters": "abd", "weights": [1.0, -0.5, 0.8], "density": 0.7, "majority_sign": "frequency"},
    {"type": "magnitude_prune", "adapters": "ab", "weights": [0.6, 0.4], "density": 0.3},
    {"type": "magnitude_prune_svd", "adapters": "ab", "weights": [0.6, 0.4], "density": 0.6},
    {"type": "ties_svd", "adapters": "abd", "weights": [0.6, 0.4, 0.9], "density": 0.5, "rank": 4},
]


class Module(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.words = torch.nn.Embedding(9, 8)
        self.block = torch.nn.ModuleDict({"q_proj": torch.nn.Linear(8, 6), "v_proj": torch.nn.Linear(8, 10)})


def make_adapters():
    configs = {name: peft.LoraConfig(**options) for name, options in ADAPTERS.items()}
    model = peft.get_peft_model(Module(), configs["a"], adapter_name="a")
    for name in "bcd":
        model.add_adapter(name, configs[name])
    tiny.randomise((p for n, p in model.named_parameters() if "lora_" in n), 0.5)
    model.save_pretrained(FOLDER)
    (FOLDER / "README.md").unlink()
    for name in ADAPTERS:
        tiny.shorten(FOLDER / name / "adapter_config.json")
    return model


def combined(model, k, case):
    name = f"case{k}"
    model.add_weighted_adapter(
        list(case["adapters"]), case["weights"], name, combination_type=case["type"], svd_rank=case.get("rank"),
        density=case.get("density"), majority_sign_method=case.get("majority_sign", "total"))
    config = model.peft_config[name]
    case |= {"r": config.r, "target_modules": sorted(config.target_modules)}
    out = {}
    for key, module in model.base_model.model.named_modules():
        if not hasattr(module, "lora_A"):
            continue
        if name in module.lora_A:
            a, b = module.lora_A[name].weight, module.lora_B[name].weight
        elif name in module.lora_embedding_A:
            a, b = module.lora_embedding_A[name], module.lora_embedding_B[name]
        else:
            continue
        factors = {"delta": b @ a} if "svd" in case["type"] else {"a": a, "b": b}
        out |= {f"{k}.{key}.{what}": v for what, v in factors.items()}
    return out


shutil.rmtree(FOLDER, ignore_errors=True)
tiny.seed("combine")
model = make_adapters()
vectors = {}
for k, case in enumerate(CASES):
    vectors |= combined(model, k, case)
tiny.save(FOLDER / "vectors.safetensors", vectors)
(FOLDER / "cases.json").write_text("[\n" + ",\n".join(json.dumps(c) for c in CASES) + "\n]\n")
