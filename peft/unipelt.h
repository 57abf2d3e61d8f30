// See unipelt.cc.
#pragma once

#include "peft/method.h"

namespace lk {

MethodInfo unipelt_info();

}  // namespace lk
