// Streams that are being captured, and what is asked of them meanwhile.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "cuda/emulator/include/cuda_runtime.h"

namespace emu {

enum class NodeType : uint8_t { kernel, copy, set };
struct Node {
  NodeType type;
  std::function<cudaError_t(cudaStream_t)> work;  // on the stream that the graph is launched on
};

}  // namespace emu

struct CUgraph_st {
  std::vector<emu::Node> nodes;
};
struct CUstream_st {
  unsigned flags = 0;
  std::unique_ptr<CUgraph_st> capture;  // while it is being captured
  cudaStreamCaptureMode mode{};
  bool invalid = false;  // the capture: something was called that it forbids
};

namespace emu {

bool capturing(cudaStream_t stream);
// Keeps `work` where `stream` is being captured; what the call then returns. Nothing where it is to
// be done at once.
std::optional<cudaError_t> captured(cudaStream_t stream, NodeType type,
                                    std::function<cudaError_t(cudaStream_t)> work);
void forget_capture(cudaStream_t stream);  // it is destroyed

// For calls that a capture does not allow: of this stream (the default stream: of any that waits
// for it); of any stream; of any stream whose mode is not relaxed. cudaSuccess where there is none,
// else the error, and the capture is invalid.
cudaError_t forbid_in_capture(cudaStream_t stream, cudaError_t error);
cudaError_t forbid_in_any_capture();
cudaError_t forbid_unless_relaxed();

}  // namespace emu
