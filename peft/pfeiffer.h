// See pfeiffer.cc.
#pragma once

#include "peft/method.h"

namespace lk {

MethodInfo pfeiffer_info();

}  // namespace lk
