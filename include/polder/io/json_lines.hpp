// polder — JSON Lines: one object a line, readable while the run goes on and after it was killed.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>
#include <string_view>
#include <vector>

#include "polder/core/error.hpp"
#include "polder/io/file.hpp"
#include "polder/io/json.hpp"
#include "polder/io/json_parse.hpp"

namespace polder::io {

/// A log of JSON objects. Each line reaches the system by one write before `write` returns, so that a killed process
/// loses none. Errors: data_error with path and reason.
class json_lines {
 public:
  enum class mode { truncate, append };

  explicit json_lines(std::string path, mode how = mode::truncate) : path_(std::move(path)) {
    const int flags = O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | (how == mode::truncate ? O_TRUNC : 0);
    file_ = file_descriptor(::open(path_.c_str(), flags, 0666));
    if (!file_) fail_with_errno("open", path_);
    // A line that lost its end when the machine stopped must not swallow the first line of this run.
    struct stat info {};
    char last = '\n';
    if (::fstat(file_.get(), &info) == 0 && S_ISREG(info.st_mode) && info.st_size > 0 &&
        ::pread(file_.get(), &last, 1, info.st_size - 1) == 1 && last != '\n') {
      write_all(file_, as_bytes("\n"), path_);
    }
  }

  void write(const json& line) {
    line_.clear();
    line.write(line_);
    line_ += '\n';
    write_all(file_, as_bytes(line_), path_);
  }

 private:
  std::string path_;
  file_descriptor file_;
  std::string line_;
};

/// All objects of a JSON Lines text; blank lines are passed over. Errors: data_error with the line.
[[nodiscard]] inline std::vector<json> parse_json_lines(std::string_view content, std::string_view name) {
  std::vector<json> lines;
  for (std::size_t number = 1; !content.empty(); ++number) {
    const std::size_t end = content.find('\n');
    const std::string_view line = content.substr(0, end);
    if (line.find_first_not_of(" \t\r") != std::string_view::npos) {
      lines.push_back(parse_json(line, text(name, ":", number)));
    }
    content.remove_prefix(end == std::string_view::npos ? content.size() : end + 1);
  }
  return lines;
}

/// All objects of a JSON Lines file.
[[nodiscard]] inline std::vector<json> read_json_lines(const std::string& path) {
  const bytes content = read_file(path);
  return parse_json_lines(as_text(content), path);
}

}  // namespace polder::io
