// What the tests of files share.
#pragma once

#include <unistd.h>

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "polder/core/error.hpp"
#include "polder/io/file.hpp"
#include "support/catch.hpp"

namespace polder::test {

/// A folder of its own that goes away with the test.
class temporary_folder {
 public:
  temporary_folder() {
    std::string name = (std::filesystem::temp_directory_path() / "polder-test-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("cannot make a temporary folder");
    path_ = name;
  }
  temporary_folder(const temporary_folder&) = delete;
  temporary_folder& operator=(const temporary_folder&) = delete;
  ~temporary_folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::string operator/(std::string_view name) const { return io::join_path(path_, name); }
  [[nodiscard]] std::size_t files() const {
    std::size_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(path_)) count += entry.exists() ? 1 : 0;
    return count;
  }

 private:
  std::string path_;
};

/// The message of the `Error` that an action throws; "" if it throws none.
template <class Error = data_error, class Action>
std::string message_of(Action action) {
  try {
    action();
  } catch (const Error& problem) {
    return problem.what();
  }
  return "";
}

/// Whether the message of the error that an action throws contains all the pieces.
template <class Error = data_error, class Action, class... Pieces>
bool fails_with(Action action, const Pieces&... pieces) {
  const std::string message = message_of<Error>(action);
  const bool all = ((message.find(pieces) != std::string::npos) && ...);
  if (!all) UNSCOPED_INFO("the error says: " << message);
  return !message.empty() && all;
}

/// Whether every element that is opened is closed, in order.
inline bool well_formed(std::string_view markup) {
  std::vector<std::string> open;
  for (std::size_t at = markup.find('<'); at != std::string_view::npos; at = markup.find('<', at + 1)) {
    const std::size_t end = markup.find('>', at);
    if (end == std::string_view::npos) return false;
    const std::string_view tag = markup.substr(at + 1, end - at - 1);
    const std::string name(
        tag.substr(tag.starts_with('/') ? 1 : 0, tag.find_first_of(" \n") - (tag.starts_with('/') ? 1 : 0)));
    if (tag.starts_with('!') || tag.ends_with('/') || name == "meta") continue;
    if (!tag.starts_with('/')) {
      open.push_back(name);
    } else if (open.empty() || open.back() != name) {
      return false;
    } else {
      open.pop_back();
    }
  }
  return open.empty();
}

}  // namespace polder::test
