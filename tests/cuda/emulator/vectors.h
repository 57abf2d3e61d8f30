// CUDA's small vectors, in a file that is compiled as the README says.
#pragma once

namespace lk::test {

// y[i] = 2 x[i] by float4, n a multiple of 128: one element a lane.
void double_by_float4(float* y, const float* x, int n);

}  // namespace lk::test
