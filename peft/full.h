#pragma once

#include "peft/method.h"

namespace lk {

MethodInfo full_info();

}  // namespace lk
