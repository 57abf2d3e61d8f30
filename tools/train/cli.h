// The frame that every tool's main() stands in, and the options that training tools share.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "autograd/saved.h"
#include "engine/dtype.h"
#include "engine/memory.h"
#include "tools/train/trainer.h"

namespace CLI {
class App;
}

namespace lk {

// Parses, runs, and turns what is thrown into a message and an exit code: 0 done, 1 failed, 2 wrong
// usage.
int run_tool(CLI::App& app, int argc, char** argv, const std::function<void()>& body);

// Joins the processes that a launcher (mpirun) started together with this one. Each takes the CUDA
// device of its number on its machine, where `device` is that; the first alone says what it does.
std::unique_ptr<Communicator> join_training(Device device);

void add_train_options(CLI::App& app, TrainOptions& options);
// --dtype f32|bf16 (f64 is for tests).
void add_dtype_option(CLI::App& app, DType& dtype);
void add_activations_option(CLI::App& app, ActivationStorage& storage);
// --device cpu|cuda. An Error where this build or machine has no CUDA device.
// --stack-on, of tools that open a trained adapter.
void add_stack_option(CLI::App& app, std::vector<std::string>& folders);
void add_device_option(CLI::App& app, Device& device);
// --chat-template FILE.
void add_chat_template_option(CLI::App& app, std::string& file);
// --config run.toml holds the same keys; the command line wins.
void add_config_option(CLI::App& app);
// Writes the options in force to FOLDER/run.toml.
void save_options(const CLI::App& app, const std::filesystem::path& folder);

}  // namespace lk
