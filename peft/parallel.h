// See parallel.cc.
#pragma once

#include "peft/method.h"

namespace lk {

MethodInfo parallel_info();

}  // namespace lk
