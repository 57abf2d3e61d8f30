#pragma once

#include "peft/method.h"

namespace lk {

MethodInfo hra_info();

}  // namespace lk
