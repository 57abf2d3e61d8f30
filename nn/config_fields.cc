#include "nn/config_fields.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "engine/error.h"

namespace lk {
namespace {

// The keys of transformers' PretrainedConfig (4.57), and those that its tools and others leave in
// files.
const ConfigFields& common() {
  static const ConfigFields fields{
      .read = {"architectures", "model_type", "initializer_range", "initializer_factor", "id2label",
               "label2id", "num_labels", "bos_token_id", "eos_token_id", "pad_token_id",
               "quantization_config"},
      // pruned_heads: fewer heads than the shape says; problem_type: another loss.
      // (quantization_config is load_model's to refuse.)
      .only = {{"pruned_heads", "[{}]"},
               {"add_cross_attention", "[false]"},
               {"tie_encoder_decoder", "[false]"},
               {"problem_type", R"(["single_label_classification"])"}},
      .neutral = {"transformers_version", "transformers.js_config", "torch_dtype", "dtype",
                  "use_bfloat16", "use_cache", "_name_or_path", "name_or_path", "_commit_hash",
                  "_num_labels", "auto_map", "attn_implementation", "_attn_implementation",
                  "_attn_implementation_autoset", "use_flash_attention", "gradient_checkpointing",
                  "output_hidden_states", "output_attentions", "output_past", "return_dict",
                  "torchscript", "tf_legacy_loss", "chunk_size_feed_forward", "is_decoder",
                  "cross_attention_hidden_size", "finetuning_task", "task_specific_params",
                  "tokenizer_class", "prefix", "sep_token_id", "cls_token_id", "mask_token_id",
                  "unk_token_id", "decoder_start_token_id", "model_max_length", "pretraining_tp",
                  "unsloth_fixed", "unsloth_version",
                  // Defaults of generate().
                  "max_length", "max_new_tokens", "min_length", "do_sample", "early_stopping",
                  "num_beams", "num_beam_groups", "diversity_penalty", "temperature", "top_k",
                  "top_p", "typical_p", "repetition_penalty", "length_penalty",
                  "no_repeat_ngram_size", "encoder_no_repeat_ngram_size", "bad_words_ids",
                  "num_return_sequences", "output_scores", "return_dict_in_generate",
                  "forced_bos_token_id", "forced_eos_token_id", "remove_invalid_values",
                  "exponential_decay_length_penalty", "suppress_tokens", "begin_suppress_tokens"}};
  return fields;
}

bool holds(const std::vector<std::string>& keys, const std::string& key) {
  return std::find(keys.begin(), keys.end(), key) != keys.end();
}

bool stands_for_nothing(const nlohmann::json& value) {
  return value.is_null() || value == false || value == 0 || value == "" ||
         (value.is_structured() && value.empty());
}

}  // namespace

void check_fields(const Config& config, const std::string& who, const ConfigFields& fields) {
  for (const auto& entry : config.json().items()) {
    // (clang 14 captures no structured bindings.)
    const std::string& key = entry.key();
    const nlohmann::json& value = entry.value();
    if (value.is_null()) continue;
    bool known = false;
    for (const ConfigFields* table : {&fields, &common()}) {
      const auto it = std::find_if(table->only.begin(), table->only.end(),
                                   [&](const auto& field) { return field.first == key; });
      if (!known && it != table->only.end()) {
        const auto allowed = nlohmann::json::parse(it->second);
        require(std::find(allowed.begin(), allowed.end(), value) != allowed.end(),
                "{}: '{}' is {}, which is not supported for {} and would change the result "
                "(supported: {})",
                config.file(), key, value.dump(), who,
                allowed.empty() ? "no such field" : allowed.dump());
        known = true;
      }
      known = known || holds(table->read, key) || holds(table->neutral, key);
    }
    require(known || stands_for_nothing(value),
            "{}: '{}' is {}, a field that is not known for {} and might change the result; if it "
            "does not, take it out of the file",
            config.file(), key, value.dump(), who);
  }
}

}  // namespace lk
