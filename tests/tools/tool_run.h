// The tools as a person runs them: processes, their exit codes and what they print; and small model
// folders.
#pragma once

#include <string>

#include "tests/support.h"

namespace lk::test {

struct Outcome {
  int code = -1;     // 128 + the signal's number where one ended it
  std::string text;  // stdout and stderr
  bool says(const std::string& words) const { return text.find(words) != std::string::npos; }
};

// The path of a tool, built beside this test binary.
std::string tool(const std::string& name);
// Runs a shell command to its end.
Outcome run(const TempDir& dir, const std::string& command);
// Starts `command`, waits until `file` is there, and sends it `signal`. A run that was over before
// the signal came is taken again, from an empty `output`.
Outcome run_and_signal(const TempDir& dir, const std::string& command,
                       const std::filesystem::path& output, const std::string& file,
                       const std::string& signal);

// DIR/model: the tiny BERT of the reference vectors with a tokenizer of single letters.
void make_bert_folder(const TempDir& dir);
// DIR/NAME: an untrained Llama of two blocks with the shipped base's tokenizer, a context of 64.
void make_llama_folder(const TempDir& dir, const std::string& name = "model", uint64_t seed = 1);
// Lines "yes<TAB>abc dex" that a classifier can tell apart.
std::string class_data(int records);
// Lines {"input": ..., "output": ...}.
std::string text_data(int records);

}  // namespace lk::test
