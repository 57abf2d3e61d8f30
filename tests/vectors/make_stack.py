"""stack/: what AdapterHub makes of several of the adapters of make_adapterhub.py stacked (run it first)."""
import json
import shutil

import adapters
import adapters.composition as composition
import torch

import tiny

CASES = [("bert-classification", ["pfeiffer-bert", "compacter-bert"]),
         ("bert-classification", ["compacter-bert", "pfeiffer-bert"]),
         ("bert-classification", ["pfeiffer-bert", "pfeiffer-bert"]),
         ("gpt2", ["prefix-gpt2", "prefix-gpt2"]),
         ("gpt2", ["invertible-gpt2", "prefix-gpt2"]),
         ("llama-gqa", ["houlsby-llama", "prefix-flat-llama", "houlsby-llama"])]


def make(number, base, names):
    tiny.seed(f"stack {number}")
    model = tiny.load(base)
    adapters.init(model)
    loaded = [model.load_adapter(str(tiny.ROOT / "adapterhub" / name), load_as=f"a{i}", set_active=False,
                                 use_safetensors=True) for i, name in enumerate(names)]
    model.active_adapters = composition.Stack(*loaded)
    model.eval()
    batch = tiny.batch(tiny.config(base), length=6)
    with torch.no_grad():
        out = model(**batch)
    vectors = {f"in.{k}": v for k, v in batch.items()} | {"out.logits": out.logits}
    tiny.save(tiny.ROOT / "stack" / f"{number}.safetensors", vectors)
    return {"base": f"models/{base}", "adapters": [f"adapterhub/{name}" for name in names], "vectors": f"stack/{number}.safetensors"}


shutil.rmtree(tiny.ROOT / "stack", ignore_errors=True)
cases = [make(number, *case) for number, case in enumerate(CASES)]
(tiny.ROOT / "stack" / "cases.json").write_text(json.dumps(cases, indent=1) + "\n")
