// One run per output folder. The lock goes with the process, however it ends.
#pragma once

#include <filesystem>

namespace lk {

class FolderLock {
 public:
  // Makes the folder if need be, and clears what a killed run left half-written in it. Error when
  // another process holds it.
  explicit FolderLock(const std::filesystem::path& folder);
  ~FolderLock();
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

 private:
  int fd_;
};

}  // namespace lk
