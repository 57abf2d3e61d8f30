"""models/: every architecture, its options one by one, as transformers computes them.

gpt2, llama-gqa, bert-classification and t5-relu-tied are also what the adapters of the other topics stand
on. Two layers where a model's layers have something to do with each other, else one.
"""
import torch
import transformers

import tiny

SIZES = {"vocab_size": 48, "hidden_size": 12, "num_hidden_layers": 2, "num_attention_heads": 4,
         "intermediate_size": 24, "max_position_embeddings": 64}
GPT2 = {"vocab_size": 48, "n_embd": 12, "n_layer": 2, "n_head": 3, "n_positions": 32, "bos_token_id": 1,
        "eos_token_id": 2, "resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0}
LLAMA = {**SIZES, "num_key_value_heads": 2, "head_dim": 4, "bos_token_id": 1, "eos_token_id": 2,
         "pad_token_id": 0}
BERT = {**SIZES, "vocab_size": 64, "num_attention_heads": 3, "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0,
        "num_labels": 3}
T5 = {"vocab_size": 48, "d_model": 12, "d_kv": 4, "d_ff": 16, "num_layers": 2, "num_heads": 3,
      "relative_attention_num_buckets": 8, "relative_attention_max_distance": 12, "dropout_rate": 0.0,
      "pad_token_id": 0, "eos_token_id": 1, "decoder_start_token_id": 0}
SMALL = {"vocab_size": 32, "num_hidden_layers": 1, "intermediate_size": 20}
SMALL_GPT2 = {**GPT2, "vocab_size": 32, "n_layer": 1}
SMALL_BERT = {**BERT, **SMALL, "max_position_embeddings": 16}
ROBERTA = {**SMALL_BERT, "type_vocab_size": 1, "pad_token_id": 1}
SMALL_LLAMA = {**LLAMA, **SMALL}

CASES = {
    "gpt2": ("GPT2LMHeadModel", GPT2),
    "gpt2-exact-gelu-untied": ("GPT2LMHeadModel", {**SMALL_GPT2, "n_inner": 20, "activation_function": "gelu",
                               "tie_word_embeddings": False}),
    "gpt2-classification": ("GPT2ForSequenceClassification", {**SMALL_GPT2, "n_positions": 16,
                            "pad_token_id": 0, "num_labels": 3}),
    "llama-gqa": ("LlamaForCausalLM", {**LLAMA, "hidden_size": 16}),
    "llama-tied-bias": ("LlamaForCausalLM", {**SMALL_LLAMA, "tie_word_embeddings": True,
                        "attention_bias": True, "mlp_bias": True, "rms_norm_eps": 1e-5}),
    "llama3-rope-scaling": ("LlamaForCausalLM", {**SMALL_LLAMA, "head_dim": 8, "rope_theta": 500000.0,
                            "rope_scaling": {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0,
                                             "high_freq_factor": 4.0,
                                             "original_max_position_embeddings": 32}}),
    "llama-rope-linear": ("LlamaForCausalLM", {**SMALL_LLAMA,
                          "rope_scaling": {"rope_type": "linear", "factor": 4.0}}),
    "llama-rope-yarn": ("LlamaForCausalLM", {**SMALL_LLAMA, "head_dim": 8,
                        "rope_scaling": {"rope_type": "yarn", "factor": 4.0,
                                         "original_max_position_embeddings": 16}}),
    "llama-classification": ("LlamaForSequenceClassification", {**SMALL_LLAMA, "num_labels": 4}),
    "mistral-window": ("MistralForCausalLM", {**SMALL_LLAMA, "num_hidden_layers": 2, "sliding_window": 4}),
    "qwen2": ("Qwen2ForCausalLM", SMALL_LLAMA),
    "qwen3": ("Qwen3ForCausalLM", {**SMALL_LLAMA, "num_hidden_layers": 2, "head_dim": 8}),
    "bert-classification": ("BertForSequenceClassification", BERT),
    "bert-masked-lm": ("BertForMaskedLM", SMALL_BERT),
    "roberta-token-classification": ("RobertaForTokenClassification", ROBERTA),
    "t5-relu-tied": ("T5ForConditionalGeneration", T5),
    "t5-gated-gelu-untied": ("T5ForConditionalGeneration", {**T5, "vocab_size": 32, "num_layers": 1,
                             "feed_forward_proj": "gated-gelu",
                             "tie_word_embeddings": False}),
}


def make(name, architecture, options):
    kind = getattr(transformers, architecture)
    tiny.seed(name)
    model = kind(kind.config_class(**options, architectures=[architecture], dtype="float32")).eval()
    with torch.no_grad():
        for n, p in model.named_parameters():
            size = 0.1 if n == "shared.weight" else 0.3  # or T5 says its start token for ever
            p.normal_(0, size) if p.dim() > 1 else p.add_(0.1 * torch.randn_like(p))
    folder = tiny.ROOT / "models" / name
    model.save_pretrained(folder)
    model = tiny.load(name)
    batch = tiny.batch(model.config)
    vectors = tiny.run(model, batch)
    if model.can_generate():
        pairs = model.config.is_encoder_decoder  # a decoder's first row alone has no padding
        texts = {k: batch[k][:None if pairs else 1] for k in ("input_ids", "attention_mask")}
        vectors["out.greedy"] = model.generate(**texts, max_new_tokens=12, do_sample=False)
        first = {k: v[:1] for k, v in texts.items()}
        vectors["out.beam3"] = model.generate(**first, max_new_tokens=8, do_sample=False, num_beams=3)
        print(name, vectors["out.greedy"].tolist(), vectors["out.beam3"].tolist())
    tiny.save(folder / "vectors.safetensors", vectors)
    return {"name": name, "dir": f"models/{name}", "vectors": f"models/{name}/vectors.safetensors",
            "architecture": architecture, "tolerance": tiny.TOLERANCE}


tiny.index("models", [make(name, *case) for name, case in CASES.items()])
