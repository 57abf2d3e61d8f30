#include "tools/llama2c/checkpoint.h"

#include <nlohmann/json.hpp>

#include "engine/files/mapped_file.h"

namespace lk {
namespace {

constexpr int32_t kVersionedMagic = 0x616b3432;  // "ak42": versions 1 and 2
constexpr int64_t kHeaderBytes = 7 * sizeof(int32_t);

Llama2cCheckpoint read_header(const MappedFile& file, const std::string& name) {
  require(file.size() >= kHeaderBytes, "{}: {} bytes are too few for a llama2.c checkpoint", name,
          file.size());
  std::array<int32_t, 7> h;
  std::memcpy(h.data(), file.data(), kHeaderBytes);
  require(h[0] != kVersionedMagic,
          "{}: is a llama2.c checkpoint of version {}; only version 0 (export.py --version 0) is "
          "supported",
          name, h[1]);
  Llama2cCheckpoint c{h[0], h[1], h[2], h[3], h[4], std::abs(int64_t{h[5]}), h[6], h[5] > 0, {}};
  const auto in_range = [&](const char* field, int64_t value, int64_t most) {
    require(value >= 1 && value <= most, "{}: {} is {}, expected 1..{}; is this a llama2.c file?",
            name, field, value, most);
  };
  in_range("dim", c.dim, 1 << 16);
  in_range("hidden_dim", c.hidden_dim, 1 << 18);
  in_range("n_layers", c.layers, 1 << 10);
  in_range("n_heads", c.heads, c.dim);
  in_range("n_kv_heads", c.kv_heads, c.heads);
  in_range("vocab_size", c.vocab_size, 1 << 22);
  in_range("seq_len", c.context, 1 << 22);
  require(c.dim % (2 * c.heads) == 0, "{}: dim {} is no even multiple of n_heads {}", name, c.dim,
          c.heads);
  require(c.heads % c.kv_heads == 0, "{}: n_heads {} is no multiple of n_kv_heads {}", name,
          c.heads, c.kv_heads);
  return c;
}

// llama2.c rotates neighbours (2i, 2i + 1) of a head, transformers i and i + d/2: the rows of the
// query and key matrices move accordingly.
Tensor to_halves(const Tensor& w, int64_t heads) {
  const int64_t rows = w.dim(0), d = rows / heads;
  const auto row_bytes = static_cast<size_t>(w.bytes() / rows);
  Tensor out = Tensor::empty(w.shape(), w.dtype());
  for (int64_t r = 0; r < rows; ++r) {
    const int64_t head = r / d, i = r % d, to = head * d + i / 2 + i % 2 * (d / 2);
    std::memcpy(static_cast<char*>(out.raw()) + static_cast<size_t>(to) * row_bytes,
                static_cast<const char*>(w.raw()) + static_cast<size_t>(r) * row_bytes, row_bytes);
  }
  return out;
}

}  // namespace

Llama2cCheckpoint read_llama2c_checkpoint(const std::filesystem::path& path) {
  const auto file = MappedFile::open(path);
  Llama2cCheckpoint c = read_header(*file, path.string());
  const int64_t head_dim = c.dim / c.heads, kv_dim = c.kv_heads * head_dim;
  // Each of the products is below 2^52 within the header's bounds.
  const int64_t per_layer =
                    2 * c.dim + 2 * c.dim * c.dim + 2 * kv_dim * c.dim + 3 * c.dim * c.hidden_dim,
                table = c.vocab_size * c.dim, rotations = c.context * head_dim,
                floats = table * (c.tied ? 1 : 2) + c.layers * per_layer + c.dim + rotations;
  require(static_cast<int64_t>(file->size()) == kHeaderBytes + 4 * floats,
          "{}: has {} bytes, but dim {}, hidden_dim {}, n_layers {}, n_heads {}, n_kv_heads {}, "
          "vocab_size {} and seq_len {} make {}; the file is truncated or of another kind",
          path.string(), file->size(), c.dim, c.hidden_dim, c.layers, c.heads, c.kv_heads,
          c.vocab_size, c.context, kHeaderBytes + 4 * floats);
  const char* at = file->data() + kHeaderBytes;
  const auto next = [&](const Shape& shape) {
    Tensor t = Tensor::mapped(shape, DType::f32, at, file);
    at += t.bytes();
    return t;
  };
  const auto for_layers = [&](const char* name, const Shape& shape, int64_t rotated_heads = 0) {
    for (int64_t l = 0; l < c.layers; ++l) {
      const Tensor w = next(shape);
      c.tensors.push_back({fmt::format("model.layers.{}.{}.weight", l, name),
                           rotated_heads > 0 ? to_halves(w, rotated_heads) : w});
    }
  };
  c.tensors.push_back({"model.embed_tokens.weight", next({c.vocab_size, c.dim})});
  for_layers("input_layernorm", {c.dim});
  for_layers("self_attn.q_proj", {c.dim, c.dim}, c.heads);
  for_layers("self_attn.k_proj", {kv_dim, c.dim}, c.kv_heads);
  for_layers("self_attn.v_proj", {kv_dim, c.dim});
  for_layers("self_attn.o_proj", {c.dim, c.dim});
  for_layers("post_attention_layernorm", {c.dim});
  for_layers("mlp.gate_proj", {c.hidden_dim, c.dim});
  for_layers("mlp.down_proj", {c.dim, c.hidden_dim});
  for_layers("mlp.up_proj", {c.hidden_dim, c.dim});
  c.tensors.push_back({"model.norm.weight", next({c.dim})});
  at += 4 * rotations;  // cosines and sines, which follow from the config
  if (!c.tied) c.tensors.push_back({"lm_head.weight", next({c.vocab_size, c.dim})});
  return c;
}

nlohmann::json Llama2cCheckpoint::config() const {
  return {{"architectures", {"LlamaForCausalLM"}},
          {"model_type", "llama"},
          {"vocab_size", vocab_size},
          {"hidden_size", dim},
          {"intermediate_size", hidden_dim},
          {"num_hidden_layers", layers},
          {"num_attention_heads", heads},
          {"num_key_value_heads", kv_heads},
          {"max_position_embeddings", context},
          {"rms_norm_eps", 1e-5},
          {"rope_theta", 10000.0},
          {"hidden_act", "silu"},
          {"tie_word_embeddings", tied},
          {"bos_token_id", 1},
          // In training a text is followed by the next one's first token.
          {"eos_token_id", {1, 2}},
          {"torch_dtype", "float32"}};
}

}  // namespace lk
