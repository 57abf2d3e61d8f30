// --stack-on: an adapter trained on top of another, evaluated, put on a third, and merged.
#include <doctest/doctest.h>

#include "tests/tools/tool_run.h"

namespace lk {
namespace {

using test::Outcome;

TEST_CASE(
    "--stack-on: the upper adapter brings the lower along, may be put on another, and merges") {
  const test::TempDir dir;
  test::make_llama_folder(dir);
  test::write_file(dir / "data.jsonl", test::text_data(12));
  const auto at = [&](const std::string& name) { return (dir / name).string(); };
  const auto finetune = [&](const std::string& output, const std::string& more) {
    const Outcome o = run(dir, test::tool("finetune") + " --no-baseline --max-steps 8 --lr 0.02 " +
                                   "--output " + at(output) + " " + more);
    CAPTURE(o.text);
    REQUIRE(o.code == 0);
  };
  const std::string task = "--model " + at("model") + " --train " + at("data.jsonl") + " ";
  finetune("lower", task + "--method lora --rank 2");
  finetune("other", task + "--method lora --rank 2 --seed 5");
  finetune("upper", task + "--method lora --rank 4 --stack-on " + at("lower/adapter"));
  finetune("again", "--config " + at("upper/run.toml"));
  const auto weights = [&](const std::string& run) {
    return test::read_file(dir / run / "adapter" / "adapter_model.safetensors");
  };
  CHECK(weights("upper") == weights("again"));

  const auto evaluate = [&](const std::string& what) {
    const Outcome o = run(dir, test::tool("evaluate") + " --data " + at("data.jsonl") +
                                   " --max-new-tokens 4 " + what);
    CAPTURE(o.text);
    CHECK(o.code == 0);
    return o.text;
  };
  const std::string upper = "--adapter " + at("upper/adapter");
  const std::string stacked = evaluate(upper);
  CHECK(evaluate(upper + " --stack-on " + at("lower/adapter")) == stacked);
  CHECK(evaluate(upper + " --stack-on " + at("other/adapter")) != stacked);
  const Outcome merge = run(dir, test::tool("merge") + " " + upper + " --output " + at("merged"));
  CAPTURE(merge.text);
  REQUIRE(merge.code == 0);
  CHECK(evaluate("--model " + at("merged")) == stacked);
  CHECK(run(dir, test::tool("inspect") + " " + at("upper/adapter"))
            .says("stacked on: " + at("lower/adapter")));

  const Outcome alone = run(dir, test::tool("evaluate") + " --model " + at("model") + " --data " +
                                     at("data.jsonl") + " --stack-on " + at("lower/adapter"));
  CHECK(alone.code == 1);
  CHECK(alone.says("pass the --adapter that lies on top"));
  std::filesystem::remove_all(dir / "lower");
  const Outcome gone = run(dir, test::tool("generate") + " " + upper + " --prompt a");
  CHECK(gone.code == 1);
  CHECK(gone.says(at("lower/adapter")));
}

}  // namespace
}  // namespace lk
