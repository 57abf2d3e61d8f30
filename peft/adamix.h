// See adamix.cc.
#pragma once

#include "peft/method.h"

namespace lk {

MethodInfo adamix_info();

}  // namespace lk
