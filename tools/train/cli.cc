#include "tools/train/cli.h"

#include <CLI/CLI.hpp>

#include <cstdio>

#include "engine/device.h"
#include "engine/files/atomic_file.h"
#include "peft/nearest.h"
#include "tools/train/toml_config.h"

namespace lk {

namespace {

// What the command line or a --config file has that is no option, with the options that it may have
// meant. dashes: "--" where they are written so.
int refuse_unknown(const CLI::App& app, const std::string& where, const std::string& dashes,
                   const std::string& key) {
  std::vector<std::string> known;
  for (const CLI::Option* option : app.get_options())
    if (const auto& names = option->get_lnames(); !names.empty())
      known.push_back(dashes + names.front());
  fmt::print(stderr, "{}: '{}{}' is not an option; the nearest are: {} (--help lists all)\n", where,
             dashes, key, nearest(dashes + key, known, 3));
  return 2;
}

}  // namespace

int run_tool(CLI::App& app, int argc, char** argv, const std::function<void()>& body) {
  try {
    app.parse(argc, argv);
  } catch (const CLI::ExtrasError& e) {
    for (const std::string& extra : app.remaining())
      if (extra.rfind("--", 0) == 0)
        return refuse_unknown(app, "the command line", "--", extra.substr(2, extra.find('=') - 2));
    app.exit(e);
    return 2;
  } catch (const CLI::ConfigError& e) {
    // "INI was not able to parse KEY"
    const std::string what = e.what();
    return refuse_unknown(app, app["--config"]->as<std::string>(), "",
                          what.substr(what.rfind(' ') + 1));
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? 0 : 2;
  }
  try {
    body();
    return 0;
  } catch (const std::exception& e) {
    fmt::print(stderr, "error: {}\n", e.what());
    return 1;
  }
}

std::unique_ptr<Communicator> join_training(Device device) {
  auto processes = join_processes();
  if (processes->size() == 1) return processes;
  if (device == Device::cuda) choose_device(Cuda{}, rank_on_machine());
  if (processes->rank() != 0)
    require(std::freopen("/dev/null", "w", stdout) != nullptr, "/dev/null cannot be opened");
  return processes;
}

void add_config_option(CLI::App& app) {
  app.set_config("--config", "", "read options from a TOML file; the command line wins")
      ->configurable(false);
  app.config_formatter(std::make_shared<TomlConfig>());
  app.allow_config_extras(CLI::config_extras_mode::error);
}

void add_chat_template_option(CLI::App& app, std::string& file) {
  app.add_option("--chat-template", file,
                 "a .jinja file, for {\"messages\"} data; default: the model's own");
}

void add_dtype_option(CLI::App& app, DType& dtype) {
  app.add_option_function<std::string>(
         "--dtype", [&dtype](const std::string& name) { dtype = dtype_from_name(name); },
         "compute in f32 or bf16")
      ->check(CLI::IsMember({"f32", "bf16"}))
      ->default_str(std::string(name_of(dtype)));
}

void add_activations_option(CLI::App& app, ActivationStorage& storage) {
  app.add_option_function<std::string>(
         "--activations",
         [&storage](const std::string& name) { storage = activation_storage_from_name(name); },
         "what is saved for the backward pass: as computed, or in fewer bits with less exact "
         "gradients")
      ->check(CLI::IsMember({"compute", "bf16", "int8"}))
      ->default_str("compute");
}

void add_stack_option(CLI::App& app, std::vector<std::string>& folders) {
  app.add_option("--stack-on", folders,
                 "adapter folders to lie below --adapter, the lowest first, in the place of those "
                 "it was trained on");
}

void add_device_option(CLI::App& app, Device& device) {
  app.add_option_function<std::string>(
         "--device",
         [&device](const std::string& name) {
           device = name == name_of(Device::cuda) ? Device::cuda : Device::cpu;
         },
         "compute on the cpu or on cuda, the first NVIDIA GPU; of several processes, each takes "
         "one")
      ->check(CLI::IsMember({"cpu", "cuda"}))
      ->default_str(std::string(name_of(device)));
}

void add_train_options(CLI::App& app, TrainOptions& o) {
  const auto positive = CLI::PositiveNumber;
  const auto not_negative = CLI::NonNegativeNumber;
  app.add_option("--epochs", o.epochs, "passes over the data")
      ->capture_default_str()
      ->check(positive);
  app.add_option("--max-steps", o.max_steps, "updates; overrides --epochs when above 0")
      ->capture_default_str()
      ->check(not_negative);
  app.add_option("--stop-after", o.stop_after,
                 "end after so many updates, with schedules made for the whole run; 0: do not")
      ->capture_default_str()
      ->check(not_negative);
  app.add_option("--batch-size", o.batch_size, "examples in a batch")
      ->capture_default_str()
      ->check(positive);
  app.add_option("--tokens-per-batch", o.tokens_per_batch,
                 "fill batches up to this many tokens instead")
      ->capture_default_str()
      ->check(not_negative);
  app.add_option("--gradient-accumulation-steps", o.accumulate,
                 "batches in an update; the processes that mpirun starts share them")
      ->capture_default_str()
      ->check(positive);
  app.add_flag("--group-by-length", o.group_by_length, "put examples of like length together");
  app.add_option("--lr", o.lr, "peak learning rate")->capture_default_str()->check(positive);
  app.add_option("--weight-decay", o.weight_decay, "on matrices; none on biases and norms")
      ->capture_default_str()
      ->check(not_negative);
  app.add_option("--max-grad-norm", o.max_grad_norm, "clip the gradient's global norm; 0 does not")
      ->capture_default_str()
      ->check(not_negative);
  app.add_option("--warmup-ratio", o.warmup_ratio, "share of the steps with a rising rate")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 1.0));
  app.add_option("--lr-scheduler", o.schedule, "linear, cosine or constant")
      ->capture_default_str()
      ->check(CLI::IsMember(known_schedules()));
  app.add_option("--optimizer", o.optimizer.name,
                 "what updates the weights; 8bit: states in 8 bits; paged: states in a file in "
                 "--output, or "
                 "with --device cuda in the host's memory, from which they come for each update")
      ->capture_default_str()
      ->check(CLI::IsMember(known_optimizers()));
  app.add_option("--beta1", o.optimizer.beta1, "of adamw and lion")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 0.99999));
  app.add_option("--beta2", o.optimizer.beta2, "of adamw and lion")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 0.999999));
  app.add_option("--momentum", o.optimizer.momentum, "of sgd")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 0.99999));
  app.add_option("--seed", o.seed, "of initial values, shuffling and dropout")
      ->capture_default_str();
  app.add_option("--save-steps", o.save_steps,
                 "write a checkpoint every so many updates; 0: only when interrupted")
      ->capture_default_str()
      ->check(not_negative);
  app.add_option("--save-total-limit", o.save_total_limit, "checkpoints kept")
      ->capture_default_str()
      ->check(positive);
  app.add_option("--logging-steps", o.logging_steps,
                 "a line every so many updates, where there is no terminal")
      ->capture_default_str()
      ->check(positive);
  app.add_flag("--resume", o.resume, "go on from the newest checkpoint in --output, bit for bit")
      ->configurable(false);  // a run.toml tells what to run, not where it stood
}

void save_options(const CLI::App& app, const std::filesystem::path& folder) {
  write_file_atomically(folder / "run.toml", app.config_to_str(true, false));
}

}  // namespace lk
