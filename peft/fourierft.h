#pragma once

#include "peft/method.h"

namespace lk {

MethodInfo fourierft_info();

}  // namespace lk
