#pragma once

#include "peft/method.h"

namespace lk {

MethodInfo vblora_info();

}  // namespace lk
