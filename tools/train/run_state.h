// What a run needs to go on where it stood, and what holds a resumed one, or another process of the
// same one, to what was begun.
#pragma once

#include <string>
#include <vector>

#include "nn/optim/optimizer.h"
#include "peft/method.h"
#include "tools/train/data_parallel.h"
#include "tools/train/trainer.h"
#include "tools/train/update_plan.h"

namespace lk {

// All that decides where a run goes: the caller's own words (o.fingerprint), the options, and the
// examples' tokens.
std::string fingerprint(const TrainOptions& o, const std::vector<Example>& examples);

// Writes OUTPUT/checkpoint-STEP.safetensors: parameters, the states of optimizer and method (null:
// none), and the plan's position; removes those above save_total_limit.
void save_state(const TrainOptions& o, Optimizer& optimizer, Method* method, const UpdatePlan& plan,
                int64_t step);

// Puts the newest checkpoint back and returns its step. Error where there is none, or it is of
// another run.
int64_t restore_state(const TrainOptions& o, Optimizer& optimizer, Method* method,
                      UpdatePlan& plan);

// The first process's values become all the others'; of a resumed run, its states and position too.
void share_start(DataParallel& processes, Optimizer& optimizer, Method* method, UpdatePlan& plan,
                 int64_t& step, bool resumed);

}  // namespace lk
