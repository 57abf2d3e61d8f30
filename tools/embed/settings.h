// How a model folder wants sentences to be embedded: sentence-transformers' modules.json and what
// it names.
#pragma once

#include <filesystem>

#include "nn/embed_texts.h"

namespace lk {

struct EmbedSettings {
  std::filesystem::path model;  // the folder, or the one inside that holds the transformer
  Pooling pooling = Pooling::mean;
  bool normalize = false;
  int64_t max_length = 0;  // tokens; 0: the model's context
};

// A folder without modules.json: the mean, as sentence-transformers then takes it. Error for a
// module, a pooling or a setting that would change the result and is not supported.
EmbedSettings read_embed_settings(const std::filesystem::path& folder);

Pooling pooling_from_name(const std::string& name);  // mean, cls, last

}  // namespace lk
