// Memory that gives way. Tensors that are used now and then, as an optimizer's states are, lie
// where there is more room, come when they are fetched and leave when they are put away, a page at
// a time. (Paged optimizers: QLoRA, Dettmers et al. 2023, section 3.)
//   Tensors of the CPU lie in a file (engine/files/paged_file.h), and count nowhere in
//   engine/memory.h: the file is on the disk.
//   Tensors of the CUDA device lie in managed memory, whose home is the host's memory. All of it
//   counts there (Device::cpu), under the category that is current when it is made, and none of it
//   as the device's: what is there for a while is driven out when the device needs the room.
#pragma once

#include <filesystem>
#include <memory>

#include "engine/cuda.h"
#include "engine/tensor.h"

namespace lk {

class PagedMemory : public std::enable_shared_from_this<PagedMemory> {
 public:
  // For tensors on `device`, `bytes` (the sum of bytes_for) of them together, had now and not when
  // they are touched. file: of the CPU's, whose name is gone at once; the device needs none. Error
  // where so much cannot be had.
  static std::shared_ptr<PagedMemory> create(Device device, const std::filesystem::path& file,
                                             size_t bytes);
  ~PagedMemory();
  PagedMemory(const PagedMemory&) = delete;
  PagedMemory& operator=(const PagedMemory&) = delete;

  static size_t bytes_for(const Shape& shape, DType dtype);  // in whole pages
  // The next part of it, zeros, writable; it keeps the whole alive. Tensor::is_mapped() is true.
  Tensor take(const Shape& shape, DType dtype);
  // Of a tensor that was taken: it will be used soon; it will not be. What it holds stays, and it
  // may be used at any time: it is slower where it was not fetched.
  static void fetch(const Tensor& t);
  static void put_away(const Tensor& t);

 private:
  PagedMemory(Device device, char* data, size_t bytes, Category category);
  Device device_;
  char* data_;
  size_t bytes_, taken_ = 0;
  Category category_;
};

// The device's part (cuda/managed.cc). Error where managed memory cannot be had.
void* allocate_managed(Cuda cuda, size_t bytes);
void deallocate_managed(Cuda cuda, void* data) noexcept;  // waits for the device
void fetch_managed(Cuda cuda, void* data, size_t bytes);
void put_away_managed(Cuda cuda, void* data, size_t bytes);

}  // namespace lk
