# What transformers makes of a model folder that we wrote: python transformers_logits.py FOLDER VECTORS
# VECTORS holds `ids` [n] and our `logits`; prints the largest difference and the largest logit.
import sys

try:
    import torch
    import transformers
    from safetensors.torch import load_file
except ImportError as e:
    print("skipped:", e)
    sys.exit(0)

folder, vectors = sys.argv[1:]
config = transformers.AutoConfig.from_pretrained(folder)
model, loading = getattr(transformers, config.architectures[0]).from_pretrained(
    folder, output_loading_info=True, dtype=torch.float32)
wrong = {k: v for k, v in loading.items() if v}
if wrong:
    sys.exit(f"transformers says of the weights: {wrong}")
given = load_file(vectors)
ids = given["ids"].long()[None]
extra = {"decoder_input_ids": ids} if config.is_encoder_decoder else {}
with torch.no_grad():
    logits = model.eval()(input_ids=ids, **extra).logits
logits = logits.reshape(given["logits"].shape)
print("difference", (logits - given["logits"]).abs().max().item(), "of", logits.abs().max().item())
try:
    print("tokens", transformers.AutoTokenizer.from_pretrained(folder)("abc de").input_ids)
except Exception as e:
    print("no tokenizer:", e)
