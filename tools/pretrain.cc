// Trains a small Llama-architecture language model from plain text, and its tokenizer.
#include <CLI/CLI.hpp>

#include <cmath>
#include <optional>

#include "data/tokenizer/tokenizer.h"
#include "engine/files/atomic_file.h"
#include "engine/files/folder_lock.h"
#include "engine/files/json.h"
#include "nn/load.h"
#include "tools/train/cli.h"
#include "tools/train/perplexity.h"
#include "tools/train/progress.h"

using namespace lk;

namespace {

struct ModelSize {
  int64_t hidden = 288, layers = 6, heads = 6, kv_heads = 3, ffn = 768, context = 512;
};

std::string llama_config(const ModelSize& s, const Tokenizer& tokenizer, int32_t eos) {
  return fmt::format(R"({{
  "architectures": ["LlamaForCausalLM"],
  "model_type": "llama",
  "vocab_size": {},
  "hidden_size": {},
  "intermediate_size": {},
  "num_hidden_layers": {},
  "num_attention_heads": {},
  "num_key_value_heads": {},
  "max_position_embeddings": {},
  "hidden_act": "silu",
  "rms_norm_eps": 1e-05,
  "rope_theta": 10000.0,
  "initializer_range": 0.02,
  "attention_bias": false,
  "mlp_bias": false,
  "tie_word_embeddings": true,
  "bos_token_id": {},
  "eos_token_id": {}
}})",
                     tokenizer.vocab_size(), s.hidden, s.ffn, s.layers, s.heads, s.kv_heads,
                     s.context, eos, eos);
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("pretrain: train a small Llama-architecture language model from plain text");
  std::string train_file, valid_file, tokenizer_file;
  TrainOptions o;
  o.epochs = 1;
  o.batch_size = 16;
  o.lr = 2e-3;
  o.weight_decay = 0.1;
  o.optimizer.beta2 = 0.95;
  o.schedule = "cosine";
  o.warmup_ratio = 0.02;
  o.save_steps = 500;
  ModelSize size;
  DType dtype = DType::bf16;
  add_config_option(app);
  app.add_option("--train", train_file, "text; documents parted by lines <|endoftext|>")
      ->required();
  app.add_option("--valid", valid_file, "text whose perplexity is reported")->required();
  app.add_option("--tokenizer", tokenizer_file, "tokenizer.json")->required();
  app.add_option("--output", o.output, "folder for the model")->required();
  app.add_option("--hidden-size", size.hidden, "")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  app.add_option("--layers", size.layers, "")->capture_default_str()->check(CLI::PositiveNumber);
  app.add_option("--heads", size.heads, "")->capture_default_str()->check(CLI::PositiveNumber);
  app.add_option("--kv-heads", size.kv_heads, "")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  app.add_option("--intermediate-size", size.ffn, "")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  app.add_option("--context", size.context, "tokens in an example")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  add_dtype_option(app, dtype);
  add_train_options(app, o);
  return run_tool(app, argc, argv, [&] {
    const auto processes = join_training(Device::cpu);
    const bool first = processes->rank() == 0;
    o.processes = processes.get();
    std::optional<FolderLock> lock;
    if (first) {
      lock.emplace(o.output);
      save_options(app, o.output);
    }
    const Tokenizer tokenizer = Tokenizer::load(tokenizer_file);
    const auto eos = tokenizer.token_id("<|endoftext|>");
    require(eos.has_value(), "{}: the token <|endoftext|> is missing; it parts documents",
            tokenizer_file);
    const Config config = Config::parse(llama_config(size, tokenizer, *eos), "the options");
    const auto examples = encode_text(tokenizer, train_file, size.context, *eos);
    const auto valid = encode_text(tokenizer, valid_file, size.context, *eos);
    const auto model = make_model(config, Task::causal_lm, dtype, o.seed);
    std::vector<ParamGroup> groups(2);
    groups[0].weight_decay = o.weight_decay;
    int64_t parameters = 0;
    model->visit_parameters([&](Parameter& p) {
      p.make_trainable();
      groups[p.shape.rank() >= 2 ? 0 : 1].params.emplace_back(p.name, p.var);
      parameters += p.shape.numel();
    });
    if (first)
      fmt::print(stderr, "{} parameters, {} examples of {} tokens, {} to validate\n", parameters,
                 examples.size(), size.context, valid.size());
    o.fingerprint = fmt::format("{} {}", llama_config(size, tokenizer, *eos), name_of(dtype));
    const TrainResult result = train(*model, std::move(groups), examples, language_loss, o);
    require(!result.interrupted, "interrupted after step {}; go on with --resume", result.steps);
    if (!first) return;
    model->visit_parameters([](Parameter& p) { p.freeze(); });
    const LossReport report = evaluate_loss(*model, valid);
    save_model(*model, config, o.output, DType::bf16);
    write_file_atomically(o.output / "tokenizer.json", read_text(tokenizer_file));
    fmt::print(
        "{} steps, {} tokens, {}; loss {:.4f}; held out: loss {:.4f}, perplexity {:.2f} over {} "
        "tokens\n",
        result.steps, result.tokens, human_time(result.seconds), result.last_loss, report.loss,
        std::exp(report.loss), report.labels);
  });
}
