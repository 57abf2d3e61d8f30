"""adapterhub/: adapters as AdapterHub's save_adapter writes them, all values moved from where they start, on
the models of make_models.py (run it first)."""
import shutil

import adapters
import torch

import tiny

BASES = {"gpt2": "gpt2", "llama": "llama-gqa", "bert": "bert-classification", "t5": "t5-relu-tied"}
BOTTLENECK = {"reduction_factor": 4}
PREFIX = {"prefix_length": 3, "bottleneck_size": 8, "dropout": 0.0}
UNIPELT = adapters.UniPELTConfig(
    prefix_tuning=adapters.PrefixTuningConfig(**PREFIX, use_gating=True),
    adapter=adapters.SeqBnConfig(**BOTTLENECK, use_gating=True),
    lora=adapters.LoRAConfig(r=2, alpha=8, use_gating=True))
COMPACTER = adapters.CompacterConfig(reduction_factor=3, phm_dim=4)

CASES = {
    "pfeiffer-bert": adapters.SeqBnConfig(**BOTTLENECK),
    "houlsby-llama": adapters.DoubleSeqBnConfig(**BOTTLENECK),
    "scaled-parallel-learned-llama": adapters.ParBnConfig(reduction_factor=3, scaling="learned"),
    "compacter-bert": COMPACTER,
    "compacter-t5": COMPACTER,
    "invertible-gpt2": adapters.SeqBnInvConfig(**BOTTLENECK),
    "prefix-gpt2": adapters.PrefixTuningConfig(**PREFIX),
    "prefix-flat-llama": adapters.PrefixTuningConfig(**PREFIX, flat=True),
    "prefix-flat-t5": adapters.PrefixTuningConfig(**PREFIX, flat=True),
    "lora-gpt2": adapters.LoRAConfig(r=2, alpha=8),
    "ia3-gpt2": adapters.IA3Config(),
    "prompt-bert": adapters.PromptTuningConfig(prompt_length=3),
    "unipelt-bert": UNIPELT,
    "unipelt-llama": UNIPELT,
}


def make(name, config):
    base = BASES[name.rsplit("-", 1)[1]]
    tiny.seed(name)
    model = tiny.load(base)
    adapters.init(model)
    model.add_adapter("oracle", config=config)
    model.train_adapter("oracle")
    model.eval()
    for n, p in model.named_parameters():
        p.requires_grad_(p.requires_grad and "oracle" in n)  # the head is a part of the base
    trained = {n: p for n, p in model.named_parameters() if p.requires_grad}
    tiny.randomise(trained.values())
    # The library's gates average over padding too, which Lorikeet does not compute.
    vectors = tiny.run(model, tiny.batch(tiny.config(base), length=6, padded="unipelt" not in name))
    # What T5's adapters share is not in the library's file.
    vectors |= {f"param.{n}": p for n, p in trained.items() if "shared_parameters" in n}
    folder = tiny.ROOT / "adapterhub" / name
    folder.mkdir(parents=True)
    # Its own safetensors writer refuses tensors that have several names, as shared prefixes do.
    model.save_adapter(folder, "oracle", with_head=False, use_safetensors=False)
    tiny.save(folder / "adapter.safetensors", torch.load(folder / "pytorch_adapter.bin"))
    for extra in folder.glob("*.bin"):
        extra.unlink()
    tiny.shorten(folder / "adapter_config.json")
    tiny.save(folder / "vectors.safetensors", vectors)
    return {"name": name, "dir": f"adapterhub/{name}", "base": f"models/{base}",
            "vectors": f"adapterhub/{name}/vectors.safetensors", "tolerance": tiny.TOLERANCE}


shutil.rmtree(tiny.ROOT / "adapterhub", ignore_errors=True)
tiny.index("adapterhub", [make(name, config) for name, config in CASES.items()])
