#pragma once

#include "peft/method.h"

namespace lk {

MethodInfo ia3_info();

}  // namespace lk
