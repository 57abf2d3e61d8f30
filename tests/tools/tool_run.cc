#include "tests/tools/tool_run.h"

#include <sys/wait.h>

#include <cstdlib>

#include "nn/load.h"

namespace lk::test {

std::string tool(const std::string& name) {
  return (std::filesystem::read_symlink("/proc/self/exe").parent_path() / name).string();
}

Outcome run(const TempDir& dir, const std::string& command) {
  const auto log = dir / "log";
  const int status = std::system(("( " + command + " ) >" + log.string() + " 2>&1").c_str());
  return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), read_file(log)};
}

Outcome run_and_signal(const TempDir& dir, const std::string& command,
                       const std::filesystem::path& output, const std::string& file,
                       const std::string& signal) {
  Outcome o;
  for (int attempt = 0; attempt < 30; ++attempt) {
    std::filesystem::remove_all(output);
    o = run(dir, command + " & p=$!; while [ ! -e " + (output / file).string() +
                     " ] && [ -e /proc/$p/exe ]; do sleep 0.005; done; kill -" + signal +
                     " $p; wait $p");
    if (o.code != 0) return o;
  }
  return o;
}

void make_bert_folder(const TempDir& dir) {
  std::filesystem::create_directories(dir / "model");
  for (const char* file : {"config.json", "model.safetensors"})
    std::filesystem::copy_file(
        std::filesystem::path("tests/vectors/models/bert-classification") / file,
        dir / "model" / file, std::filesystem::copy_options::overwrite_existing);
  std::string vocab = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n";
  for (char c = 'a'; c <= 'z'; ++c) vocab += std::string(1, c) + "\n##" + c + "\n";
  write_file(dir / "model" / "vocab.txt", vocab);
}

void make_llama_folder(const TempDir& dir, const std::string& name, uint64_t seed) {
  const auto tokenizer = std::filesystem::path("data/base/tokenizer.json");
  const auto rows = Config::load("data/base").integer("vocab_size", 1, 1 << 20);
  const Config config = Config::parse(
      R"({"model_type": "llama", "architectures": ["LlamaForCausalLM"], "hidden_size": 16,
          "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32,
          "max_position_embeddings": 64, "initializer_range": 0.2, "eos_token_id": 0,
          "tie_word_embeddings": true, "vocab_size": )" +
          std::to_string(rows) + "}",
      name);
  save_model(*make_model(config, Task::causal_lm, DType::f32, seed), config, dir / name,
             DType::f32);
  std::filesystem::copy_file(tokenizer, dir / name / "tokenizer.json");
}

std::string class_data(int records) {
  std::string text;
  for (int i = 0; i < records; ++i)
    text += (i % 2 ? "yes\tabc de" : "no\txyz wv") +
            std::string(1, static_cast<char>('a' + i % 26)) + "\n";
  return text;
}

std::string text_data(int records) {
  std::string text;
  for (int i = 0; i < records; ++i) {
    const std::string n = std::to_string(i);
    text += R"({"input": "the number )" + n + R"(", "output": ")" +
            (i % 2 ? "It is odd." : "It is even, as it was.") + "\"}\n";
  }
  return text;
}

}  // namespace lk::test
