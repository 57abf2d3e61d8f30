// See compacter.cc.
#pragma once

#include "peft/method.h"

namespace lk {

MethodInfo compacter_info();

}  // namespace lk
