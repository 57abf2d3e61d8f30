// A file in memory, read only; its pages come from disk when they are touched.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>

namespace lk {

class MappedFile {
 public:
  // Error when the file is missing, unreadable, empty or no regular file.
  static std::shared_ptr<const MappedFile> open(const std::filesystem::path& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  const char* data() const { return data_; }
  size_t size() const { return size_; }
  const std::filesystem::path& path() const { return path_; }

 private:
  MappedFile(std::filesystem::path path, const char* data, size_t size)
      : path_(std::move(path)), data_(data), size_(size) {}
  std::filesystem::path path_;
  const char* data_;
  size_t size_;
};

// The whole pages of this part of a mapped file leave the process's memory; touched again, they
// come back from the file.
void forget_pages(const void* data, size_t bytes);

}  // namespace lk
