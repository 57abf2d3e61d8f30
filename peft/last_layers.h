#pragma once

#include "peft/method.h"

namespace lk {

MethodInfo last_layers_info();

}  // namespace lk
