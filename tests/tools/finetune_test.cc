// finetune as a person runs it: killed and resumed, interrupted, fed with bad input, on a full
// disk.
#include <doctest/doctest.h>

#include <cmath>
#include <set>

#include "engine/files/checkpoint.h"
#include "engine/files/folder_lock.h"
#include "tests/tools/tool_run.h"

namespace lk {
namespace {

using test::Outcome;

// `more` goes over the defaults here.
std::string finetune(const test::TempDir& dir, const std::string& output, const std::string& more,
                     const std::string& data = "train.tsv") {
  std::string command = test::tool("finetune") + " --model " + (dir / "model").string() +
                        " --train " + (dir / data).string() + " --output " +
                        (dir / output).string() + " " + more;
  for (const char* option :
       {"--method lora", "--rank 2", "--dropout 0.1", "--batch-size 4", "--seed 3"}) {
    const std::string text = option, name = text.substr(0, text.find(' ') + 1);
    const bool of_lora = text == "--rank 2" && more.find("--method") != std::string::npos;
    if (more.find(name) == std::string::npos && !of_lora) command += " " + text;
  }
  return command;
}

void make_bert_task(const test::TempDir& dir) {
  test::make_bert_folder(dir);
  test::write_file(dir / "train.tsv", test::class_data(30));
}

// Every file below two output folders is the same, but what names the folder or times the run.
void check_same_files(const std::filesystem::path& a, const std::filesystem::path& b) {
  const auto files = [](const std::filesystem::path& root) {
    std::set<std::string> names;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(root))
      if (entry.is_regular_file())
        names.insert(std::filesystem::relative(entry.path(), root).string());
    for (const char* own : {".lock", "run.toml", "results.json"}) names.erase(own);
    return names;
  };
  const auto names = files(a);
  for (const std::string& name : files(b)) {
    CAPTURE(name);
    CHECK(names.count(name) == 1);
  }
  CHECK(names.count("adapter/adapter_model.safetensors") == 1);
  CHECK(names.size() >= 3);
  for (const std::string& name : names) {
    CAPTURE(name);
    CHECK(test::read_file(a / name) == test::read_file(b / name));
  }
}

TEST_CASE("finetune: 40 steps, or 20, kill -9 and 20 more: all files have the same bytes") {
  const test::TempDir dir;
  make_bert_task(dir);
  std::string steps = "--max-steps 40 --save-steps 5 ";
  SUBCASE("lora") {}
  // It has a state of its own beside the optimizer's.
  SUBCASE("adalora") {
    steps += "--method adalora --init-rank 3 --target-rank 1 --tinit 4 --tfinal 6 ";
  }
  const Outcome whole = run(dir, finetune(dir, "whole", steps));
  CAPTURE(whole.text);
  REQUIRE(whole.code == 0);
  const Outcome cut = run_and_signal(dir, finetune(dir, "cut", steps), dir / "cut",
                                     "checkpoint-00000020.safetensors", "9");
  CHECK(cut.code == 128 + 9);
  CHECK(!std::filesystem::exists(dir / "cut" / "adapter"));
  const Outcome resumed = run(dir, finetune(dir, "cut", steps + "--resume"));
  CAPTURE(resumed.text);
  REQUIRE(resumed.code == 0);
  CHECK(resumed.says("resumed after step"));
  check_same_files(dir / "whole", dir / "cut");
}

TEST_CASE("finetune: Ctrl-C writes a checkpoint, says how to go on, and loses nothing") {
  const test::TempDir dir;
  make_bert_task(dir);
  for (const char* signal : {"INT", "TERM"}) {
    const std::string name = signal, steps = "--max-steps 300 --save-steps 100 ";
    if (name == "INT") REQUIRE(run(dir, finetune(dir, "whole", steps)).code == 0);
    const Outcome cut = run_and_signal(dir, finetune(dir, name, steps), dir / name,
                                       "checkpoint-00000100.safetensors", name);
    CAPTURE(cut.text);
    CHECK(cut.code == 1);
    CHECK(cut.says("interrupted after step"));
    CHECK(cut.says("--resume"));
    CHECK(!std::filesystem::exists(dir / name / "adapter"));
    std::vector<std::string> damaged;
    const auto saved = latest_checkpoint(dir / name, damaged);
    REQUIRE(saved.has_value());
    CHECK(cut.says("interrupted after step " + std::to_string(saved->integer("step"))));
    CHECK(saved->integer("step") < 300);
    if (name == "TERM") continue;
    const Outcome resumed = run(dir, finetune(dir, name, steps + "--resume"));
    CAPTURE(resumed.text);
    REQUIRE(resumed.code == 0);
    CHECK(test::read_file(dir / name / "adapter" / "adapter_model.safetensors") ==
          test::read_file(dir / "whole" / "adapter" / "adapter_model.safetensors"));
  }
}

TEST_CASE("finetune: a run is resumed with what it was started with, or not at all") {
  const test::TempDir dir;
  make_bert_task(dir);
  const std::string steps = "--max-steps 4 --save-steps 2 ";
  const Outcome none = run(dir, finetune(dir, "out", steps + "--resume"));
  CHECK(none.code == 1);
  CHECK(none.says("no checkpoint to resume from"));
  REQUIRE(run(dir, finetune(dir, "out", steps)).code == 0);
  for (const std::string other :
       {"--lr 0.5", "--rank 3", "--lr-scheduler cosine", "--weight-decay 0.3", "--group-by-length",
        "--seed 4", "--warmup-ratio 0.5", "--beta2 0.9", "--optimizer lion", "--batch-size 3",
        "--max-grad-norm 2"}) {
    const Outcome o = run(dir, finetune(dir, "out", steps + "--resume " + other));
    CAPTURE(other);
    CAPTURE(o.text);
    CHECK(o.code == 1);
    CHECK(o.says("other options or data"));
  }
  test::write_file(dir / "train.tsv", test::class_data(29) + "yes\tabc dea\n");
  CHECK(run(dir, finetune(dir, "out", steps + "--resume")).says("other options or data"));
}

TEST_CASE("finetune: a loss that is not a number stops the run; the checkpoint before stays good") {
  const test::TempDir dir;
  make_bert_task(dir);
  const Outcome o =
      run(dir, finetune(dir, "a", "--lr 1e30 --max-grad-norm 0 --max-steps 40 --save-steps 1"));
  CAPTURE(o.text);
  CHECK(o.code == 1);
  const size_t at = o.text.find("error: step ");
  REQUIRE(at != std::string::npos);
  const int step = std::stoi(o.text.substr(at + 12));
  CHECK(step > 1);
  CHECK(!std::filesystem::exists(dir / "a" / "adapter"));
  std::vector<std::string> damaged;
  const auto saved = latest_checkpoint(dir / "a", damaged);
  REQUIRE(saved.has_value());
  CHECK(damaged.empty());
  CHECK(saved->integer("step") == step - 1);

  // One poisoned weight of the base.
  std::vector<NamedTensor> tensors;
  {
    const auto file = SafetensorsFile::open(dir / "model" / "model.safetensors");
    for (const std::string& name : file->names())
      tensors.push_back({name, file->get(name).clone()});
  }
  for (const NamedTensor& t : tensors)
    if (t.name.find("layer.1.output.dense.weight") != std::string::npos)
      t.tensor.data<float>()[5] = NAN;
  save_safetensors(dir / "model" / "model.safetensors", tensors);
  const Outcome poisoned = run(dir, finetune(dir, "b", "--max-steps 3"));
  CAPTURE(poisoned.text);
  CHECK(poisoned.code == 1);
  CHECK(poisoned.says("step 1: the loss is nan"));
}

TEST_CASE("finetune: a full disk is an error; what stood there before stands there still") {
  const test::TempDir dir;
  make_bert_task(dir);
  REQUIRE(run(dir, finetune(dir, "out",
                            "--max-steps 2 --rank 8 --target-modules all-linear --save-steps 2"))
              .code == 0);
  const auto adapter = dir / "out" / "adapter" / "adapter_model.safetensors";
  const std::string before = test::read_file(adapter);
  REQUIRE(before.size() > 8192);
  // Files of 4 kB at most: run.toml fits, an adapter and a checkpoint do not.
  const std::string full = "trap '' XFSZ; ulimit -f 8; ";
  for (const char* more : {"--save-steps 0", "--save-steps 1"}) {
    const Outcome o =
        run(dir,
            full + finetune(
                       dir, "out",
                       std::string("--max-steps 2 --rank 8 --target-modules all-linear --seed 8 ") +
                           more));
    CAPTURE(o.text);
    CHECK(o.code == 1);
    CHECK(o.says("File too large"));
    CHECK(
        o.says(more[13] == '1' ? "checkpoint-00000001.safetensors" : "adapter_model.safetensors"));
    CHECK(test::read_file(adapter) == before);
  }
  for (const auto& entry : std::filesystem::recursive_directory_iterator(dir / "out"))
    CHECK(entry.path().string().find(".tmp") == std::string::npos);
}

TEST_CASE("finetune: two runs do not write into one folder") {
  const test::TempDir dir;
  make_bert_task(dir);
  const FolderLock other(dir / "out");
  const Outcome o = run(dir, finetune(dir, "out", "--max-steps 2"));
  CHECK(o.code == 1);
  CHECK(o.says("another run (process"));
  CHECK(!std::filesystem::exists(dir / "out" / "run.toml"));
}

TEST_CASE("finetune: bad input is named") {
  const test::TempDir dir;
  make_bert_task(dir);
  const auto fails = [&](const std::string& command, int code, const std::string& words) {
    const Outcome o = run(dir, command);
    CAPTURE(command);
    CAPTURE(o.text);
    CHECK(o.code == code);
    CHECK(o.says(words));
  };
  fails(test::tool("finetune") + " --help", 0, "--lr-scheduler");
  fails(finetune(dir, "a", "--nonsense"), 2, "--nonsense");
  fails(finetune(dir, "a", "--batch-size many"), 2, "--batch-size");
  fails(test::tool("finetune") + " --output x", 2, "--model is required");
  fails(finetune(dir, "a", "--method lara"), 1, "lara");
  fails(finetune(dir, "b", "--target-modules qurey"), 1, "nearest first: query");
  fails(finetune(dir, "c", "--max-length 4"), 1, "train.tsv:1: the example has");
  fails(finetune(dir, "c", "--max-length 1000"), 1, "above the model's context of 64");
  fails(finetune(dir, "c", "--dev " + (dir / "gone.tsv").string()), 1,
        "gone.tsv: the data file cannot be read");
  test::write_file(dir / "dev.tsv", "yes\tabc\nmaybe\txyz\n");
  fails(finetune(dir, "c", "--dev " + (dir / "dev.tsv").string()), 1,
        "dev.tsv:2: the label 'maybe' does not stand in the training data");
  test::write_file(dir / "dev.jsonl", test::text_data(3));
  fails(finetune(dir, "c", "--dev " + (dir / "dev.jsonl").string()), 1, "are of different kinds");
  test::write_file(dir / "text.jsonl", test::text_data(3));
  fails(finetune(dir, "c", "--cuda-graphs", "text.jsonl"), 1, "--cuda-graphs needs --device cuda");
  fails(finetune(dir, "c", "--head-lr 0.1", "text.jsonl"), 1, "--head-lr: this task has no head");
  const auto with_data = [&](const std::string& text, const std::string& words) {
    test::write_file(dir / "bad.tsv", text);
    fails(finetune(dir, "c", "", "bad.tsv"), 1, words);
  };
  with_data("yes\tabc\nno\n", "bad.tsv:2: 1 fields");
  with_data("", "bad.tsv: the data set is empty");
  with_data("yes\tabc\nyes\tabd\n", "only the label 'yes' occurs");
  with_data("yes\tabc\nno\t" + std::string(70, 'x') + std::string("\n"),
            "bad.tsv:2: the example has");
}

TEST_CASE("finetune: the head learns at --head-lr") {
  const test::TempDir dir;
  make_bert_task(dir);
  const auto adapter = [&](const std::string& name, const std::string& rates) {
    REQUIRE(run(dir, finetune(dir, name, "--max-steps 4 " + rates)).code == 0);
    return test::read_file(dir / name / "adapter" / "adapter_model.safetensors");
  };
  const std::string shared = adapter("shared", "--lr 2e-2");
  CHECK(shared == adapter("same", "--lr 2e-2 --head-lr 2e-2"));
  CHECK(shared != adapter("own", "--lr 2e-2 --head-lr 1e-3"));
}

TEST_CASE("finetune: a model folder that is not whole is named") {
  const test::TempDir dir;
  make_bert_task(dir);
  const auto model = dir / "model";
  const auto fails = [&](const std::string& words) {
    const Outcome o = run(dir, finetune(dir, "d", ""));
    CAPTURE(o.text);
    CAPTURE(words);
    CHECK(o.code == 1);
    CHECK(o.says(words));
  };
  const std::string config = test::read_file(model / "config.json"),
                    weights = test::read_file(model / "model.safetensors");
  test::write_file(model / "model.safetensors", weights.substr(0, weights.size() / 2));
  fails("the file is truncated");
  std::filesystem::remove(model / "model.safetensors");
  fails("neither model.safetensors");
  test::write_file(model / "model.safetensors", weights);
  std::filesystem::remove(model / "config.json");
  fails("config.json: cannot be opened");
  test::write_file(model / "config.json", config.substr(0, 100));
  fails("config.json: not valid JSON");
  test::write_file(model / "config.json", config);
  std::filesystem::remove(model / "vocab.txt");
  fails("vocab.txt");
  std::filesystem::remove_all(model);
  fails("no such folder");
}

TEST_CASE(
    "finetune: a misspelt option is named with the nearest, of the command line and of a file") {
  test::TempDir dir;
  make_llama_folder(dir);
  test::write_file(dir.path() / "t.jsonl", test::text_data(2));
  const std::string at = dir.path().string() + "/", most = test::tool("finetune") + " --model " +
                                                           at + "model --output " + at + "out";
  const auto line = test::run(dir, most + " --method lora --train " + at + "t.jsonl --rnak=8");
  CHECK(line.code == 2);
  CHECK(line.says("the command line: '--rnak' is not an option; the nearest are: --rank"));
  test::write_file(dir.path() / "run.toml", "method = \"lora\"\nlearning-rat = 3\n");
  const auto file = test::run(dir, most + " --config " + at + "run.toml");
  CHECK(file.code == 2);
  CHECK(file.says("run.toml: 'learning-rat' is not an option"));
  CHECK(test::run(dir, most + " --train " + at + "t.jsonl more").says("not expected: more"));
  test::write_file(dir.path() / "t.conll", "a\tO\n\nb\tP\n");
  const auto tags = test::run(dir, most + " --method lora --train " + at + "t.conll");
  CHECK(tags.code == 1);
  CHECK(tags.says("has no head for tags of tokens; BERT"));
}

}  // namespace
}  // namespace lk
