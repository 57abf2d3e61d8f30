"""Writes odd_texts.json: what Hugging Face's tokenizers 0.22 makes of texts that no keyboard gives, with
the tokenizers of tests/vectors/tokenizers. A text is bytes in hex, repeated; what is not UTF-8 was decoded
by Python with errors="replace", and of ids only their number, the first and last ten and a sum are kept.
Usage: make_odd_texts.py > odd_texts.json
"""
import json
import pathlib
import sys

import tokenizers

FOLDER = pathlib.Path(__file__).parents[3] / "vectors" / "tokenizers"
TEXTS = [
    (b"a\x00b \x00 \x00\x00c\x00", 1),
    (b"\x00", 300),
    (b"tail \xff\xfe of \x80 bytes \xc3", 1),
    (b"\xe2\x82", 7),
    (b"\xed\xa0\x80 high, \xed\xb0\x80 low, \xed\xa0\xbd\xed\xb8\x80 both", 1),  # surrogates as bytes
    (b"\xc0\xaf \xe0\x80\xaf \xf0\x80\x80\xaf", 1),  # overlong
    (b"\xf4\x90\x80\x80\xf5\x80\x80\x80\xf8", 1),  # above U+10FFFF
    ("\ufeff\ufffe\uffff\U0010ffff\u200b\u00ad".encode(), 2),
    ("\u0301".encode(), 500),  # marks without a letter
    ("a\u0301\u0323\u0315".encode(), 200),
    (b"a", 200000),
    (b"theword", 1000),
    (b"0123456789", 300),
    (b"!", 2000),
    (b" ", 2000),
    (b"\n", 1000),
    (b" \t\r\n", 300),
    ("\u4e2d\u6587".encode(), 500),
    ("\U0001f600".encode(), 400),
    ("\u2581".encode(), 700),
    (b"<s>", 200),
    (b"</s></s>x", 100),
    (b"x\x7f\x1b[0m\x08", 30),
]


def main():
    out = {}
    for path in sorted(FOLDER.glob("*.tokenizer.json")):
        tokenizer = tokenizers.Tokenizer.from_file(str(path))
        rows = []
        for data, count in TEXTS:
            ids = tokenizer.encode((data * count).decode(errors="replace")).ids
            text = tokenizer.decode(ids, skip_special_tokens=False).encode()
            rows.append([data.hex(), count, len(ids), ids[:10], ids[-10:],
                         sum(i * (id + 1) for i, id in enumerate(ids)) % 2**31, len(text),
                         text[:20].hex()])
        out[path.name] = rows
    json.dump(out, sys.stdout, separators=(",", ":"))
    print()


main()
