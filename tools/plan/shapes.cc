#include "tools/plan/shapes.h"

#include <map>

#include "engine/error.h"

namespace lk {
namespace {

std::string llama(int64_t layers, int64_t hidden, int64_t heads, int64_t key_heads, int64_t ffn,
                  int64_t vocabulary, bool tied) {
  return fmt::format(
      R"({{"model_type":"llama","architectures":["LlamaForCausalLM"],"num_hidden_layers":{},
          "hidden_size":{},"num_attention_heads":{},"num_key_value_heads":{},"intermediate_size":{},
          "vocab_size":{},"tie_word_embeddings":{},"rms_norm_eps":1e-6}})",
      layers, hidden, heads, key_heads, ffn, vocabulary, tied);
}

const std::map<std::string, std::string>& shapes() {
  static const std::map<std::string, std::string> table{
      {"gpt2-small",
       R"({"model_type":"gpt2","architectures":["GPT2LMHeadModel"],"embd_pdrop":0,"attn_pdrop":0,"resid_pdrop":0})"},
      {"llama-160m", llama(12, 768, 12, 4, 2048, 32000, false)},
      {"llama-1b", llama(16, 2048, 32, 8, 8192, 128256, true)},  // Llama-3.2-1B
      {"llama-3b", llama(28, 3072, 24, 8, 8192, 128256, true)},
      {"llama-7b", llama(32, 4096, 32, 32, 11008, 32000, false)},
      {"llama-8b", llama(32, 4096, 32, 8, 14336, 128256, false)},  // Llama-3.1-8B
      {"llama-13b", llama(40, 5120, 40, 40, 13824, 32000, false)},
      {"llama-65b", llama(80, 8192, 64, 64, 22016, 32000, false)},
      {"minilm",
       R"({"model_type":"bert","architectures":["BertForSequenceClassification"],"num_hidden_layers":6,
           "hidden_size":384,"num_attention_heads":12,"intermediate_size":1536,"vocab_size":30522,
           "max_position_embeddings":512,"hidden_dropout_prob":0,"attention_probs_dropout_prob":0,"num_labels":2})"}};
  return table;
}

}  // namespace

std::vector<std::string> shape_names() {
  std::vector<std::string> names;
  for (const auto& [name, text] : shapes()) names.push_back(name);
  return names;
}

Config named_shape(const std::string& name) {
  const auto found = shapes().find(name);
  if (found != shapes().end()) return Config::parse(found->second, name);
  std::string known;
  for (const std::string& n : shape_names()) known += (known.empty() ? "" : ", ") + n;
  fail("there is no shape '{}' (known: {})", name, known);
}

}  // namespace lk
