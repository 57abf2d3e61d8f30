// llama2.c's files: small ones made here, and stories260K where it is there.
#include <cmath>

#include "data/tokenizer/tokenizer.h"
#include "nn/generate.h"
#include "nn/load.h"
#include "tests/shared_models.h"
#include "tests/tools/tool_run.h"
#include "tools/llama2c/checkpoint.h"

namespace lk {
namespace {

template <class T>
std::string number(T value) {
  return {reinterpret_cast<const char*>(&value), sizeof(T)};
}

// dim, hidden_dim, layers, heads, kv heads, vocabulary (negative: an output layer of its own),
// context.
using Header = std::array<int32_t, 7>;
constexpr Header kSmall{8, 6, 2, 2, 1, 263, 16};

// The i-th float is i.
std::string checkpoint(const Header& h, int64_t floats) {
  std::string out;
  for (const int32_t field : h) out += number(field);
  for (int64_t i = 0; i < floats; ++i) out += number(static_cast<float>(i));
  return out;
}

// In llama2.c's order: embedding, norms, wq, wk, wv, wo, norms, w1, w2, w3, norm, cosines and
// sines; layers within each.
constexpr int64_t kSmallFloats =
    263 * 8 + 2 * (8 + 64 + 32 + 32 + 64 + 8 + 48 + 48 + 48) + 8 + 16 * 4;

std::string vocabulary(const std::vector<std::pair<std::string, float>>& pieces) {
  std::string out = number<int32_t>(7);
  const auto add = [&](const std::string& text, float score) {
    out += number(score) + number(static_cast<int32_t>(text.size())) + text;
  };
  for (const char* special : {"<unk>", "\n<s>\n", "\n</s>\n"}) add(special, 0);
  for (int byte = 0; byte < 256; ++byte) add(fmt::format("<0x{:02X}>", byte), 0);
  for (const auto& [text, score] : pieces) add(text, score);
  return out;
}

std::string at(const test::TempDir& dir, const char* name) { return (dir / name).string(); }

test::Outcome convert(const test::TempDir& dir) {
  return run(dir, test::tool("convert_llama2c") + " --checkpoint " + at(dir, "model.bin") +
                      " --tokenizer " + at(dir, "tok.bin") + " --output " + at(dir, "out"));
}

TEST_CASE("llama2.c: where the weights go, and the rows of queries and keys") {
  const test::TempDir dir;
  test::write_file(dir / "model.bin", checkpoint(kSmall, kSmallFloats));
  test::write_file(dir / "tok.bin", vocabulary({{" ", -1}, {"a", -2}, {" a", -3}, {"b", -4}}));
  const test::Outcome o = convert(dir);
  CAPTURE(o.text);
  REQUIRE(o.code == 0);
  const LoadedModel loaded = load_model(dir / "out", {});
  CHECK(loaded.unused.empty());
  CHECK(loaded.model->info().kv_heads == 1);
  CHECK(loaded.model->info().max_positions == 16);
  CHECK(loaded.model->info().eos_ids == std::vector<int32_t>{1, 2});
  const WeightFiles files = WeightFiles::open(dir / "out");
  const auto first = [&](const std::string& name) { return files.get(name).item(0); };
  const int64_t table = 263 * 8;
  CHECK(first("model.embed_tokens.weight") == 0);
  CHECK(first("model.layers.1.input_layernorm.weight") == table + 8);
  const int64_t q = table + 16, k = q + 128, v = k + 64, o_proj = v + 64;
  CHECK(first("model.layers.0.self_attn.q_proj.weight") == q);
  CHECK(first("model.layers.1.self_attn.k_proj.weight") == k + 32);
  CHECK(first("model.layers.0.self_attn.v_proj.weight") == v);
  CHECK(first("model.layers.0.self_attn.o_proj.weight") == o_proj);
  const int64_t norm = o_proj + 128, gate = norm + 16, down = gate + 96, up = down + 96;
  CHECK(first("model.layers.0.post_attention_layernorm.weight") == norm);
  CHECK(first("model.layers.1.mlp.gate_proj.weight") == gate + 48);
  CHECK(first("model.layers.0.mlp.down_proj.weight") == down);
  CHECK(first("model.layers.0.mlp.up_proj.weight") == up);
  CHECK(first("model.norm.weight") == up + 96);
  // Rows 0 1 2 3 of a head (pairs 01 23) become 0 2 1 3 (pairs of the halves).
  const Tensor rows = files.get("model.layers.0.self_attn.q_proj.weight");
  for (const auto& [to, from] : {std::pair{0, 0}, {1, 2}, {2, 1}, {3, 3}, {5, 6}, {6, 5}})
    CHECK(rows.item(to * 8) == q + from * 8);
}

TEST_CASE("llama2.c: an output layer of its own is kept") {
  const test::TempDir dir;
  Header untied = kSmall;
  untied[5] = -263;
  test::write_file(dir / "model.bin", checkpoint(untied, kSmallFloats + 263 * 8));
  const Llama2cCheckpoint c = read_llama2c_checkpoint(dir / "model.bin");
  CHECK_FALSE(c.tied);
  CHECK(c.tensors.back().name == "lm_head.weight");
  CHECK(c.tensors.back().tensor.item(0) == kSmallFloats);
}

TEST_CASE("llama2.c: the pieces merge by score, and bytes stand for what has no piece") {
  const test::TempDir dir;
  Header h = kSmall;
  h[5] = 266;
  test::write_file(dir / "model.bin", checkpoint(h, kSmallFloats + 3 * 8));
  // "abc" is "ab" and "c" or "a" and "bc": the higher score decides.
  test::write_file(
      dir / "tok.bin",
      vocabulary({{" ", -9}, {"a", -9}, {"b", -9}, {"c", -9}, {"ab", -3}, {"bc", -2}, {"\n", -9}}));
  const test::Outcome o = convert(dir);
  CAPTURE(o.text);
  REQUIRE(o.code == 0);
  const Tokenizer t = Tokenizer::load(dir / "out");
  const int32_t blank = 259, a = 260, b = 261, bc = 264;
  CHECK(t.encode("abc") == std::vector<int32_t>{1, blank, a, bc});
  CHECK(t.encode("b\n", false) == std::vector<int32_t>{blank, b, 265});
  CHECK(t.encode("\xc3\xa9", false) == std::vector<int32_t>{blank, 3 + 0xc3, 3 + 0xa9});
  CHECK(t.decode(t.encode("a bc \xc3\xa9")) == "a bc \xc3\xa9");
}

TEST_CASE("llama2.c: broken files are named, and what is wrong with them") {
  const test::TempDir dir;
  const std::string good = checkpoint(kSmall, kSmallFloats),
                    good_pieces = vocabulary({{" ", -1}, {"a", -2}, {" a", -3}, {"b", -4}});
  const auto says = [&](const std::string& model, const std::string& pieces,
                        const std::string& words) {
    test::write_file(dir / "model.bin", model);
    test::write_file(dir / "tok.bin", pieces);
    const test::Outcome o = convert(dir);
    CAPTURE(o.text);
    CHECK(o.code == 1);
    CHECK(o.says(words));
    CHECK_FALSE(std::filesystem::exists(dir / "out"));
  };
  const auto header = [&](size_t field, int32_t value) {
    Header h = kSmall;
    h[field] = value;
    return checkpoint(h, kSmallFloats);
  };
  says(good.substr(0, 20), good_pieces, "model.bin: 20 bytes are too few");
  says(good.substr(0, good.size() - 1), good_pieces, "the file is truncated or of another kind");
  says(good + "x", good_pieces, "the file is truncated or of another kind");
  says(header(0, 0), good_pieces, "dim is 0, expected 1..");
  says(header(2, -5), good_pieces, "n_layers is -5, expected 1..");
  says(header(1, INT32_MAX), good_pieces, "hidden_dim is 2147483647, expected 1..");
  says(header(5, INT32_MIN), good_pieces, "vocab_size is 2147483648, expected 1..");
  says(header(6, 17), good_pieces, "seq_len 17 make");
  says(header(3, 3), good_pieces, "dim 8 is no even multiple of n_heads 3");
  says(header(4, 3), good_pieces, "n_kv_heads is 3, expected 1..2");
  says(header(0, 0x616b3432), good_pieces, "only version 0");
  says(good, good_pieces.substr(0, good_pieces.size() - 1), "ends within token 262 of 263");
  says(good, good_pieces.substr(0, 2), "ends within token 0 of 263");
  says(good, good_pieces + "x", "1 bytes are left after 263 tokens");
  says(good, vocabulary({{" ", 0}, {"a", 0}, {"a", 0}, {"b", 0}}), "the token 'a' is there twice");
  says(good, vocabulary({{" ", 0}, {"\xff", 0}, {"a", 0}, {"b", 0}}), "token 260 is no UTF-8");
  says(good, vocabulary({{" ", 0}, {"a", NAN}, {"c", 0}, {"b", 0}}), "token 260 has no score");
  std::string negative = good_pieces;
  negative[8] = negative[9] = negative[10] = negative[11] = '\xff';
  says(good, negative, "token 0 has a length of -1");
}

TEST_CASE("llama2.c: stories260K tells its story word for word") {
  const std::filesystem::path folder = test::shared_models() / "stories260K";
  if (test::skipped("llama2.c: stories260K", folder)) return;
  const test::TempDir dir;
  const test::Outcome o =
      run(dir, test::tool("convert_llama2c") + " --checkpoint " +
                   (folder / "stories260K.bin").string() + " --tokenizer " +
                   (folder / "tok512.bin").string() + " --output " + at(dir, "out"));
  CAPTURE(o.text);
  REQUIRE(o.code == 0);
  std::string expected = test::read_file(folder / "expected-greedy.txt");
  while (!expected.empty() && expected.back() == '\n') expected.pop_back();
  REQUIRE(expected.size() > 500);
  // llama2.c takes 256 steps from the first token on.
  LoadedModel loaded = load_model(dir / "out", {});
  const Tokenizer tokenizer = Tokenizer::load(dir / "out");
  GenerateOptions options;
  options.max_new_tokens = 256;
  CHECK(tokenizer.decode(generate(*loaded.model, {{1}}, options)[0]) == expected);
  const std::string prompt = "Once upon a time";
  const test::Outcome told = run(dir, test::tool("generate") + " --model " + at(dir, "out") +
                                          " --prompt '" + prompt + "' --raw --max-new-tokens 300");
  CHECK(told.code == 0);
  CHECK((prompt + told.text).substr(0, expected.size()) == expected);
}

}  // namespace
}  // namespace lk
