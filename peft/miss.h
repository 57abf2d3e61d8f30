#pragma once

#include "peft/method.h"

namespace lk {

MethodInfo miss_info();

}  // namespace lk
