// How fast a tokenizer reads a text.
#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>

namespace lk {

// Encodes the lines of `text` one after another on this thread, once, without special tokens. `sum`
// of the ids tells whether another program found the same.
nlohmann::ordered_json bench_tokenize(const std::filesystem::path& tokenizer,
                                      const std::filesystem::path& text);

}  // namespace lk
