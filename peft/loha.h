#pragma once

#include "peft/method.h"

namespace lk {

MethodInfo loha_info();

}  // namespace lk
