// The command line of tasks.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "tools/train/tasks/task.h"

namespace CLI {
class App;
}

namespace lk {

void add_task_options(CLI::App& app, TaskOptions& options);
// Those of training alone.
void add_loss_options(CLI::App& app, TaskOptions& options);

// The names of those that differ from their defaults.
std::vector<std::string> given_options(const TaskOptions& options);

// What they make of training, where it differs from the defaults: " --unlikelihood 1".
std::string described(const TaskOptions& options);

// "label=word,label=word", a .json file with an object of them, or a file of lines
// label<TAB>word.
std::map<std::string, std::string> read_verbalizer(const std::string& text);

}  // namespace lk
