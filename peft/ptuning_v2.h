// P-tuning v2; see ptuning_v2.cc.
#pragma once

#include "peft/method.h"

namespace lk {

MethodInfo ptuning_v2_info();

}  // namespace lk
