#pragma once

#include "peft/method.h"

namespace lk {

MethodInfo vera_info();

}  // namespace lk
