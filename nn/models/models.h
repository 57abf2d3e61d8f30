// One maker per architecture, and what they share.
#pragma once

#include "nn/config.h"
#include "nn/model.h"

namespace lk {

std::unique_ptr<Model> make_llama(const Config& config, Task task);
std::unique_ptr<Model> make_gpt2(const Config& config, Task task);
std::unique_ptr<Model> make_bert(const Config& config, Task task);
std::unique_ptr<Model> make_roberta(const Config& config, Task task);
std::unique_ptr<Model> make_t5(const Config& config, Task task);
std::unique_ptr<Model> make_mistral(const Config& config, Task task);
std::unique_ptr<Model> make_qwen2(const Config& config, Task task);
std::unique_ptr<Model> make_qwen3(const Config& config, Task task);
// The window of each layer, as Qwen2 and Qwen3 write it.
std::vector<int64_t> qwen_windows(const Config& config);

// Error where a causal language model has no head for the task.
void require_decoder_task(const Config& config, Task task, std::string_view family);
// Special ids and the number of classes.
void set_common(ModelInfo& info, const Config& config, Task task);
// A language model's loss from its output layer, as Model::lm_loss says: with whatever adapters and
// weight it has, a block of logits at a time.
Var head_loss(Linear& head, const Var& h, std::span<const int32_t> labels);
// The row of each document's last token.
std::vector<int32_t> last_rows(const Packing& packing);
std::vector<int32_t> first_rows(const Packing& packing);

}  // namespace lk
