"""tokenizers/: a small tokenizer of each kind, and what the tokenizers library makes of texts that people and
machines write, and of pairs of them. Run it from anywhere; it trains on sentences of data/demo."""
import json
import shutil

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from tokenizers import trainers

import tiny

TEXTS = [
    "", " ", "  ", "a", "I", "The end.", "Who is she?", '"Yes."', "It was a cold day and nobody spoke a word of it.",
    "\"Business!\" cried the ghost, wringing its hands again. 'Mankind was my business,' it said; \"the common "
    "welfare was my business.\"",
    "mixedCASE CamelCase snake_case kebab-case", "don't can't I'll we've he's they'd I'M DON'T",
    "supercalifragilisticexpialidocious antidisestablishmentarianism", "C++ C# .NET node.js",
    "1234567890 12.5 1,000,000 3.14e-10 0x1F", "٣٤٥ ५६७ ½ Ⅷ ²", "!!!???...---___***", '{"key": [1, 2.5, null, true]}',
    "<html><body>&amp;</body></html>", "https://example.org/a?b=c&d=%20#e", "def f(x):\n    return x ** 2  # y\n",
    "tabs\tand\t\ttabs", "line\nline\r\nline\rline", "\n\n\n  \n", " leading and trailing  ", "a   b    c     d",
    "no\u00a0break \u2003em\u200bzero\u2028line\u3000wide", "nul\x00bell\x07esc\x1b[0mdel\x7f", "\ufeffmark \ufffd \ufffe",
    "soft\u00adhyphen joiner\u200dx \u202eright\u202c", "\ud7ff\ue000 private \U0010ffff",
    "Ça va très bien, merci — à bientôt!", "Straße Ärger Übung", "Cafe\u0301 Café a\u0323\u0301 a\u0301\u0323",
    "İstanbul ıssız", "ﬁne ﬂuﬀ ㎏ ①", "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𝒯𝑒𝓍𝓉", "‘curly’ “quotes” … — –", "Привет, мир!", "Γειά σου Κόσμε",
    "שלום עולם", "مرحبا بالعالم", "नमस्ते दुनिया", "สวัสดีชาวโลก", "你好，世界。汉字漢字", "日本語のテキストです。カタカナ", "안녕하세요 세계",
    "ꙮ rare \u034f cgj", "🙂", "🤖🤖🤖 a🙂b", "👩\u200d👩\u200d👧\u200d👦 family 🇩🇪 flag 🏳️\u200d🌈 👍🏽",
    "text<|endoftext|>more", "<s>a</s> <unk> <pad>x", "[MASK]x [MASK] . [CLS][SEP]", "<mask> a <mask>b", "▁under▁line ##hash",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "AbAbAbAbAbAb", "_a.\n🙂_9  \n-  \n \té",
    "' 's 'S 'll'LL ' re", "9🙂\n.  'sB- 🙂é _.  。_9\t", "쭛♊ആ왤괆듳밯즦&枹齯⅓🍢",
]
SENTENCES = ["it was a cold day and nobody spoke a word of it", "the end of the day", "some people know the way"]
GPT2_SPLIT = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}DIGITS| ?[^\s\p{L}\p{N}]+[\r\n]*|"
              r"\s*[\r\n]+|\s+(?!\S)|\s+")
CHAT = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]


def corpus():
    lines = (tiny.ROOT.parents[1] / "data" / "demo" / "dev.jsonl").read_text().splitlines()
    return SENTENCES * 20 + [json.loads(line)["output"] for line in lines]


def word_piece():
    t = Tokenizer(models.WordPiece(unk_token="[UNK]", max_input_chars_per_word=30))
    t.normalizer = normalizers.BertNormalizer(lowercase=False, strip_accents=True)
    t.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    t.train_from_iterator(corpus(), trainers.WordPieceTrainer(vocab_size=240, special_tokens=special))
    t.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    t.decoder = decoders.WordPiece(cleanup=True)
    return t


def byte_level(split=None, normalizer=None):
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    if normalizer:
        t.normalizer = normalizer
    if split:
        t.pre_tokenizer = pre_tokenizers.Sequence([
            pre_tokenizers.Split(Regex(split), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    t.decoder = decoders.ByteLevel()
    t.train_from_iterator(corpus(), trainers.BpeTrainer(
        vocab_size=420, special_tokens=CHAT, initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    return t


def roberta():
    t = byte_level()
    t.add_special_tokens(["<s>", "</s>", AddedToken("<mask>", lstrip=True)])
    t.post_processor = processors.RobertaProcessing(("</s>", t.token_to_id("</s>")), ("<s>", t.token_to_id("<s>")),
                                                    add_prefix_space=False)
    return t


def byte_fallback():
    t = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    t.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    special = ["<unk>", "<s>", "</s>"]
    t.train_from_iterator(corpus(), trainers.BpeTrainer(
        vocab_size=460, special_tokens=special + [f"<0x{b:02X}>" for b in range(256)]))
    t.post_processor = processors.TemplateProcessing("<s> $A", "<s> $A <s>:1 $B:1", [("<s>", 1)])
    t.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(),
                                   decoders.Strip(" ", 1, 0)])
    parts = json.loads(t.to_str())
    parts["added_tokens"] = parts["added_tokens"][:3]  # in Llama 2's file the bytes are tokens of the model alone
    return Tokenizer.from_str(json.dumps(parts))


def unigram():
    t = Tokenizer(models.Unigram())
    t.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")])
    t.pre_tokenizer = pre_tokenizers.Metaspace()
    t.train_from_iterator(corpus(), trainers.UnigramTrainer(
        vocab_size=200, special_tokens=["<pad>", "</s>", "<unk>"], unk_token="<unk>"))
    t.post_processor = processors.TemplateProcessing("$A </s>", "$A </s> $B </s>", [("</s>", 1)])
    t.decoder = decoders.Metaspace()
    return t


CASES = {
    "wordpiece-trained": word_piece,
    "llama3-bpe": lambda: byte_level(GPT2_SPLIT.replace("DIGITS", "{1,3}")),
    "qwen-bpe-nfc": lambda: byte_level(GPT2_SPLIT.replace("DIGITS", ""), normalizers.NFC()),
    "roberta-bpe": roberta,
    "llama2-byte-fallback": byte_fallback,
    "unigram": unigram,
}


def line(tokenizer, text, pair):
    encoded = tokenizer.encode(text)
    out = {"text": text, "ids": encoded.ids, "ids_no_special": tokenizer.encode(text, add_special_tokens=False).ids,
           "decoded": tokenizer.decode(encoded.ids),
           "decoded_with_special": tokenizer.decode(encoded.ids, skip_special_tokens=False)}
    if pair is not None:
        both = tokenizer.encode(text, pair)
        out |= {"pair": pair, "pair_ids": both.ids, "pair_types": both.type_ids}
    return json.dumps(out, ensure_ascii=False, separators=(",", ":"))


def make(name, train):
    tokenizer = train()
    path = folder / f"{name}.tokenizer.json"
    path.write_text(tokenizer.to_str())
    tokenizer = Tokenizer.from_file(str(path))  # scores as the file has them
    pairs = [TEXTS[i - 7] if i % 4 == 0 else None for i in range(len(TEXTS))]
    lines = [line(tokenizer, text, pair) for text, pair in zip(TEXTS, pairs)]
    (folder / f"{name}.jsonl").write_bytes(("\n".join(lines) + "\n").encode())
    return {"name": name, "tokenizer": f"tokenizers/{name}.tokenizer.json", "lines": f"tokenizers/{name}.jsonl",
            "tolerance": {"ids": "exact", "decoded": "exact"}}


folder = tiny.ROOT / "tokenizers"
shutil.rmtree(folder, ignore_errors=True)
folder.mkdir()
tiny.index("tokenizers", [make(name, train) for name, train in CASES.items()])
