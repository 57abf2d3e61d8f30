// The entries of a ZIP archive that are stored without compression, read in place: so are PyTorch's
// files, whose tensors can then stay in the mapped file. (PKWARE's APPNOTE.TXT, with ZIP64.)
#pragma once

#include <map>
#include <string>
#include <string_view>

namespace lk {

// Name to bytes, views of `archive`. `name` is what messages call it. Error for what is truncated,
// compressed, encrypted or cut in several files, for two entries of one name, and for numbers that
// contradict the file's size.
std::map<std::string, std::string_view> stored_entries(std::string_view archive,
                                                       const std::string& name);

}  // namespace lk
