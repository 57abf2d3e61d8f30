#pragma once

#include "peft/method.h"

namespace lk {

MethodInfo c3a_info();

}  // namespace lk
