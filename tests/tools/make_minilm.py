"""Makes minilm.json: sentence embeddings of MiniLM as transformers computes them (mean over the attention mask, normalised).

  python make_minilm.py MINILM_FOLDER > minilm.json
"""
import json
import pathlib
import sys

import torch
import transformers

here = pathlib.Path(__file__).parent / "minilm.json"
texts = [record["text"] for record in json.loads(here.read_text())] if here.exists() and here.stat().st_size else sys.argv[2:]
tokenizer = transformers.AutoTokenizer.from_pretrained(sys.argv[1])
model = transformers.AutoModel.from_pretrained(sys.argv[1])
records = []
for text in texts:
    with torch.no_grad():
        x = tokenizer(text, return_tensors="pt")
        h = model(**x).last_hidden_state[0].mean(0)
    records.append({"text": text, "embedding": [round(v, 8) for v in (h / h.norm()).tolist()]})
print("[\n" + ",\n".join(json.dumps(r) for r in records) + "\n]")
