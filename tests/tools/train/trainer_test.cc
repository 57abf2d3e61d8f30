// The tools as a person runs them: killed and resumed, fed with bad input.
#include <doctest/doctest.h>
#include <sys/wait.h>

#include <cstdlib>

#include "tests/support.h"

namespace lk {
namespace {

struct Outcome {
  int code;
  std::string text;
};

Outcome run(const test::TempDir& dir, const std::string& command) {
  const auto log = dir / "log";
  const int status = std::system((command + " >" + log.string() + " 2>&1").c_str());
  return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), test::read_file(log)};
}

const char* kModel = "tests/oracle/peft/base-bert";

// A model folder with a tokenizer of single letters for the tiny BERT of the reference vectors.
void make_model(const test::TempDir& dir) {
  std::filesystem::create_directories(dir / "model");
  for (const char* file : {"config.json", "model.safetensors"})
    std::filesystem::copy_file(std::filesystem::path(kModel) / file, dir / "model" / file);
  std::string vocab = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n";
  for (char c = 'a'; c <= 'z'; ++c) vocab += std::string(1, c) + "\n##" + c + "\n";
  test::write_file(dir / "model" / "vocab.txt", vocab);
}

std::string data(int records) {
  std::string text;
  for (int i = 0; i < records; ++i)
    text += (i % 2 ? "yes\tabc de" : "no\txyz wv") +
            std::string(1, static_cast<char>('a' + i % 26)) + "\n";
  return text;
}

std::string finetune(const test::TempDir& dir, const std::string& output, const std::string& more) {
  return "bin/finetune --model " + (dir / "model").string() + " --train " +
         (dir / "train.tsv").string() + " --output " + (dir / output).string() +
         " --method lora --rank 2 --lora-dropout 0.1 --batch-size 4 --max-steps 40 --save-steps 5 "
         "--seed 3 " +
         more;
}

TEST_CASE("finetune: killed and resumed, the adapter has the same bytes") {
  const test::TempDir dir;
  make_model(dir);
  test::write_file(dir / "train.tsv", data(30));
  const Outcome whole = run(dir, finetune(dir, "whole", ""));
  CAPTURE(whole.text);
  REQUIRE(whole.code == 0);
  // Killed without warning as soon as the checkpoint of step 20 is there.
  const std::string wait_and_kill =
      "( " + finetune(dir, "cut", "") + " & p=$!; for i in $(seq 2000); do [ -e " +
      (dir / "cut").string() +
      "/checkpoint-00000020.safetensors ] && break; sleep 0.005; done; kill -9 $p; wait $p; true )";
  run(dir, wait_and_kill);
  const Outcome resumed = run(dir, finetune(dir, "cut", "--resume"));
  CAPTURE(resumed.text);
  REQUIRE(resumed.code == 0);
  CHECK(resumed.text.find("resumed after step") != std::string::npos);
  CHECK(test::read_file(dir / "cut" / "adapter" / "adapter_model.safetensors") ==
        test::read_file(dir / "whole" / "adapter" / "adapter_model.safetensors"));
  const Outcome other = run(dir, finetune(dir, "cut", "--resume --lr 0.5"));
  CHECK(other.code == 1);
  CHECK(other.text.find("other options or data") != std::string::npos);
}

TEST_CASE("finetune: bad input is named and nothing is written over") {
  const test::TempDir dir;
  make_model(dir);
  test::write_file(dir / "train.tsv", data(30));
  const auto fails = [&](const std::string& command, int code, const std::string& words) {
    const Outcome o = run(dir, command);
    CAPTURE(command);
    CAPTURE(o.text);
    CHECK(o.code == code);
    CHECK(o.text.find(words) != std::string::npos);
  };
  fails(finetune(dir, "a", "--nonsense"), 2, "--nonsense");
  fails(finetune(dir, "a", "--lr 1e30 --max-grad-norm 0"), 1, "the last good checkpoint stays");
  fails(finetune(dir, "b", "--target-modules qurey"), 1, "nearest first: query");
  fails(finetune(dir, "c", "--max-length 4"), 1, "--truncate");
  fails(finetune(dir, "c", "--dev " + (dir / "gone.tsv").string()), 1,
        "gone.tsv: the data file cannot be read");
  test::write_file(dir / "dev.tsv", "yes\tabc\nmaybe\txyz\n");
  fails(finetune(dir, "c", "--dev " + (dir / "dev.tsv").string()), 1,
        "dev.tsv:2: the label 'maybe' does not stand in the training data");
  test::write_file(dir / "train.tsv", "yes\tabc\nno\n");
  fails(finetune(dir, "c", ""), 1, "train.tsv:2: 1 fields");
  test::write_file(dir / "train.tsv", "");
  fails(finetune(dir, "c", ""), 1, "the data set is empty");
  test::write_file(dir / "train.tsv", data(30));
  const std::string config = test::read_file(dir / "model" / "config.json");
  const auto with_config = [&](const std::string& from, const std::string& to,
                               const std::string& words) {
    std::string changed = config;
    const size_t at = changed.find(from);
    REQUIRE(at != std::string::npos);
    test::write_file(dir / "model" / "config.json", changed.replace(at, from.size(), to));
    fails(finetune(dir, "d", ""), 1, words);
  };
  with_config("\"hidden_size\": 32", "\"hidden_size\": null", "'hidden_size' is missing");
  with_config("\"hidden_size\": 32", "\"hidden_sizes\": 32",
              "'hidden_sizes' is 32, a field that is not known");
  with_config("\"hidden_size\": 32", "\"hidden_size\": -1", "'hidden_size' is -1");
  with_config("\"hidden_size\": 32", "\"hidden_size\": 64", "has shape");
  with_config("\"model_type\": \"bert\"", "\"model_type\": \"birt\"", "'birt' is not supported");
  test::write_file(dir / "model" / "config.json", config);
  std::filesystem::remove(dir / "model" / "model.safetensors");
  fails(finetune(dir, "d", ""), 1, "neither model.safetensors");
}

}  // namespace
}  // namespace lk
