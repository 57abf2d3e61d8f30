// What experiments ask of finetune, evaluate and inspect: a few examples, trial runs, the ranks and
// gates of what was trained.
#include <doctest/doctest.h>

#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "engine/files/safetensors.h"
#include "tests/tools/tool_run.h"
#include "tools/train/run_record.h"

namespace lk {
namespace {

using test::Outcome;

std::string at(const test::TempDir& dir, const std::string& name) { return (dir / name).string(); }

std::string finetune(const test::TempDir& dir, const std::string& output, const std::string& more) {
  return test::tool("finetune") + " --model " + at(dir, "model") + " --train " +
         at(dir, "train.tsv") + " --dev " + at(dir, "train.tsv") + " --output " + at(dir, output) +
         " --batch-size 4 --seed 3 --samples 0 " + more;
}

Outcome done(const test::TempDir& dir, const std::string& command) {
  const Outcome o = run(dir, command);
  CAPTURE(o.text);
  REQUIRE(o.code == 0);
  return o;
}

TEST_CASE("finetune: --train-limit trains on a few records, and knows all labels") {
  const test::TempDir dir;
  test::make_bert_folder(dir);
  // Three labels, one of them rare: a subset may lack it.
  test::write_file(dir / "train.tsv", test::class_data(40) + "rare\tq r\n");
  const std::string few = "--train-limit 8 --epochs 2 --save-steps 2 ";
  const Outcome o = done(dir, finetune(dir, "out", few));
  CHECK(o.says("8 examples"));
  const RunRecord r = read_record(dir / "out" / "results.json");
  CHECK(r.examples == 8);
  CHECK(r.steps == 4);
  CHECK(r.planned_steps == 4);
  CHECK(r.held_out == 41);
  CHECK(r.scored == 41);
  CHECK(test::read_file(dir / "out" / "run.toml").find("train-limit = 8") != std::string::npos);
  // The same records again, others with another seed, and a resumed run is held to the limit.
  done(dir, finetune(dir, "again", few));
  const auto weights = [&](const char* name) {
    return test::read_file(dir / name / "adapter" / "adapter_model.safetensors");
  };
  CHECK(weights("again") == weights("out"));
  const Outcome resumed = run(dir, finetune(dir, "out", "--train-limit 9 --epochs 2 --resume"));
  CHECK(resumed.code == 1);
  CHECK(resumed.says("other options or data"));
  CHECK(resumed.says("--train-limit 9"));
  const Outcome more = run(dir, finetune(dir, "c", "--train-limit 42"));
  CHECK(more.code == 1);
  CHECK(more.says("a limit of 42 records was asked for, but " + at(dir, "train.tsv") + " has 41"));
  CHECK(run(dir, finetune(dir, "c", "--train-limit -1")).code == 2);
}

TEST_CASE("finetune: --stop-after ends a run early, with the schedule of the whole; it goes on") {
  const test::TempDir dir;
  test::make_bert_folder(dir);
  test::write_file(dir / "train.tsv", test::class_data(40));
  const std::string steps = "--max-steps 12 --save-steps 4 --lr-scheduler cosine ";
  done(dir, finetune(dir, "whole", steps));
  done(dir, finetune(dir, "cut", steps + "--stop-after 6"));
  const RunRecord r = read_record(dir / "cut" / "results.json");
  CHECK(r.steps == 6);
  CHECK(r.planned_steps == 12);
  const auto weights = [&](const char* name) {
    return test::read_file(dir / name / "adapter" / "adapter_model.safetensors");
  };
  CHECK(weights("cut") != weights("whole"));
  CHECK(done(dir, finetune(dir, "cut", steps + "--resume")).says("resumed after step 6 of 12"));
  CHECK(weights("cut") == weights("whole"));
}

TEST_CASE("adalora: finetune and inspect show the ranks that are left, and they add up") {
  const test::TempDir dir;
  test::make_bert_folder(dir);
  test::write_file(dir / "train.tsv", test::class_data(40));
  const Outcome o = done(dir, finetune(dir, "out",
                                       "--method adalora --init-rank 4 --target-rank 2 --tinit 3 "
                                       "--tfinal 5 --max-steps 20 --lr 0.05 "
                                       "--target-modules query,value,intermediate.dense"));
  const RunRecord r = read_record(dir / "out" / "results.json");
  REQUIRE(r.maps.size() == 1);
  const LayerMap& map = r.maps[0];
  CHECK(map.title == "rank");
  CHECK(map.layers == std::vector<std::string>{"0", "1"});
  CHECK(o.says(text_of(map)));
  // What the settings say was kept, matrix by matrix.
  const auto kept = nlohmann::json::parse(
      test::read_file(dir / "out" / "adapter" / "adapter_config.json"))["rank_pattern"];
  double total = 0;
  for (size_t l = 0; l < map.layers.size(); ++l)
    for (size_t p = 0; p < map.places.size(); ++p) {
      const std::string name = "encoder.layer." + map.layers[l] + "." + map.places[p] + ".lora_E";
      int64_t found = -1;
      for (const auto& [key, list] : kept.items())
        if (key.ends_with(name)) found = std::count(list.begin(), list.end(), true);
      CAPTURE(name);
      CHECK(map.at(l, p) == static_cast<double>(found));
      total += map.at(l, p);
    }
  CHECK(total == static_cast<double>(2 * map.values.size()));
  const Outcome shown = done(dir, test::tool("inspect") + " " + at(dir, "out/adapter"));
  for (const std::string& place : map.places) CHECK(shown.says("] " + place + "\n"));
  CHECK(shown.says("rank"));
  done(dir, finetune(dir, "lora", "--rank 2 --max-steps 1 --target-modules query,value"));
  CHECK(done(dir, test::tool("inspect") + " " + at(dir, "lora/adapter"))
            .says("rank 2 in each of 4 matrices: attention.self.query, attention.self.value of 2 "
                  "layers"));
}

// The gates' file as columns by name.
std::map<std::string, std::vector<double>> columns(const std::string& text) {
  std::istringstream lines(text);
  std::vector<std::string> names;
  std::map<std::string, std::vector<double>> out;
  for (std::string line; std::getline(lines, line);) {
    std::istringstream cells(line);
    std::vector<std::string> row;
    for (std::string cell; std::getline(cells, cell, '\t');) row.push_back(cell);
    if (names.empty()) {
      names = row;
      continue;
    }
    REQUIRE(row.size() == names.size());
    for (size_t i = 0; i < row.size(); ++i) out[names[i]].push_back(std::stod(row[i]));
  }
  return out;
}

TEST_CASE("unipelt: gates by layer and part, and of each record") {
  const test::TempDir dir;
  test::make_bert_folder(dir);
  test::write_file(dir / "train.tsv", test::class_data(35));
  done(dir, finetune(dir, "out", "--method unipelt --lr 0.05 --max-steps 10"));
  REQUIRE(read_record(dir / "out" / "results.json").maps.size() == 1);
  const std::string evaluate =
      test::tool("evaluate") + " --adapter " + at(dir, "out/adapter") + " --data ";
  const auto gates = [&](const std::string& data) {
    done(dir, evaluate + at(dir, data) + " --gates-file " + at(dir, "gates.tsv"));
    return columns(test::read_file(dir / "gates.tsv"));
  };
  const auto all = gates("train.tsv");
  CHECK(all.size() == 8);  // prefix, adapter, LoRA of q and of v in two layers
  // A record's gates do not depend on what else is scored, and differ between records.
  test::write_file(dir / "one.tsv", "no\txyz wvi\n");  // the ninth of train.tsv
  for (const auto& gate : gates("one.tsv")) {
    CAPTURE(gate.first);
    const auto& of_all = all.at(gate.first);
    REQUIRE(of_all.size() == 35);
    CHECK(std::abs(gate.second[0] - of_all[8]) <= 1e-5);
    CHECK(std::abs(of_all[8] - of_all[9]) > 1e-5);
  }
  // Gates that read nothing are the sigmoid of their bias.
  const auto file = dir / "out" / "adapter" / "adapter.safetensors";
  std::vector<NamedTensor> tensors;
  std::map<std::string, double> expected;
  {
    const auto open = SafetensorsFile::open(file);
    for (const std::string& name : open->names())
      tensors.push_back({name, open->get(name).clone()});
  }
  double bias = -2.0;
  for (const NamedTensor& t : tensors) {
    if (t.name.find("gate") == std::string::npos) continue;
    const bool is_bias = t.name.ends_with(".bias");
    for (int64_t i = 0; i < t.tensor.numel(); ++i)
      t.tensor.data<float>()[i] = is_bias ? static_cast<float>(bias) : 0.0f;
    if (!is_bias) continue;
    expected[t.name.substr(0, t.name.size() - 4) + "weight"] = 1 / (1 + std::exp(-bias));
    bias += 0.5;
  }
  save_safetensors(file, tensors);
  const auto set = gates("train.tsv");
  for (const auto& gate : set) {
    CAPTURE(gate.first);
    const double g = expected.at(gate.first.substr(gate.first.find(' ') + 1));
    for (const double v : gate.second) CHECK(std::abs(v - g) <= 1e-5);
  }
  const Outcome table = done(dir, evaluate + at(dir, "train.tsv") + " --gates");
  for (const auto& [name, g] : expected) CHECK(table.says(fmt::format("{:.4g}", g)));
  CHECK(table.says("] adapter output\n"));
  CHECK(table.says("] lora attention.self.query\n"));
  CHECK(table.says("] prefix attention.self\n"));

  done(dir, finetune(dir, "lora", "--rank 2 --max-steps 1"));
  const Outcome none = run(dir, test::tool("evaluate") + " --adapter " + at(dir, "lora/adapter") +
                                    " --data " + at(dir, "train.tsv") + " --gates");
  CHECK(none.code == 1);
  CHECK(none.says("this adapter has no gates"));
}

TEST_CASE("evaluate: --results is what finetune wrote; a file that is none is named") {
  const test::TempDir dir;
  test::make_bert_folder(dir);
  test::write_file(dir / "train.tsv", test::class_data(20));
  done(dir, finetune(dir, "out", "--rank 2 --max-steps 4"));
  done(dir, test::tool("evaluate") + " --adapter " + at(dir, "out/adapter") + " --data " +
                at(dir, "train.tsv") + " --limit 20 --results " + at(dir, "r.json"));
  const RunRecord trained = read_record(dir / "out" / "results.json"),
                  scored = read_record(dir / "r.json");
  CHECK(scored.method == "none");
  auto after = scored.after;
  CHECK(after["quantization error"] == 0);  // of a dense base; finetune does not measure it
  after.erase("quantization error");
  CHECK(after == trained.after);
  CHECK(scored.total_parameters == trained.total_parameters);
  CHECK(scored.trained_parameters == 0);
  CHECK(scored.held_out == 20);
  CHECK(scored.score_seconds > 0);
  const auto says = [&](const std::string& text, const std::string& words) {
    test::write_file(dir / "bad.json", text);
    const std::string message = test::error_of([&] { read_record(dir / "bad.json"); });
    CAPTURE(message);
    CHECK(message.find("bad.json") != std::string::npos);
    CHECK(message.find(words) != std::string::npos);
  };
  says("{", "not valid JSON");
  says("{}", "'method'");
  says("[]", "no results of a run");
  std::string text = test::read_file(dir / "r.json");
  says(text.substr(0, text.rfind('}')) +
           R"(, "maps": [{"title": "rank", "layers": ["0"], "places": [], "values": [1]}]})",
       "1 values for 1 layers and 0 places");
}

}  // namespace
}  // namespace lk
