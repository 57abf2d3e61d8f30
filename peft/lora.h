#pragma once

#include "peft/method.h"

namespace lk {

MethodInfo lora_info();

}  // namespace lk
