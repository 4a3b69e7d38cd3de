// Files and folders that options name: looked at before the training, not after.
#pragma once

#include <unistd.h>

#include <filesystem>
#include <string>
#include <system_error>

#include "polder/core/error.hpp"
#include "polder/io/file.hpp"
#include "train/usage_error.hpp"

namespace polder_train {

/// Whether two paths lead to one folder, which need not be there yet.
[[nodiscard]] inline bool same_folder(const std::string& a, const std::string& b) {
  namespace fs = std::filesystem;
  std::error_code failed;
  if (fs::equivalent(a, b, failed)) return true;
  const auto whole = [](const std::string& path) {
    std::error_code unknown;
    // The slash at the end makes "run" and "run/" one path.
    const fs::path all = fs::absolute(path, unknown) / "";
    const fs::path shortest = fs::weakly_canonical(all, unknown);
    return unknown ? all : shortest;
  };
  return whole(a) == whole(b);
}

/// Throws usage_error for a file that cannot be written there; an empty path is no file.
inline void check_file(const char* option, const std::string& path) {
  if (path.empty()) return;
  std::error_code unknown;
  const bool folder = std::filesystem::is_directory(path, unknown);
  polder::require<usage_error>(!folder && ::access(polder::io::folder_of(path).c_str(), W_OK) == 0, option, " ", path,
                               ": allowed: a file in a folder that is there and can be written");
}

/// The same for a folder, which is made if it is not there.
inline void check_folder(const char* option, const std::string& path) {
  if (path.empty()) return;
  std::error_code unknown;
  std::filesystem::path nearest = std::filesystem::absolute(path, unknown);
  while (!std::filesystem::exists(nearest, unknown) && nearest.has_relative_path()) nearest = nearest.parent_path();
  const bool good = std::filesystem::is_directory(nearest, unknown) && ::access(nearest.c_str(), W_OK) == 0;
  polder::require<usage_error>(good, option, " ", path, ": allowed: a folder that can be made and written");
}

}  // namespace polder_train
