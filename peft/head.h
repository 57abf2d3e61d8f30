#pragma once

#include "peft/method.h"

namespace lk {

MethodInfo head_info();

}  // namespace lk
