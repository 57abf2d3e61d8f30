"""Writes components.json: what Hugging Face's tokenizers 0.22 makes of odd texts, component by component.

Most cases use a model that maps every byte to an id and marks the end of each piece, so that the ids
show exactly how a text was normalized and cut. Usage: make_components.py > components.json
"""
import json
import random
import sys

import tokenizers

random.seed(7)
END = "\x03"  # the mark of a piece's end
BYTES = {"<unk>": 0, **{f"<0x{b:02X}>": b + 1 for b in range(256)}}


def part(kind, **fields):
    return {"type": kind, **fields}


def added(id, content, **flags):
    return {"id": id, "content": content, "single_word": False, "lstrip": False, "rstrip": False,
            "normalized": False, "special": False, **flags}


def bpe(vocab, merges, **options):
    return {"type": "BPE", "unk_token": "<unk>", "fuse_unk": False, "byte_fallback": False,
            "ignore_merges": False, "vocab": vocab, "merges": merges, **options}


def random_bpe(count, alphabet, **options):
    vocab, merges, tokens = {"<unk>": 0}, [], list(alphabet)
    for c in alphabet:
        vocab.setdefault(c, len(vocab))
    while len(merges) < count:
        a, b = random.choice(tokens), random.choice(tokens)
        if len(a + b) <= 5 and [a, b] not in merges:
            merges.append([a, b])
            if a + b not in vocab:
                vocab[a + b] = len(vocab)
                tokens.append(a + b)
    return bpe(vocab, merges, **options)


def affix_bpe():
    vocab = {"<unk>": 0}
    for c in "abé":
        for t in (c, "##" + c, c + "</w>", "##" + c + "</w>"):
            vocab[t] = len(vocab)
    merges = []
    while len(merges) < 40:
        a = random.choice([t for t in vocab if not t.endswith("</w>") and t != "<unk>"])
        b = random.choice([t for t in vocab if t.startswith("##")])
        if len(a + b) < 14 and [a, b] not in merges:
            merges.append([a, b])
            vocab.setdefault(a + b[2:], len(vocab))
    return bpe(vocab, merges, continuing_subword_prefix="##", end_of_word_suffix="</w>")


def random_words(count, alphabet):
    words = set()
    while len(words) < count:
        words.add("".join(random.choice(alphabet) for _ in range(random.choice([1, 1, 2, 3, 4]))))
    return sorted(words)


def unigram(**options):
    vocab = [["<unk>", 0.0]] + [[w, -random.choice([random.random() * 8, 3.0])]
                                for w in random_words(90, "abé一▁ ")]
    return {"type": "Unigram", "unk_id": 0, "byte_fallback": False, "vocab": vocab, **options}


def models():
    word_piece = {"<unk>": 0}
    for w in random_words(60, "abé一"):
        word_piece.setdefault(w, len(word_piece))
        word_piece.setdefault("##" + w[::-1], len(word_piece))
    fallback = random_bpe(60, "ab é▁", byte_fallback=True)
    partial = random_bpe(60, "ab é▁", byte_fallback=True)
    for b in range(128, 256):
        fallback["vocab"][f"<0x{b:02X}>"] = len(fallback["vocab"])
        if b < 0xC0:
            partial["vocab"][f"<0x{b:02X}>"] = len(partial["vocab"])
    byte_unigram = unigram(byte_fallback=True)
    byte_unigram["vocab"] += [[f"<0x{b:02X}>", -1.0] for b in range(256)]
    # As in Llama 2: a mark only begins a token.
    marked = random_bpe(60, "abé", fuse_unk=True)
    for w in list(marked["vocab"])[1:30]:
        marked["vocab"].setdefault("▁", len(marked["vocab"]))
        marked["vocab"]["▁" + w] = len(marked["vocab"])
        marked["merges"].append(["▁", w])
    return {
        "bytes": bpe(BYTES, [], byte_fallback=True, end_of_word_suffix=END),
        "bpe": random_bpe(80, "ab é12▁"),
        "bpe_fuse": random_bpe(80, "ab é12▁", fuse_unk=True),
        "bpe_ignore": random_bpe(80, "ab é12▁", ignore_merges=True),
        "bpe_no_unk": {**random_bpe(80, "ab é12▁"), "unk_token": None},
        "bpe_fallback": fallback,
        "bpe_partial": partial,
        "bpe_affix": affix_bpe(),
        "bpe_marked": marked,
        "word_piece": {"type": "WordPiece", "unk_token": "<unk>", "vocab": word_piece,
                       "continuing_subword_prefix": "##", "max_input_chars_per_word": 9},
        "unigram": unigram(),
        "unigram_bytes": byte_unigram,
    }


def cases():
    for kind in ("NFC", "NFD", "NFKC", "NFKD", "Lowercase", "StripAccents", "Nmt", "ByteLevel"):
        yield {"normalizer": part(kind)}
    for left in (False, True):
        for right in (False, True):
            yield {"normalizer": part("Strip", strip_left=left, strip_right=right)}
    for pattern, content in (({"String": "ab"}, "x y"), ({"Regex": r"\s+|\d\w"}, "_"),
                             ({"Regex": "a*"}, "_"), ({"Regex": r"^\s+"}, "")):
        yield {"normalizer": part("Replace", pattern=pattern, content=content)}
    yield {"normalizer": part("Prepend", prepend="▁")}
    for i in range(24):
        yield {"normalizer": part("BertNormalizer", clean_text=bool(i & 1),
                                  handle_chinese_chars=bool(i & 2), lowercase=bool(i & 4),
                                  strip_accents=(None, True, False)[i // 8])}
    yield {"normalizer": part("Sequence", normalizers=[
        part("NFD"), part("StripAccents"), part("Lowercase"),
        part("Replace", pattern={"String": " "}, content="▁")])}

    gpt2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
    llama3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|"
              r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
    o200k = (r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
             r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+"
             r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}|"
             r" ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")
    for regex in (gpt2, llama3, llama3.replace("{1,3}", ""), o200k, r"\w+", r"\W+", r"\S", r"[\w\s]+",
                  r"\b", "^.", ".$", r"\h+", r"[^\r\n\p{L}\p{N}]?+\p{L}++", "[一-龥]+", r"[\p{Zs}\S]",
                  ".+", r"\A.|.\z", "(?i)k|é", r"\d{1,3}(?=(?:\d{3})*\b)", r"[[:space:][:digit:]]+"):
        yield {"pre_tokenizer": part("Split", pattern={"Regex": regex}, behavior="Isolated",
                                     invert=False)}
    for behavior in ("Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"):
        yield {"pre_tokenizer": part("Punctuation", behavior=behavior)}
        for invert in (False, True):
            for pattern in ({"Regex": r"\s|[a-c]+"}, {"String": " "}):
                yield {"pre_tokenizer": part("Split", pattern=pattern, behavior=behavior,
                                             invert=invert)}
    for kind in ("Whitespace", "WhitespaceSplit", "BertPreTokenizer"):
        yield {"pre_tokenizer": part(kind)}
    for flag in (False, True):
        yield {"pre_tokenizer": part("Digits", individual_digits=flag)}
        for regex in (False, True):
            yield {"pre_tokenizer": part("ByteLevel", add_prefix_space=flag, trim_offsets=True,
                                         use_regex=regex)}
    yield {"pre_tokenizer": part("CharDelimiterSplit", delimiter="a")}
    digits = part("Digits", individual_digits=True)
    byte_level = part("ByteLevel", add_prefix_space=True, trim_offsets=True, use_regex=True)
    yield {"pre_tokenizer": part("Sequence", pretokenizers=[byte_level, digits])}
    yield {"pre_tokenizer": part("Sequence", pretokenizers=[digits, byte_level])}
    for scheme in ("first", "never", "always"):
        for split in (False, True):
            mark = part("Metaspace", replacement="▁", prepend_scheme=scheme, split=split)
            yield {"pre_tokenizer": mark}
            yield {"pre_tokenizer": part("Sequence", pretokenizers=[part("WhitespaceSplit"), mark])}
            yield {"pre_tokenizer": mark, "normalizer": part("Strip", strip_left=True,
                                                             strip_right=True)}
            yield {"pre_tokenizer": mark, "normalizer": part("NFKC"),
                   "added": [added(257, "<sp>", special=True),
                             added(258, "ab", normalized=True, rstrip=True),
                             added(259, "B", single_word=True, lstrip=True)]}
    for i in range(16):
        flags = dict(single_word=bool(i & 1), lstrip=bool(i & 2), rstrip=bool(i & 4),
                     normalized=bool(i & 8))
        yield {"normalizer": part("Lowercase"), "pre_tokenizer": part("Whitespace"),
               "added": [added(257, "ab", **flags), added(258, "abc", **flags),
                         added(259, "B ", **{**flags, "normalized": not i & 8}),
                         added(260, "é", **flags), added(261, "<sp>", **{**flags, "special": True})]}

    special = {"[C]": {"id": "[C]", "ids": [5], "tokens": ["[C]"]},
               "[S]": {"id": "[S]", "ids": [6, 7], "tokens": ["[S]", "x"]}}
    c, s = ({"SpecialToken": {"id": t, "type_id": i}} for i, t in enumerate(("[C]", "[S]")))
    a, b = ({"Sequence": {"id": t, "type_id": i}} for i, t in enumerate(("A", "B"), 2))
    template = part("TemplateProcessing", single=[c, a, s], pair=[c, b, s, a],
                    special_tokens=special)
    bert = part("BertProcessing", sep=["[S]", 9], cls=["[C]", 8])
    roberta = part("RobertaProcessing", sep=["[S]", 9], cls=["[C]", 8], trim_offsets=True,
                   add_prefix_space=True)
    for p in (template, bert, roberta, byte_level,
              part("Sequence", processors=[byte_level, template]),
              part("Sequence", processors=[bert, byte_level])):
        yield {"pre_tokenizer": part("WhitespaceSplit"), "post_processor": p, "pairs": True}
        for limits in ({"strategy": "LongestFirst"}, {"strategy": "LongestFirst", "direction": "Left"},
                       {"strategy": "OnlyFirst"}, {"strategy": "OnlySecond", "direction": "Left"}):
            truncation = {"max_length": 9, "stride": 0, "direction": "Right", **limits}
            yield {"post_processor": p, "pairs": True, "truncation": truncation}

    def strip(start, stop):
        return part("Strip", content=" ", start=start, stop=stop)

    blank = part("Replace", pattern={"String": "▁"}, content=" ")
    meta = part("Metaspace", replacement="▁", prepend_scheme="always", split=True)
    never = {**meta, "prepend_scheme": "never"}
    for name in ("bpe", "bpe_fuse", "bpe_ignore", "bpe_no_unk", "bpe_partial"):
        yield {"model": name}
        yield {"model": name, "pre_tokenizer": part("WhitespaceSplit")}
    yield {"model": "bpe_fallback", "decoder": part("Sequence", decoders=[
        blank, part("ByteFallback"), part("Fuse"), strip(1, 0)])}
    yield {"model": "bpe_fallback", "decoder": part("Sequence", decoders=[
        part("ByteFallback"), part("Replace", pattern={"Regex": "a+"}, content="-")])}
    yield {"model": "bpe_affix", "pre_tokenizer": part("WhitespaceSplit"),
           "decoder": part("BPEDecoder", suffix="</w>")}
    yield {"model": "bpe_marked", "decoder": blank, "normalizer": part("Sequence", normalizers=[
        part("Prepend", prepend="▁"), part("Replace", pattern={"String": " "}, content="▁")])}
    for cleanup in (False, True):
        yield {"model": "word_piece", "pre_tokenizer": part("BertPreTokenizer"),
               "decoder": part("WordPiece", prefix="##", cleanup=cleanup)}
    yield {"model": "unigram"}
    yield {"model": "unigram", "pre_tokenizer": meta, "decoder": meta}
    yield {"model": "unigram_bytes", "decoder": part("Sequence", decoders=[
        part("ByteFallback"), never])}
    yield {"model": "bytes", "normalizer": part("ByteLevel"), "decoder": part("Sequence", decoders=[
        part("ByteFallback"), byte_level])}


POOL = [" "] * 5 + list("aaabbcABC12é'sSdDtTlL.,!<_-\n\r\t") + [
    "ab", "abc", "<sp>", "B ", "\u0301", "\u0327", "一", "▁", "ſ", "  ", "\u00a0", "\u3000", "\u200b",
    "\u200d", "\u00ad", "\x00", "\x85", "ß", "İ", "Σ", "ﬁ", "①", "²", "가", "\u1100\u1161", "👩‍👧",
    "'LL", "<unk>", "�", "Ａ", "\u1e9b\u0323", "\u0344", "\U0001e4ec", "\U00014000", "\u09fe"]


def text(pieces):
    return "".join(random.choice(POOL) for _ in range(pieces))


def main():
    all_models = models()
    out = []
    for case in cases():
        model = case.setdefault("model", "bytes")
        unk = added(0, "<unk>", special=True)
        document = {"version": "1.0", "truncation": case.get("truncation"), "padding": None,
                    "added_tokens": [unk] + case.get("added", []), "model": all_models[model]}
        for field in ("normalizer", "pre_tokenizer", "post_processor", "decoder"):
            document[field] = case.get(field)
        reference = tokenizers.Tokenizer.from_str(json.dumps(document))
        has_decoder = "decoder" in case
        if not case.pop("pairs", False):
            case["texts"] = []
            for _ in range(8 if model == "bytes" else 12):
                t = text(random.choice([0, 1, 3, 6, 9, 12]))
                ids = reference.encode(t).ids
                row = [t, ids]
                if has_decoder:
                    row += [reference.decode(ids), reference.decode(ids, skip_special_tokens=False)]
                case["texts"].append(row)
        else:
            case["pairs"] = []
            for _ in range(5):
                t, u = text(random.randrange(5)), text(random.randrange(5))
                try:
                    e = reference.encode(t, u)
                    case["pairs"].append([t, u, e.ids, e.type_ids])
                except Exception:  # the text named by the strategy is too short
                    case["pairs"].append([t, u, None, None])
        out.append(case)
    json.dump({"models": all_models, "cases": out}, sys.stdout, ensure_ascii=False,
              separators=(",", ":"))
    print()


main()
