// y += x, element by element. y, x: [n].
#pragma once

#include <cstdint>

namespace lk {

template <class Isa, class T>
void accumulate(Isa, T* y, const T* x, int64_t n);

}  // namespace lk
