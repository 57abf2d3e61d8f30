#pragma once

#include "peft/method.h"

namespace lk {

MethodInfo trainable_tokens_info();

}  // namespace lk
