// Real models that tests use where they are there.
#pragma once

#include <fmt/core.h>

#include <cstdlib>
#include <filesystem>

namespace lk::test {

// MODELS_DIR, by default ../shared/data/models.
inline std::filesystem::path shared_models() {
  const char* folder = std::getenv("MODELS_DIR");
  return folder ? folder : "../shared/data/models";
}

// MINILM_DIR, by default where `make demo-minilm` unpacks it; empty when it is not there.
inline std::filesystem::path minilm_folder() {
  if (const char* folder = std::getenv("MINILM_DIR")) return folder;
  const std::filesystem::path package = "build/minilm/package";
  if (std::filesystem::exists(package))
    for (const auto& entry : std::filesystem::directory_iterator(package))
      if (std::filesystem::exists(entry.path() / "model/model.safetensors"))
        return entry.path() / "model";
  return {};
}

// Says `skipped` where a test's file or folder is not there.
inline bool skipped(const std::string& what, const std::filesystem::path& needs) {
  if (std::filesystem::exists(needs)) return false;
  fmt::print("{}: skipped, there is no {}\n", what, needs.empty() ? "folder" : needs.string());
  return true;
}

}  // namespace lk::test
