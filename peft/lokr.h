#pragma once

#include "peft/method.h"

namespace lk {

MethodInfo lokr_info();

}  // namespace lk
