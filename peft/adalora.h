#pragma once

#include "peft/method.h"

namespace lk {

MethodInfo adalora_info();

}  // namespace lk
