"""Writes truncation.json: what transformers' fast BERT tokenizer makes of texts and pairs with truncation=True.

Usage, from the repository's root: python tests/data/vectors/make_truncation.py > tests/data/vectors/truncation.json
"""
import json
import sys

from transformers import BertTokenizerFast

tokenizer = BertTokenizerFast(tokenizer_file="tests/vectors/tokenizers/wordpiece-trained.tokenizer.json",
                              do_lower_case=True)
short, long, repeated = "the end", "it was a cold day and nobody spoke a word of it", "a a a a a a a a"
cases = []
for a, b in [(long, None), (short, None), (long, short), (short, long), (long, long), (repeated, repeated),
             (repeated, "a a")]:
    for max_length in (4, 5, 7, 8, 11, 16, 64):
        e = tokenizer(a, b, truncation=True, max_length=max_length)
        cases.append({"a": a, "b": b, "max_length": max_length, "ids": e["input_ids"], "types": e["token_type_ids"]})
json.dump(cases, sys.stdout, separators=(",", ":"))
print()
