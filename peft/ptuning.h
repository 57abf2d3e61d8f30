// P-tuning (v1); see ptuning.cc.
#pragma once

#include "peft/method.h"

namespace lk {

MethodInfo ptuning_info();

}  // namespace lk
