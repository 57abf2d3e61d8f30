#pragma once

#include "peft/method.h"

namespace lk {

MethodInfo road_info();

}  // namespace lk
