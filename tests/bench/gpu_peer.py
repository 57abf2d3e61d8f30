#!/usr/bin/env python3
"""torch on a GPU, to be measured beside bin/bench: a LoRA step of HF PEFT, or scaled_dot_product_attention.

Prints one JSON line with the fields of bin/bench. Random weights, random tokens.
  python gpu_peer.py step --model llama-1b --batch 4 --seq 1024 [--checkpointing] [--compile]
  python gpu_peer.py attention
"""
import argparse, json, os, statistics, time, warnings

warnings.filterwarnings("ignore")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

parser = argparse.ArgumentParser()
parser.add_argument("--device", default="cuda", choices=["cuda", "cpu"])
commands = parser.add_subparsers(dest="command", required=True)
step = commands.add_parser("step")
step.add_argument("--model", default="gpt2-small", choices=["gpt2-small", "llama-160m", "llama-1b", "llama-8b"])
step.add_argument("--batch", type=int, default=4)
step.add_argument("--seq", type=int, default=256)
step.add_argument("--steps", type=int, default=5)
step.add_argument("--warm-up", type=int, default=3)
step.add_argument("--dtype", default="bf16", choices=["f32", "bf16"])
step.add_argument("--rank", type=int, default=8)
step.add_argument("--compile", action="store_true")
step.add_argument("--checkpointing", action="store_true")
attend = commands.add_parser("attention")
for option, value in dict(batch=4, seq=2048, heads=32, kv_heads=8, head_dim=128).items():
    attend.add_argument("--" + option.replace("_", "-"), type=int, default=value)
attend.add_argument("--dtype", default="bf16", choices=["f32", "bf16"])
a = parser.parse_args()

import torch

torch.manual_seed(0)
dtype = {"f32": torch.float32, "bf16": torch.bfloat16}[a.dtype]


def finish():
    if a.device == "cuda":
        torch.cuda.synchronize()


def time_ms(f, count):
    """The median of five samples of `count` calls after one, in ms a call."""
    f()
    samples = []
    for _ in range(5):
        finish()
        start = time.time()
        for _ in range(count):
            f()
        finish()
        samples.append((time.time() - start) * 1e3 / count)
    return statistics.median(samples)


def build():
    import transformers
    llama = {"llama-160m": (12, 768, 12, 4, 2048, 32000, False),  # tools/plan/shapes.cc
             "llama-1b": (16, 2048, 32, 8, 8192, 128256, True),
             "llama-8b": (32, 4096, 32, 8, 14336, 128256, False)}
    if a.model == "gpt2-small":
        config, kind = transformers.GPT2Config(resid_pdrop=0, embd_pdrop=0, attn_pdrop=0), transformers.GPT2LMHeadModel
    else:
        layers, hidden, heads, kv_heads, ffn, vocabulary, tied = llama[a.model]
        config = transformers.LlamaConfig(
            num_hidden_layers=layers, hidden_size=hidden, num_attention_heads=heads, num_key_value_heads=kv_heads,
            intermediate_size=ffn, vocab_size=vocabulary, tie_word_embeddings=tied)
        kind = transformers.LlamaForCausalLM
    config.use_cache = False
    torch.set_default_dtype(dtype)
    with torch.device(a.device):
        model = kind(config)
    torch.set_default_dtype(torch.float32)
    return model, config.vocab_size, ["c_attn"] if a.model == "gpt2-small" else ["q_proj", "v_proj"]


def bench_step():
    import peft
    base, vocabulary, targets = build()
    # The adapters are f32 beside a bf16 base, as PEFT makes them; autocast multiplies them in bf16, as HF's Trainer does.
    model = peft.get_peft_model(base, peft.LoraConfig(r=a.rank, lora_alpha=16, target_modules=targets, task_type="CAUSAL_LM"))
    if a.checkpointing:
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
        model.enable_input_require_grads()
    model.train()
    run = torch.compile(model) if a.compile else model
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-4, fused=a.device == "cuda")
    ids = torch.randint(5, vocabulary, (a.batch, a.seq), device=a.device)
    mask = torch.ones_like(ids)
    rows = []
    for i in range(a.steps + a.warm_up):
        finish()
        times = [time.time()]
        with torch.autocast(a.device, dtype=torch.bfloat16, enabled=a.dtype == "bf16"):
            loss = run(input_ids=ids, attention_mask=mask, labels=ids).loss
        finish()
        times.append(time.time())
        loss.backward()
        finish()
        times.append(time.time())
        optimizer.step()
        optimizer.zero_grad()
        finish()
        times.append(time.time())
        if i >= a.warm_up:
            rows.append([(times[-1] - times[0]) * 1e3] + [(y - x) * 1e3 for x, y in zip(times, times[1:])])
    whole, forward, backward, update = [statistics.median(column) for column in zip(*rows)]
    memory = torch.cuda.max_memory_allocated() >> 20 if a.device == "cuda" else 0
    return dict(model=a.model, method="lora", batch=a.batch, seq=a.seq, checkpointing=a.checkpointing, compile=a.compile,
                trainable_params=sum(p.numel() for p in trained), total_params=sum(p.numel() for p in model.parameters()),
                step_ms=whole, forward_ms=forward, backward_ms=backward, optimizer_ms=update,
                tokens_per_s=a.batch * a.seq / whole * 1e3, peak_device_mb=memory, loss=loss.item())


def bench_attention():
    def make(heads):
        return torch.randn(a.batch, heads, a.seq, a.head_dim, dtype=dtype, device=a.device, requires_grad=True)
    q, k, v, dout = make(a.heads), make(a.kv_heads), make(a.kv_heads), make(a.heads).detach()

    def forward():
        return torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
    count = 10 if a.device == "cuda" else 1
    forward_ms = time_ms(forward, count)
    backward_ms = time_ms(lambda: torch.autograd.grad(forward(), (q, k, v), dout), count) - forward_ms
    flops = 4 * a.batch * a.heads * a.seq * a.seq * a.head_dim * 0.5
    return dict(batch=a.batch, seq=a.seq, heads=a.heads, kv_heads=a.kv_heads, head_dim=a.head_dim, causal=True,
                forward_ms=forward_ms, backward_ms=backward_ms, forward_tflops=flops / forward_ms / 1e9,
                backward_tflops=2.5 * flops / backward_ms / 1e9)


measured = bench_step() if a.command == "step" else bench_attention()
print(json.dumps(dict(who="torch", bench=a.command, device=a.device, dtype=a.dtype, **measured, torch=torch.__version__)))
