"""peft/: adapters as PeftModel.save_pretrained writes them, all values moved from where they start, on the
models of make_models.py (run it first)."""
import shutil

import peft
import torch

import tiny

BASES = {"gpt2": ("gpt2", "CAUSAL_LM"), "llama": ("llama-gqa", "CAUSAL_LM"),
         "bert": ("bert-classification", "SEQ_CLS"), "t5": ("t5-relu-tied", "SEQ_2_SEQ_LM")}
QV = {"target_modules": ["q_proj", "v_proj"]}
QO = {"target_modules": ["q_proj", "o_proj"]}
GPT2 = {"fan_in_fan_out": True}
GPT2_ALL = {**GPT2, "target_modules": ["c_attn", "c_proj", "c_fc"], "layers_to_transform": [1]}
BERT_QV = {"target_modules": ["query", "value"]}
LLAMA_ALL = {"target_modules": ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"],
             "layers_to_transform": [1]}
LORA = {"r": 2, "lora_alpha": 8}
VIRTUAL = {"num_virtual_tokens": 3}

CASES = {
    "lora-qv-gpt2": (peft.LoraConfig, {**LORA, **GPT2, "target_modules": ["c_attn"]}),
    "lora-qv-llama": (peft.LoraConfig, {**LORA, **QV}),
    "lora-all-rslora-bias-gpt2": (peft.LoraConfig, {**GPT2_ALL, "r": 2, "lora_alpha": 5, "use_rslora": True,
                                                    "bias": "lora_only"}),
    "lora-all-rslora-bias-llama": (peft.LoraConfig, {**LLAMA_ALL, "r": 2, "lora_alpha": 5, "use_rslora": True,
                                                     "bias": "lora_only"}),
    "lora-embedding-gpt2": (peft.LoraConfig, {**LORA, **GPT2, "target_modules": ["wte", "c_attn"]}),
    "lora-bias-all-bert": (peft.LoraConfig, {**LORA, **BERT_QV, "r": 2, "bias": "all"}),
    "dora-gpt2": (peft.LoraConfig, {**GPT2_ALL, "r": 2, "lora_alpha": 8, "use_dora": True}),
    "pissa-llama": (peft.LoraConfig, {**LORA, **QV, "lora_alpha": 4, "init_lora_weights": "pissa"}),
    "olora-llama": (peft.LoraConfig, {**LORA, **QV, "lora_alpha": 4, "init_lora_weights": "olora"}),
    "adalora-bert": (peft.AdaLoraConfig, {"init_r": 3, "target_r": 2, "lora_alpha": 8, "tinit": 2, "tfinal": 4,
                                          "total_step": 20, "target_modules": ["query", "intermediate.dense"]}),
    "ia3-llama": (peft.IA3Config, {"target_modules": ["k_proj", "v_proj", "down_proj"],
                                   "feedforward_modules": ["down_proj"]}),
    "prefix-gpt2": (peft.PrefixTuningConfig, VIRTUAL),
    "prefix-llama": (peft.PrefixTuningConfig, VIRTUAL),
    "prefix-bert": (peft.PrefixTuningConfig, VIRTUAL),
    "prefix-t5": (peft.PrefixTuningConfig, VIRTUAL),
    "prefix-num-layers-t5": (peft.PrefixTuningConfig, {**VIRTUAL, "num_layers": 3}),
    "prompt-gpt2": (peft.PromptTuningConfig, VIRTUAL),
    "prompt-llama": (peft.PromptTuningConfig, VIRTUAL),
    "prompt-bert": (peft.PromptTuningConfig, VIRTUAL),
    "prompt-t5": (peft.PromptTuningConfig, VIRTUAL),
    "prompt-one-submodule-t5": (peft.PromptTuningConfig, {**VIRTUAL, "num_transformer_submodules": 1}),
    "ptuning-mlp-t5": (peft.PromptEncoderConfig, {**VIRTUAL, "encoder_hidden_size": 8,
                                                  "encoder_reparameterization_type": "MLP"}),
    "loha-llama": (peft.LoHaConfig, {**QV, "r": 2, "alpha": 8}),
    "lokr-llama": (peft.LoKrConfig, {**QV, "r": 2, "alpha": 8}),
    "oft-llama": (peft.OFTConfig, {**QV, "oft_block_size": 4}),
    "boft-llama": (peft.BOFTConfig, {"target_modules": ["q_proj"], "boft_block_size": 4}),
    "vera-llama": (peft.VeraConfig, {**QO, "r": 4}),
    "fourierft-llama": (peft.FourierFTConfig, {**QV, "n_frequency": 20, "scaling": 10.0}),
    "hra-llama": (peft.HRAConfig, {**QV, "r": 4}),
    "ln-tuning-llama": (peft.LNTuningConfig,
                        {"target_modules": ["input_layernorm", "post_attention_layernorm", "norm"]}),
    "vblora-llama": (peft.VBLoRAConfig, {**QV, "r": 2, "num_vectors": 10, "vector_length": 8, "topk": 2}),
    "randlora-llama": (peft.RandLoraConfig, {"target_modules": ["v_proj", "down_proj"], "r": 4,
                                             "randlora_alpha": 40}),
    "c3a-llama": (peft.C3AConfig, {**QO, "block_size": 4}),
    "shira-llama": (peft.ShiraConfig, {**QV, "r": 2, "random_seed": 5}),
    "road-llama": (peft.RoadConfig, {**QV, "group_size": 4, "variant": "road_1"}),
    "miss-llama": (peft.MissConfig, {**QV, "r": 4}),
    "trainable-tokens-llama": (peft.TrainableTokensConfig, {"target_modules": ["embed_tokens"],
                                                            "token_indices": [3, 7, 11]}),
}
NOT_MERGED = ("embedding", "bias-all", "pissa", "olora", "ln-tuning", "trainable-tokens", "prefix", "prompt",
              "ptuning")


def make(name, config, options):
    base, task = BASES[name.rsplit("-", 1)[1]]
    tiny.seed(name)
    model = peft.get_peft_model(tiny.load(base), config(task_type=task, **options)).eval()
    tiny.randomise(p for p in model.parameters() if p.requires_grad)
    batch = tiny.batch(tiny.config(base), length=6)
    folder = tiny.ROOT / "peft" / name
    model.save_pretrained(folder)
    (folder / "README.md").unlink()
    tiny.shorten(folder / "adapter_config.json")
    tiny.save(folder / "vectors.safetensors", tiny.run(model, batch))
    entry = {"name": name, "dir": f"peft/{name}", "base": f"models/{base}",
             "vectors": f"peft/{name}/vectors.safetensors", "tolerance": tiny.TOLERANCE}
    if any(word in name for word in NOT_MERGED):
        return entry
    logits = model(**batch).logits
    merged = model.merge_and_unload()
    before = tiny.load(base).state_dict()
    changed = {k: v for k, v in merged.state_dict().items() if not torch.equal(v, before[k])}
    tiny.save(folder / "merged.safetensors", changed)
    return entry | {"merged": f"peft/{name}/merged.safetensors",
                    "merge_max_diff": (merged(**batch).logits - logits).abs().max().item()}


shutil.rmtree(tiny.ROOT / "peft", ignore_errors=True)
tiny.index("peft", [make(name, *case) for name, case in CASES.items()])
