#pragma once

#include "peft/method.h"

namespace lk {

MethodInfo boft_info();

}  // namespace lk
