#include "cuda/cases.h"

#include "cuda/cases/families.h"

namespace lk {

const int32_t* CaseMemory::ints(int64_t count, const std::function<int64_t(int64_t)>& value) {
  const bool first = next_ == owned_.size();
  void* data = take(count * 4);
  if (first) {
    std::vector<int32_t> values;
    for (int64_t i = 0; i < count; ++i) values.push_back(static_cast<int32_t>(value(i)));
    check_cuda(cudaMemcpy(data, values.data(), values.size() * 4, cudaMemcpyHostToDevice),
               "memory of a kernel's case");
  }
  return static_cast<const int32_t*>(data);
}

void* CaseMemory::take(int64_t bytes) {
  if (next_ == owned_.size()) {
    void* data = nullptr;
    check_cuda(cudaMalloc(&data, static_cast<size_t>(bytes)), "memory of a kernel's case");
    owned_.emplace_back(data, cudaFree);
    check_cuda(cudaMemset(data, 0, static_cast<size_t>(bytes)), "memory of a kernel's case");
  }
  return owned_[next_++].get();
}

std::vector<KernelCase> kernel_cases(int64_t times) {
  std::vector<KernelCase> cases;
  for (const auto add :
       {add_elementwise_cases, add_rows_cases, add_sums_cases, add_norm_cases, add_softmax_cases,
        add_attention_cases, add_sparse_cases, add_optimizers_cases, add_quantized_cases})
    add(cases, times);
  return cases;
}

}  // namespace lk
