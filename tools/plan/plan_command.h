// `inspect MODEL --plan`: its options, and what it prints.
#pragma once

#include <string>

#include "tools/plan/memory_plan.h"
#include "tools/train/method_options.h"

namespace CLI {
class App;
}

namespace lk {

struct PlanCommand {
  bool wanted = false;
  PlanOptions options;
  MethodFlags method_flags;
  uint64_t device_memory = 0;  // bytes; 0: not asked
};

// --plan, and those options of finetune that memory depends on, by the same names.
void add_plan_options(CLI::App& app, PlanCommand& command);

// model: a folder that holds config.json at least, or the name of a shape (tools/plan/shapes.h).
void print_plan(const std::string& model, const PlanCommand& command);

}  // namespace lk
