#pragma once

#include "peft/method.h"

namespace lk {

MethodInfo ln_tuning_info();

}  // namespace lk
