// The finished runs, one JSON object a line.
#pragma once

#include <fcntl.h>
#include <sys/file.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "polder/core/error.hpp"
#include "polder/io/file.hpp"
#include "polder/io/json.hpp"
#include "polder/io/json_lines.hpp"

namespace polder_claims {

/// A file of finished runs. It is replaced as a whole for each line that is added, so that a program killed at any moment
/// leaves whole lines; while a store is `for_writing` no other program may add to files of the folder.
class store {
 public:
  enum class use { reading, writing };

  /// `settings`: the version of the runs that count.
  store(std::string path, use how, std::uint64_t settings) : path_(std::move(path)), settings_(settings) {
    if (how == use::writing) {
      const std::string folder = polder::io::folder_of(path_);
      lock_ = polder::io::file_descriptor(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
      if (!lock_) polder::io::fail_with_errno("open folder", folder);
      polder::require<polder::data_error>(::flock(lock_.get(), LOCK_EX | LOCK_NB) == 0, "another program writes into '",
                                          folder, "': wait for its end, or write to another folder");
    }
    if (polder::io::is_file(path_)) lines_ = polder::io::read_json_lines(path_);
  }

  [[nodiscard]] const std::vector<polder::io::json>& lines() const { return lines_; }
  /// The run of that command line under the settings that count; nullptr if it has not been done.
  [[nodiscard]] const polder::io::json* find(std::string_view command) const {
    for (const polder::io::json& line : lines_) {
      const auto* const name = line.at("command").get_if<std::string>();
      if (name != nullptr && *name == command && line.at("settings").as_unsigned() == settings_) return &line;
    }
    return nullptr;
  }
  const polder::io::json& add(polder::io::json line) {
    lines_.push_back(std::move(line));
    std::string content;
    for (const polder::io::json& each : lines_) content += each.dump() + "\n";
    polder::io::write_file(path_, content);
    return lines_.back();
  }

 private:
  std::string path_;
  std::uint64_t settings_;
  polder::io::file_descriptor lock_;
  std::vector<polder::io::json> lines_;
};

}  // namespace polder_claims
