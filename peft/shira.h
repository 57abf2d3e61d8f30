#pragma once

#include "peft/method.h"

namespace lk {

MethodInfo shira_info();

}  // namespace lk
