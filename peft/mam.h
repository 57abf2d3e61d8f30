// See mam.cc.
#pragma once

#include "peft/method.h"

namespace lk {

MethodInfo mam_info();

}  // namespace lk
