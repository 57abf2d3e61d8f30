#pragma once

#include "peft/method.h"

namespace lk {

MethodInfo bitfit_info();

}  // namespace lk
