#pragma once

#include "peft/method.h"

namespace lk {

MethodInfo oft_info();

}  // namespace lk
