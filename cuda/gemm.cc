// cuBLASLt (NVIDIA, "cuBLAS Library", section Using the cublasLt API): bias, sum and GELU in the
// epilogue, the library's first choice of algorithm kept for each shape.
#include "engine/gemm.h"

#include <cublasLt.h>

#include <algorithm>
#include <bit>
#include <unordered_map>

#include "cuda/launch.h"
#include "engine/memory.h"

namespace lk {
namespace {

constexpr size_t kWorkspace = size_t{32} << 20;  // what NVIDIA advises for Hopper

void check(cublasStatus_t status, const char* what, const GemmShape& s) {
  if (status == CUBLAS_STATUS_SUCCESS) [[likely]]
    return;
  fail("cuBLASLt: {}: {}, for {}{} [{}, {}] times [{}, {}]{}{} into {}", what,
       cublasLtGetStatusString(status), name_of(s.ab), s.has_bias ? " with a bias" : "", s.m, s.k,
       s.k, s.n, s.transpose_a ? ", the first transposed" : "",
       s.transpose_b ? ", the second transposed" : "", name_of(s.c));
}

cudaDataType_t type_of(DType t) { return t == DType::bf16 ? CUDA_R_16BF : CUDA_R_32F; }

// What one shape needs; made once and never destroyed. Not `found`: no algorithm takes it.
struct Plan {
  cublasLtMatmulDesc_t product = nullptr;
  cublasLtMatrixLayout_t a = nullptr, b = nullptr, c = nullptr;
  cublasLtMatmulAlgo_t algorithm{};
  bool found = false;
};

struct Key {
  GemmShape shape;
  unsigned alignment;  // of all addresses, up to 256
  bool operator==(const Key&) const = default;
};
struct KeyHash {
  size_t operator()(const Key& q) const {
    uint64_t h = 0x9E3779B97F4A7C15u;
    const GemmShape& s = q.shape;
    for (const uint64_t v :
         {static_cast<uint64_t>(s.m), static_cast<uint64_t>(s.n), static_cast<uint64_t>(s.k),
          static_cast<uint64_t>(s.step_a), static_cast<uint64_t>(s.step_c),
          uint64_t{q.alignment} << 16 | static_cast<uint64_t>(s.ab) << 12 |
              static_cast<uint64_t>(s.c) << 8 | uint64_t{s.keeps_z} << 5 | uint64_t{s.gelu} << 4 |
              uint64_t{s.transpose_a} << 3 | uint64_t{s.transpose_b} << 2 |
              uint64_t{s.accumulate} << 1 | uint64_t{s.has_bias}})
      h = (h ^ v) * 0xff51afd7ed558ccdu, h ^= h >> 32;
    return static_cast<size_t>(h);
  }
};

struct Library {
  cublasLtHandle_t handle = nullptr;
  void* workspace = nullptr;
  std::unordered_map<Key, Plan, KeyHash> plans;
};

Library& library(const GemmShape& s) {
  static Library& lib = *new Library;
  if (!lib.handle) check(cublasLtCreate(&lib.handle), "it cannot start", s);
  if (!lib.workspace) {
    const cudaError_t error = cudaMalloc(&lib.workspace, kWorkspace);
    if (error == cudaErrorMemoryAllocation) {
      cudaGetLastError();
      fail_out_of_memory(Device::cuda, Category::workspace, kWorkspace);
    }
    check_cuda(error, "workspace of cuBLASLt");
    count_memory(Device::cuda, Category::workspace, kWorkspace);
  }
  return lib;
}

template <class T>
void set(cublasLtMatmulDesc_t product, cublasLtMatmulDescAttributes_t attribute, const T& value,
         const GemmShape& s) {
  check(cublasLtMatmulDescSetAttribute(product, attribute, &value, sizeof(value)), "a setting", s);
}

// Before Hopper the library makes two passes of it in bf16, and is slower than two kernels
// (llm.c, pull request 338; its default is the same).
bool fuses_gelu() {
  int major = 0;
  check_cuda(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, current_device()),
             "its compute capability");
  return major >= 9;
}

cublasLtEpilogue_t epilogue_of(const GemmShape& s) {
  if (!s.gelu) return s.has_bias ? CUBLASLT_EPILOGUE_BIAS : CUBLASLT_EPILOGUE_DEFAULT;
  if (s.keeps_z) return s.has_bias ? CUBLASLT_EPILOGUE_GELU_AUX_BIAS : CUBLASLT_EPILOGUE_GELU_AUX;
  return s.has_bias ? CUBLASLT_EPILOGUE_GELU_BIAS : CUBLASLT_EPILOGUE_GELU;
}

// The library reads columns first: it is asked for C^T [n, m] = op(B)^T op(A)^T, where B comes
// first and each matrix as it is stored has its rows for columns.
Plan make_plan(Library& lib, const Key& key) {
  const GemmShape& s = key.shape;
  const auto um = static_cast<uint64_t>(s.m), un = static_cast<uint64_t>(s.n),
             uk = static_cast<uint64_t>(s.k);
  Plan p;
  // Z's rows and address must be multiples of 16 bytes.
  if (s.keeps_z && (s.n % 8 != 0 || key.alignment < 16)) return p;
  if (s.gelu && !fuses_gelu()) return p;
  check(cublasLtMatmulDescCreate(&p.product, CUBLAS_COMPUTE_32F, CUDA_R_32F), "a product", s);
  set(p.product, CUBLASLT_MATMUL_DESC_TRANSA, s.transpose_b ? CUBLAS_OP_T : CUBLAS_OP_N, s);
  set(p.product, CUBLASLT_MATMUL_DESC_TRANSB, s.transpose_a ? CUBLAS_OP_T : CUBLAS_OP_N, s);
  set(p.product, CUBLASLT_MATMUL_DESC_EPILOGUE, epilogue_of(s), s);
  // The choice of an algorithm reads these addresses' alignment, and nothing else of them.
  const void* like = reinterpret_cast<const void*>(uintptr_t{key.alignment});
  if (s.has_bias) {
    set(p.product, CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE, type_of(s.c), s);
    set(p.product, CUBLASLT_MATMUL_DESC_BIAS_POINTER, like, s);
  }
  if (s.keeps_z) {
    set(p.product, CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_LD, s.n, s);
    set(p.product, CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER, like, s);
  }
  const auto layout = [&](cublasLtMatrixLayout_t& out, DType type, uint64_t rows, uint64_t cols,
                          int64_t step) {
    const int64_t leading = step > 0 ? step : static_cast<int64_t>(rows);
    check(cublasLtMatrixLayoutCreate(&out, type_of(type), rows, cols, leading), "a matrix", s);
  };
  layout(p.b, s.ab, s.transpose_b ? uk : un, s.transpose_b ? un : uk, 0);
  layout(p.a, s.ab, s.transpose_a ? um : uk, s.transpose_a ? uk : um, s.step_a);
  layout(p.c, s.c, un, um, s.step_c);

  cublasLtMatmulPreference_t wish = nullptr;
  check(cublasLtMatmulPreferenceCreate(&wish), "a preference", s);
  const auto prefer = [&](cublasLtMatmulPreferenceAttributes_t attribute, auto value) {
    check(cublasLtMatmulPreferenceSetAttribute(wish, attribute, &value, sizeof(value)),
          "a preference", s);
  };
  prefer(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, kWorkspace);
  for (const auto which :
       {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
        CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES})
    prefer(which, static_cast<uint32_t>(key.alignment));
  cublasLtMatmulHeuristicResult_t best{};
  int found = 0;
  const cublasStatus_t status = cublasLtMatmulAlgoGetHeuristic(lib.handle, p.product, p.b, p.a, p.c,
                                                               p.c, wish, 1, &best, &found);
  cublasLtMatmulPreferenceDestroy(wish);
  p.found = status == CUBLAS_STATUS_SUCCESS && found > 0;
  // Without a GELU there is nothing else to try.
  if (!p.found && !s.gelu)
    check(status == CUBLAS_STATUS_SUCCESS ? CUBLAS_STATUS_NOT_SUPPORTED : status,
          "no algorithm fits", s);
  p.algorithm = best.algo;
  return p;
}

// False: no algorithm fits.
bool multiply(Cuda cuda, void* c, void* z, const void* a, const void* b, const void* bias,
              float alpha, const GemmShape& s) {
  uintptr_t all = 256;
  for (const void* p : {static_cast<const void*>(c), static_cast<const void*>(z), a, b, bias})
    all |= reinterpret_cast<uintptr_t>(p);
  Library& lib = library(s);
  const Key key{s, 1u << std::countr_zero(all)};
  auto found = lib.plans.find(key);
  if (found == lib.plans.end()) found = lib.plans.emplace(key, make_plan(lib, key)).first;
  const Plan& p = found->second;
  if (!p.found) return false;
  if (s.has_bias) set(p.product, CUBLASLT_MATMUL_DESC_BIAS_POINTER, bias, s);
  if (s.keeps_z) set(p.product, CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER, z, s);
  const float beta = s.accumulate ? 1.0f : 0.0f;
  check(cublasLtMatmul(lib.handle, p.product, &alpha, b, p.b, a, p.a, &beta, c, p.c, c, p.c,
                       &p.algorithm, lib.workspace, kWorkspace, cuda.stream),
        "the product failed", s);
  return true;
}

}  // namespace

void gemm(Cuda cuda, void* c, const void* a, const void* b, const void* bias, float alpha,
          const GemmShape& s) {
  multiply(cuda, c, nullptr, a, b, bias, alpha, s);
}

bool gemm_gelu_tanh(Cuda cuda, void* c, void* z, const void* a, const void* b, const void* bias,
                    const GemmShape& s) {
  return multiply(cuda, c, z, a, b, bias, 1.0f, s);
}

}  // namespace lk
