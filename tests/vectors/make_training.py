"""training/: short runs with an optimizer: losses, gradient norms, rates and last values, on the models of
make_models.py (run it first)."""
import shutil

import peft
import torch
from transformers import get_linear_schedule_with_warmup

import tiny

ADAMW = "AdamW lr 5e-3 wd 0.01 betas 0.9 0.999 eps 1e-8, linear warm-up 4"
LORA = peft.LoraConfig(r=2, lora_alpha=8, target_modules=["c_attn"], fan_in_fan_out=True, task_type="CAUSAL_LM")
IA3 = peft.IA3Config(target_modules=["k_proj", "v_proj", "down_proj"], feedforward_modules=["down_proj"],
                     task_type="CAUSAL_LM")
ADALORA = peft.AdaLoraConfig(init_r=4, target_r=2, lora_alpha=8, tinit=3, tfinal=6, deltaT=2, beta1=0.85,
                             beta2=0.85, orth_reg_weight=0.5, total_step=20, task_type="CAUSAL_LM",
                             target_modules=["q_proj", "v_proj", "up_proj"])


def adamw(parameters, lr=5e-3):
    return torch.optim.AdamW(parameters, lr, weight_decay=0.01)


def sgd(parameters):
    return torch.optim.SGD(parameters, 0.05, momentum=0.9, weight_decay=1e-3)


CASES = {
    "full-adamw-gpt2": ("gpt2", None, adamw, 10, {"optimizer": ADAMW}),
    "full-sgd-momentum-bert": ("bert-classification", None, sgd, 10,
                               {"optimizer": "SGD lr 0.05 momentum 0.9 wd 1e-3, linear warm-up 4"}),
    "lora-adamw-gpt2": ("gpt2", LORA, adamw, 10, {"optimizer": ADAMW, "adapter": "lora r2 alpha8 c_attn"}),
    "ia3-adamw-llama": ("llama-gqa", IA3, adamw, 10, {"optimizer": ADAMW, "adapter": "ia3 defaults"}),
    "adalora-llama": ("llama-gqa", ADALORA, lambda p: adamw(p, 1e-2), 20,
                      {"optimizer": "AdamW lr 1e-2 wd 0.01, linear warm-up 4; update_and_allocate(step) after "
                                    "the optimizer step, before gradients are cleared",
                       "adapter": "adalora init_r 4 target_r 2 alpha 8 tinit 3 tfinal 6 deltaT 2 beta 0.85 0.85 "
                                  "orth 0.5 total 20 on q_proj v_proj up_proj"}),
}


def make(name, base, adapter, optimizer, steps, texts):
    tiny.seed(name)
    model = tiny.load(base)
    if adapter:
        model = peft.get_peft_model(model, adapter).eval()
    trained = {n: p for n, p in model.named_parameters() if p.requires_grad}
    vectors = {f"start.{n}": p.clone() for n, p in trained.items()} if adapter else {}
    optimizer = optimizer(trained.values())
    schedule = get_linear_schedule_with_warmup(optimizer, 4, steps)
    losses, norms, rates, trace = [], [], [], []
    for step in range(steps):
        batch = tiny.batch(tiny.config(base), length=6)
        vectors |= {f"in.{step}.{k}": v for k, v in batch.items()}
        loss = model(**batch).loss
        loss.backward()
        losses.append(loss.item())
        norms.append(torch.nn.utils.clip_grad_norm_(trained.values(), 1.0).item())
        rates.append(schedule.get_last_lr()[0])
        optimizer.step()
        schedule.step()
        if isinstance(adapter, peft.AdaLoraConfig):
            model.base_model.update_and_allocate(step)
            ranks = {n: int((p != 0).sum()) for n, p in trained.items() if "lora_E" in n}
            trace.append({"step": step, "ranks": ranks})
        optimizer.zero_grad()
    vectors |= {f"final.{n}": p for n, p in trained.items()}
    out = {"losses": losses, "grad_norms": norms, "lrs": rates}
    vectors |= {f"out.{k}": torch.tensor(v) for k, v in out.items()}
    tiny.save(tiny.ROOT / "training" / name / "vectors.safetensors", vectors)
    entry = {"name": name, "base": f"models/{base}", "vectors": f"training/{name}/vectors.safetensors",
             "steps": steps, "clip": 1.0, "warmup": 4, "accumulate": 1, **texts,
             "tolerance": {"losses": 2e-4, "final_rel": 5e-3}}
    return entry | ({"trace": trace} if trace else {})


shutil.rmtree(tiny.ROOT / "training", ignore_errors=True)
tiny.index("training", [make(name, *case) for name, case in CASES.items()])
