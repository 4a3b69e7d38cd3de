// polder — whole files: read in one go, written so that a reader never sees half of one.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "polder/core/error.hpp"

namespace polder::io {

using bytes = std::vector<std::uint8_t>;
using byte_view = std::span<const std::uint8_t>;

/// The largest file that is read when the caller names no limit: 4 GiB.
inline constexpr std::size_t default_size_limit = std::size_t{1} << 32;

/// The bytes of a text.
[[nodiscard]] inline byte_view as_bytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}
/// The text of some bytes.
[[nodiscard]] inline std::string_view as_text(byte_view content) {
  return {reinterpret_cast<const char*>(content.data()), content.size()};
}

/// Throws a data_error "cannot <action> <path>: <what the system says>".
[[noreturn]] inline void fail_with_errno(const char* action, const std::string& path) {
  const int code = errno;
  fail<data_error>("cannot ", action, " '", path, "': ", std::strerror(code));
}

/// An open file that closes itself.
class file_descriptor {
 public:
  explicit file_descriptor(int handle = -1) : handle_(handle) {}
  file_descriptor(file_descriptor&& other) noexcept : handle_(std::exchange(other.handle_, -1)) {}
  file_descriptor& operator=(file_descriptor&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  ~file_descriptor() {
    if (handle_ >= 0) ::close(handle_);
  }

  [[nodiscard]] int get() const { return handle_; }
  [[nodiscard]] explicit operator bool() const { return handle_ >= 0; }
  /// Closes now and says whether the system could: a full disk may show only here.
  [[nodiscard]] bool close() { return ::close(std::exchange(handle_, -1)) == 0; }

 private:
  int handle_;
};

/// Whether a regular file (or a link to one) of that name can be seen.
[[nodiscard]] inline bool is_file(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode);
}

/// The folder part of a path: "a/b" of "a/b/c", "." of "c".
[[nodiscard]] inline std::string folder_of(const std::string& path) {
  const std::size_t slash = path.find_last_of('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

/// `folder`/`name`, or `name` alone where the folder is empty.
[[nodiscard]] inline std::string join_path(const std::string& folder, std::string_view name) {
  if (folder.empty()) return std::string(name);
  return folder.back() == '/' ? text(folder, name) : text(folder, '/', name);
}

/// The whole content of a file. Throws data_error with path and reason if it cannot be read, is a folder, or has more
/// than `limit` bytes; nothing is allocated for a file that is too large.
[[nodiscard]] inline bytes read_file(const std::string& path, std::size_t limit = default_size_limit) {
  const file_descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) fail_with_errno("open", path);
  struct stat info {};
  if (::fstat(file.get(), &info) != 0) fail_with_errno("inspect", path);
  require<data_error>(!S_ISDIR(info.st_mode), "cannot read '", path, "': it is a folder");
  const std::size_t promised = info.st_size > 0 ? static_cast<std::size_t>(info.st_size) : 0;
  const auto check_size = [&](std::size_t size) {
    require<data_error>(size <= limit, "'", path, "' is larger than the ", limit, " bytes that are read at most");
  };
  check_size(promised);

  // One byte more than promised, so that the read which finds the end needs no second buffer; pipes promise nothing.
  bytes content(promised + 1);
  std::size_t size = 0;
  for (;;) {
    const ssize_t count = ::read(file.get(), content.data() + size, content.size() - size);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail_with_errno("read", path);
    if (count == 0) break;
    size += static_cast<std::size_t>(count);
    check_size(size);
    if (size == content.size()) content.resize(std::max<std::size_t>(2 * size, 4096));
  }
  content.resize(size);
  return content;
}

/// Writes all bytes to an open file.
inline void write_all(const file_descriptor& file, byte_view content, const std::string& path) {
  while (!content.empty()) {
    const ssize_t count = ::write(file.get(), content.data(), content.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail_with_errno("write", path);
    content = content.subspan(static_cast<std::size_t>(count));
  }
}

/// Makes the names in a folder (a rename, a new file) survive a loss of power.
inline void sync_folder(const std::string& folder) {
  const file_descriptor file(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!file) fail_with_errno("open folder", folder);
  // Some file systems (FUSE, network mounts) do not know fsync on folders; the rename itself has been done.
  if (::fsync(file.get()) != 0 && errno != EINVAL && errno != ENOTSUP) fail_with_errno("flush folder", folder);
}

/// Replaces the file `path` by the pieces in a row: all of them or, on any failure, the old file as it was.
///
/// Temporary name in the same folder, fsync, rename, fsync of the folder. Errors: data_error with path and reason.
inline void write_file(const std::string& path, std::span<const byte_view> pieces) {
  static std::atomic<unsigned> counter{0};
  std::string temporary;
  file_descriptor file;
  do {
    temporary = text(path, ".tmp-", ::getpid(), '-', counter++);
    file = file_descriptor(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
  } while (!file && errno == EEXIST);
  if (!file) fail_with_errno("create", temporary);
  try {
    for (const byte_view piece : pieces) write_all(file, piece, path);
    if (::fsync(file.get()) != 0) fail_with_errno("flush", path);
    if (!file.close()) fail_with_errno("close", path);
    if (::rename(temporary.c_str(), path.c_str()) != 0) fail_with_errno("rename a temporary file to", path);
  } catch (...) {
    ::unlink(temporary.c_str());
    throw;
  }
  sync_folder(folder_of(path));
}
inline void write_file(const std::string& path, byte_view content) {
  write_file(path, std::span<const byte_view>(&content, 1));
}
inline void write_file(const std::string& path, std::string_view content) { write_file(path, as_bytes(content)); }

}  // namespace polder::io
