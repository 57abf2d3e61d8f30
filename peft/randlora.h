#pragma once

#include "peft/method.h"

namespace lk {

MethodInfo randlora_info();

}  // namespace lk
