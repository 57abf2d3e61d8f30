// Texts in the making: what each has read lies in a key-value cache, what it shall read next waits.
#pragma once

#include <functional>
#include <vector>

#include "nn/kv_cache.h"
#include "nn/model.h"

namespace lk {

class Decoding {
 public:
  // A document for each prompt. An encoder-decoder reads the prompts with its encoder, and its
  // documents begin with the start token. Error when a prompt is empty or fills the context.
  Decoding(Model& model, const std::vector<std::vector<int32_t>>& prompts, int64_t max_new_tokens);
  // Told before each pass which prompt each of its documents continues.
  std::function<void(const std::vector<size_t>& prompts)> before_pass = {};

  int64_t documents() const { return static_cast<int64_t>(texts_.size()); }
  // Reads what waits. [documents, V]: the logits of each document's next token.
  Tensor step();
  void append(int64_t document, int32_t id);
  // What a document has read and will read: prompt (or start token) and what was appended.
  const std::vector<int32_t>& text(int64_t document) const { return at(document).ids; }
  // What was appended alone.
  std::vector<int32_t> written(int64_t document) const;
  // The context has no place for what a further token would predict.
  bool full(int64_t document) const;
  // Goes on with these documents in this order; one that is named twice parts in two.
  void select(const std::vector<int64_t>& documents);

 private:
  struct Text {
    std::vector<int32_t> ids;
    size_t prompt = 0;
    size_t given = 0, read = 0;  // of ids: the prompt's, and those in the cache
    int32_t position = 0;        // of the next id to be read
  };
  const Text& at(int64_t document) const { return texts_.at(static_cast<size_t>(document)); }
  Model& model_;
  std::vector<Text> texts_;
  std::vector<int32_t> source_ids_;
  Packing source_;
  KvCache cache_;
};

}  // namespace lk
