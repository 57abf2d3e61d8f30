// From a model folder to an adapter to a merged model: finetune, evaluate, generate, merge,
// inspect, pretrain.
#include <doctest/doctest.h>

#include "tests/tools/tool_run.h"

namespace lk {
namespace {

using test::Outcome;

std::string at(const test::TempDir& dir, const std::string& name) { return (dir / name).string(); }

// A tiny Llama fine-tuned on text: DIR/out/adapter.
void make_adapter(const test::TempDir& dir) {
  test::make_llama_folder(dir);
  test::write_file(dir / "train.jsonl", test::text_data(24));
  const Outcome o = run(dir, test::tool("finetune") + " --model " + at(dir, "model") + " --train " +
                                 at(dir, "train.jsonl") + " --dev " + at(dir, "train.jsonl") +
                                 " --dev-limit 3 --max-new-tokens 5 --output " + at(dir, "out") +
                                 " --lr 0.03 --max-steps 30 --batch-size 8 --rank 4");
  CAPTURE(o.text);
  REQUIRE(o.code == 0);
  CHECK(o.says("Before, the base answers:"));
  CHECK(o.says("held out before:"));
  CHECK(o.says("held out after:"));
}

TEST_CASE("tools: the merged model gives the texts and scores of the adapter on its base") {
  const test::TempDir dir;
  make_adapter(dir);
  const std::string merge = test::tool("merge") + " --adapter " + at(dir, "out/adapter");
  const Outcome merged = run(dir, merge + " --output " + at(dir, "merged"));
  CAPTURE(merged.text);
  REQUIRE(merged.code == 0);
  const auto evaluate = [&](const std::string& which, const std::string& predictions) {
    const Outcome o =
        run(dir, test::tool("evaluate") + " " + which + " --data " + at(dir, "train.jsonl") +
                     " --limit 6 --max-new-tokens 8 --predictions " + at(dir, predictions));
    CAPTURE(o.text);
    CHECK(o.code == 0);
    CHECK(o.says("perplexity of the answers"));
    return o.text;
  };
  evaluate("--adapter " + at(dir, "out/adapter"), "a");
  evaluate("--model " + at(dir, "merged"), "m");
  const std::string base_scores = evaluate("--model " + at(dir, "model"), "b");
  CHECK(test::read_file(dir / "a") == test::read_file(dir / "m"));
  CHECK(test::read_file(dir / "a") != test::read_file(dir / "b"));
  const auto generate = [&](const std::string& which) {
    const Outcome o =
        run(dir, test::tool("generate") + " " + which +
                     " --prompt 'the number 4' --max-new-tokens 8 --temperature 0.8 --seed 5");
    CHECK(o.code == 0);
    return o.text;
  };
  CHECK(generate("--adapter " + at(dir, "out/adapter")) ==
        generate("--model " + at(dir, "merged")));
  const Outcome lines = run(dir, "printf 'one\\n\\ntwo\\n' | " + test::tool("generate") +
                                     " --model " + at(dir, "merged") + " --max-new-tokens 3 --raw");
  CHECK(lines.code == 0);
  const Outcome onto_base = run(dir, merge + " --output " + at(dir, "model"));
  CHECK(onto_base.code == 1);
  CHECK(onto_base.says("is the base folder"));
}

TEST_CASE("tools: an adapter of another base is refused") {
  const test::TempDir dir;
  make_adapter(dir);
  test::make_bert_folder(dir);  // over config.json and weights of the folder it was trained on
  const Outcome o =
      run(dir, test::tool("generate") + " --adapter " + at(dir, "out/adapter") + " --prompt a");
  CAPTURE(o.text);
  CHECK(o.code == 1);
  CHECK(o.says("error: "));
  CHECK(o.says("out/adapter was made for '" + at(dir, "model") + "'; the model here is a Bert"));

  test::make_llama_folder(dir, "wider");
  std::string config = test::read_file(dir / "wider" / "config.json");
  const std::string adapter = at(dir, "out/adapter");
  // Another rank than the file's tensors have.
  std::string settings = test::read_file(dir / "out" / "adapter" / "adapter_config.json");
  const size_t rank = settings.find("\"r\": 4");
  REQUIRE(rank != std::string::npos);
  test::write_file(dir / "out" / "adapter" / "adapter_config.json",
                   settings.replace(rank, 6, "\"r\": 5"));
  const Outcome other = run(dir, test::tool("generate") + " --model " + at(dir, "wider") +
                                     " --adapter " + adapter + " --prompt a");
  CAPTURE(other.text);
  CHECK(other.code == 1);
  CHECK(other.says("adapter_model.safetensors: tensor"));
  CHECK(other.says("adapter_config.json ask for"));
}

TEST_CASE("tools: inspect shows a model, an adapter and what carries loss") {
  const test::TempDir dir;
  make_adapter(dir);
  const std::string inspect = test::tool("inspect") + " ";
  const Outcome model = run(dir, inspect + at(dir, "model") + " --tensors");
  CHECK(model.code == 0);
  CHECK(model.says("architecture: LlamaForCausalLM"));
  CHECK(model.says("layers 2, hidden_size 16, heads 2"));
  CHECK(model.says("model.layers.1.mlp.down_proj.weight"));
  CHECK(model.says("q_proj (q, 2x)"));
  const Outcome adapter = run(dir, inspect + at(dir, "out/adapter"));
  CHECK(adapter.code == 0);
  CHECK(adapter.says("adapter: lora"));
  CHECK(adapter.says("base " + at(dir, "model")));
  const Outcome data = run(dir, inspect + at(dir, "model") + " --data " + at(dir, "train.jsonl"));
  CHECK(data.code == 0);
  CHECK(data.says("24 records"));
  CHECK(run(dir, inspect + at(dir, "gone")).code == 1);
}

TEST_CASE("tools: evaluate names what it cannot score") {
  const test::TempDir dir;
  test::make_llama_folder(dir);
  const auto fails = [&](const std::string& more, int code, const std::string& words) {
    const Outcome o = run(dir, test::tool("evaluate") + " " + more);
    CAPTURE(more);
    CAPTURE(o.text);
    CHECK(o.code == code);
    CHECK(o.says(words));
  };
  const std::string model = "--model " + at(dir, "model") + " --data ";
  fails("--model x", 2, "--data is required");
  fails("--data x.jsonl", 1, "pass --model FOLDER");
  fails(model + at(dir, "gone.jsonl"), 1, "gone.jsonl: the data file cannot be read");
  test::write_file(dir / "d.tsv", test::class_data(2));
  fails(model + at(dir, "d.tsv"), 1, "the model has no classes");
  test::write_file(dir / "d.jsonl", "{\"input\":\"a\",\"output\":\"b\"}\n{\"input\":\"a\"}\n");
  fails(model + at(dir, "d.jsonl"), 1, "d.jsonl:2: the key \"output\" is missing");
  std::string text;
  for (int i = 0; i < 100; ++i) text += "word ";
  test::write_file(dir / "l.jsonl", "{\"input\":\"" + text + "\",\"output\":\"b\"}\n");
  fails(model + at(dir, "l.jsonl"), 1, "l.jsonl:1: the example has");
  test::write_file(dir / "t.txt", "");
  fails(model + at(dir, "t.txt"), 1, "t.txt: the text is empty");
}

TEST_CASE("pretrain: killed and resumed, or run again from its run.toml: the same model") {
  const test::TempDir dir;
  std::string text;
  for (int i = 0; i < 60; ++i)
    text += "It was the " + std::to_string(i) + "th day of the rain.\n" +
            (i % 20 == 19 ? "<|endoftext|>\n" : "");
  test::write_file(dir / "t.txt", text);
  const auto command = [&](const std::string& output) {
    return test::tool("pretrain") + " --train " + at(dir, "t.txt") + " --valid " +
           at(dir, "t.txt") +
           " --tokenizer data/base/tokenizer.json --hidden-size 16 --layers 2 --heads 2 --kv-heads "
           "1 "
           "--intermediate-size 32 --context 32 --batch-size 4 --max-steps 30 --save-steps 5 "
           "--output " +
           at(dir, output) + " ";
  };
  const Outcome whole = run(dir, command("whole"));
  CAPTURE(whole.text);
  REQUIRE(whole.code == 0);
  CHECK(whole.says("30 steps"));
  CHECK(whole.says("perplexity"));
  const std::string model = test::read_file(dir / "whole" / "model.safetensors");
  const Outcome cut =
      run_and_signal(dir, command("cut"), dir / "cut", "checkpoint-00000010.safetensors", "9");
  CHECK(cut.code == 128 + 9);
  const Outcome resumed = run(dir, command("cut") + "--resume");
  CAPTURE(resumed.text);
  REQUIRE(resumed.code == 0);
  CHECK(test::read_file(dir / "cut" / "model.safetensors") == model);
  const Outcome again = run(dir, test::tool("pretrain") + " --config " + at(dir, "whole/run.toml") +
                                     " --output " + at(dir, "again"));
  CAPTURE(again.text);
  REQUIRE(again.code == 0);
  CHECK(test::read_file(dir / "again" / "model.safetensors") == model);
  CHECK(run(dir, test::tool("generate") + " --model " + at(dir, "whole") +
                     " --prompt It --max-new-tokens 4")
            .code == 0);
}

TEST_CASE("finetune: its run.toml gives the same adapter again, and the command line wins") {
  const test::TempDir dir;
  test::make_bert_folder(dir);
  test::write_file(dir / "train.tsv", test::class_data(12));
  const auto file = [&](const std::string& output) {
    return test::read_file(dir / output / "adapter" / "adapter_model.safetensors");
  };
  const std::string finetune = test::tool("finetune") + " ";
  const Outcome first = run(
      dir, finetune + "--model " + at(dir, "model") + " --train " + at(dir, "train.tsv") +
               " --output " + at(dir, "a") +
               " --max-steps 4 --target-modules query,key --separator ' \\n\"' --optimizer lion");
  CAPTURE(first.text);
  REQUIRE(first.code == 0);
  const std::string config = finetune + "--config " + at(dir, "a/run.toml") + " --output ";
  const Outcome second = run(dir, config + at(dir, "b"));
  CAPTURE(second.text);
  REQUIRE(second.code == 0);
  CHECK(file("a") == file("b"));
  REQUIRE(run(dir, config + at(dir, "c") + " --seed 9").code == 0);
  CHECK(file("a") != file("c"));
  test::write_file(dir / "bad.toml", "max-steps = 4\nmax-stpes = 5\n");
  const Outcome bad = run(dir, finetune + "--config " + at(dir, "bad.toml"));
  CHECK(bad.code == 2);
  CHECK(bad.says("max-stpes"));
}

}  // namespace
}  // namespace lk
