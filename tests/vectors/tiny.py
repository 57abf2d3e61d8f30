"""What the generators share: seeded values and batches, files, and their entries in index.json."""
import json
import pathlib
import zlib

import torch
import transformers
from safetensors.torch import save_file

ROOT = pathlib.Path(__file__).parent
TOLERANCE = {"logits": 2e-4, "loss": 1e-5, "grad_rel": 2e-3}
transformers.logging.set_verbosity_error()
torch.set_num_threads(1)


def seed(name):
    """Of a case's name, so that cases do not move each other."""
    torch.manual_seed(zlib.crc32(name.encode()))


def config(case):
    return transformers.AutoConfig.from_pretrained(ROOT / "models" / case)


def load(case):
    """The model of a case of make_models.py."""
    kind = getattr(transformers, config(case).architectures[0])
    return kind.from_pretrained(ROOT / "models" / case, attn_implementation="eager").eval()


def randomise(parameters, size=0.1):
    """No value stays where its initialisation left it."""
    with torch.no_grad():
        for p in parameters:
            p.add_(size * torch.randn_like(p))


def batch(config, rows=2, length=9, padded=True):
    """Token 0 to 2 have meanings, or are the padding; the rows after the first are shorter."""
    b = {"input_ids": torch.randint(3, config.vocab_size, (rows, length)),
         "attention_mask": torch.ones(rows, length, dtype=torch.long)}
    if padded:
        b["attention_mask"][1:, length - 3:] = 0
        b["input_ids"][b["attention_mask"] == 0] = config.pad_token_id or 0
    kind = config.architectures[0]
    if config.model_type == "bert":
        b["token_type_ids"] = (torch.arange(length) > length // 2).long().expand(rows, -1).contiguous()
    if "SequenceClassification" in kind:
        b["labels"] = torch.randint(0, config.num_labels, (rows,))
        return b
    if config.is_encoder_decoder:
        b["labels"] = torch.randint(3, config.vocab_size, (rows, 5))
        b["labels"][1:, 3:] = -100
        return b
    tags = "TokenClassification" in kind
    b["labels"] = torch.randint(0, config.num_labels, (rows, length)) if tags else b["input_ids"].clone()
    b["labels"][b["attention_mask"] == 0] = -100
    b["labels"][:, :1 if tags else 2] = -100
    return b


def run(model, batch):
    """in.*, out.logits, out.loss and grad.* of what is trained."""
    model.zero_grad()
    out = model(**batch)
    out.loss.backward()
    vectors = {f"in.{k}": v for k, v in batch.items()}
    vectors |= {"out.logits": out.logits, "out.loss": out.loss.reshape(1)}
    return vectors | {f"grad.{n}": p.grad for n, p in model.named_parameters() if p.grad is not None}


def save(path, tensors):
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({k: v.detach().contiguous().clone() for k, v in sorted(tensors.items())}, path)


def shorten(path):
    """JSON without blanks."""
    path.write_text(json.dumps(json.loads(path.read_text()), separators=(",", ":")) + "\n")


def index(topic, cases):
    """Puts a topic's cases in the place of its old ones."""
    path = ROOT / "index.json"
    old = json.loads(path.read_text())["cases"] if path.exists() else []
    kept = [c for c in old if c["topic"] != topic]
    lines = [json.dumps(c) for c in kept + [{"topic": topic, **c} for c in cases]]
    path.write_text('{"cases": [\n' + ",\n".join(lines) + "\n]}\n")
