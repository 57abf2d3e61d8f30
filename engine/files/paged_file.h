// Memory whose home is a file: pages move to disk by themselves when memory is short, and come back
// when they are touched.
#pragma once

#include <filesystem>
#include <memory>

#include "engine/tensor.h"

namespace lk {

class PagedFile : public std::enable_shared_from_this<PagedFile> {
 public:
  // Every byte is reserved on the disk here, so that a full disk is an Error now and never a SIGBUS
  // later. A file of that name, left by a run that was killed, is replaced. The name is gone from
  // the folder at once: whatever ends the process gives the space back.
  static std::shared_ptr<PagedFile> create(const std::filesystem::path& path, size_t bytes);
  ~PagedFile();
  PagedFile(const PagedFile&) = delete;
  PagedFile& operator=(const PagedFile&) = delete;

  static size_t bytes_for(const Shape& shape, DType dtype);  // in whole pages
  // The next part of the file, zeros, writable.
  Tensor take(const Shape& shape, DType dtype);
  // Advice on a tensor that was taken: it will be used soon; it will not be.
  static void fetch(const Tensor& t);
  static void put_away(const Tensor& t);

 private:
  PagedFile(char* data, size_t bytes) : data_(data), bytes_(bytes) {}
  char* data_;
  size_t bytes_, taken_ = 0;
};

}  // namespace lk
