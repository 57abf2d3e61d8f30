#include "engine/paged.h"

#include "engine/device.h"
#include "engine/files/paged_file.h"

namespace lk {

std::shared_ptr<PagedMemory> PagedMemory::create(Device device, const std::filesystem::path& file,
                                                 size_t bytes) {
  invariant(bytes > 0, "paged memory of no bytes");
  void* data = nullptr;
  if (device == Device::cpu) {
    require(!file.empty(), "paged memory of the CPU needs a file for its pages");
    data = map_paged_file(file, bytes);
  } else {
    require_device(device);
    if (!host_has_room(bytes)) fail_out_of_memory(Device::cpu, current_category(), bytes);
    data = allocate_managed(Cuda{}, bytes);
  }
  return std::shared_ptr<PagedMemory>(
      new PagedMemory(device, static_cast<char*>(data), bytes, current_category()));
}

PagedMemory::PagedMemory(Device device, char* data, size_t bytes, Category category)
    : device_(device), data_(data), bytes_(bytes), category_(category) {
  if (device_ != Device::cpu) count_memory(Device::cpu, category_, static_cast<int64_t>(bytes_));
}

PagedMemory::~PagedMemory() {
  if (device_ == Device::cpu) {
    unmap_paged_file(data_, bytes_);
  } else {
    deallocate_managed(Cuda{}, data_);
    count_memory(Device::cpu, category_, -static_cast<int64_t>(bytes_));
  }
}

size_t PagedMemory::bytes_for(const Shape& shape, DType dtype) {
  const auto bytes = static_cast<size_t>(shape.numel() * size_of(dtype));
  return (bytes + page_size() - 1) / page_size() * page_size();
}

Tensor PagedMemory::take(const Shape& shape, DType dtype) {
  const size_t bytes = bytes_for(shape, dtype);
  invariant(taken_ + bytes <= bytes_, "paged memory of {} bytes has no place for {} more", bytes_,
            bytes);
  Tensor t = Tensor::mapped(shape, dtype, data_ + taken_, shared_from_this(), device_);
  taken_ += bytes;
  if (device_ != Device::cpu) t.zero();  // a new file is zeros
  return t;
}

void PagedMemory::fetch(const Tensor& t) {
  const KernelScope scope("fetch", t.device());
  const size_t bytes = bytes_for(t.shape(), t.dtype());
  if (t.device() == Device::cpu)
    fetch_pages(t.raw(), bytes);
  else
    fetch_managed(Cuda{}, t.raw(), bytes);
}

void PagedMemory::put_away(const Tensor& t) {
  const KernelScope scope("put_away", t.device());
  const size_t bytes = bytes_for(t.shape(), t.dtype());
  if (t.device() == Device::cpu)
    put_away_pages(t.raw(), bytes);
  else
    put_away_managed(Cuda{}, t.raw(), bytes);
}

}  // namespace lk
