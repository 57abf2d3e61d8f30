// Prompt tuning; see prompt.cc.
#pragma once

#include "peft/method.h"

namespace lk {

MethodInfo prompt_info();

}  // namespace lk
