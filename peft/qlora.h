#pragma once

#include "peft/method.h"

namespace lk {

MethodInfo qlora_info();

}  // namespace lk
