// See houlsby.cc.
#pragma once

#include "peft/method.h"

namespace lk {

MethodInfo houlsby_info();

}  // namespace lk
