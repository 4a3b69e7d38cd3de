// polder — data sets by name, from plain or gzip files. Needs zlib (link with -lz); the parsers it calls do not.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "polder/core/error.hpp"
#include "polder/data/dataset.hpp"
#include "polder/data/digits.hpp"
#include "polder/data/idx.hpp"
#include "polder/data/user_files.hpp"
#include "polder/io/file.hpp"
#include "polder/io/gzip.hpp"

namespace polder::data {

/// Where Debian's package dataset-fashion-mnist puts its files.
inline constexpr std::string_view debian_fashion_mnist_folder = "/usr/share/datasets/fashion-mnist";

/// The greatest unpacked size of one file: 1 GiB, twenty times the training images of Fashion-MNIST.
inline constexpr std::size_t image_file_limit = std::size_t{1} << 30;

/// Reads an IDX image file, plain or gzip.
[[nodiscard]] inline idx_images read_idx_images(const std::string& path) {
  return parse_idx_images(io::read_maybe_gzip(path, image_file_limit), path);
}
/// Reads an IDX label file, plain or gzip.
[[nodiscard]] inline std::vector<std::int32_t> read_idx_labels(const std::string& path) {
  return parse_idx_labels(io::read_maybe_gzip(path, image_file_limit), path);
}
/// Reads 8x8 digits, plain or gzip.
[[nodiscard]] inline dataset read_digits(const std::string& path) {
  return parse_digits(io::read_maybe_gzip(path, image_file_limit), path);
}

namespace detail {

/// Finds files, each plain or with .gz behind its name, all in one of several folders.
class file_finder {
 public:
  file_finder(std::string what, std::vector<std::string> folders, std::vector<std::string> names)
      : what_(std::move(what)), folders_(std::move(folders)), names_(std::move(names)) {}

  /// The paths of all files, from the first folder that has one of them.
  [[nodiscard]] std::vector<std::string> paths() const {
    for (const std::string& folder : folders_) {
      std::vector<std::string> found;
      for (const std::string& name : names_) {
        const std::string path = io::join_path(folder, name);
        if (io::is_file(path)) {
          found.push_back(path);
        } else if (io::is_file(path + ".gz")) {
          found.push_back(path + ".gz");
        }
      }
      if (found.size() == names_.size()) return found;
      require<data_error>(found.empty(), "'", folder, "' has only ", found.size(), " of the ", names_.size(),
                          " files of ", what_, ": ", listed(names_), " (plain or .gz)");
    }
    fail<data_error>("no ", what_, " in ", listed(folders_), ": looked for ", listed(names_), " (plain or .gz)");
  }

 private:
  static std::string listed(const std::vector<std::string>& items) {
    std::string list;
    for (const std::string& item : items) list += text(list.empty() ? "" : ", ", item);
    return list;
  }

  std::string what_;
  std::vector<std::string> folders_;
  std::vector<std::string> names_;
};

}  // namespace detail

/// Fashion-MNIST (Xiao, Rasul, Vollgraf, arXiv:1708.07747) or any set in its four files: from `folder`, from its
/// subfolder fashion-mnist, or, without a folder, from where Debian's package dataset-fashion-mnist puts it.
/// Errors: data_error that lists folders and files looked for, or says what is wrong with one.
[[nodiscard]] inline train_test load_fashion_mnist(const std::string& folder = {}) {
  const std::vector<std::string> folders = folder.empty() ? std::vector{std::string(debian_fashion_mnist_folder)}
                                                          : std::vector{folder, io::join_path(folder, "fashion-mnist")};
  const auto paths = detail::file_finder("Fashion-MNIST", folders,
                                         {"train-images-idx3-ubyte", "train-labels-idx1-ubyte",
                                          "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"})
                         .paths();
  return checked_and_normalized(
      dataset_from_idx(read_idx_images(paths[0]), read_idx_labels(paths[1]), "fashion-mnist train"),
      dataset_from_idx(read_idx_images(paths[2]), read_idx_labels(paths[3]), "fashion-mnist test"));
}

/// The 8x8 digits (Alpaydin, Kaynak, doi:10.24432/C50P49): from `folder`, from its subfolder digits8x8, or, without a
/// folder, from examples/data under the current one. Errors as load_fashion_mnist.
[[nodiscard]] inline train_test load_digits(const std::string& folder = {}) {
  const std::vector<std::string> folders = folder.empty() ? std::vector<std::string>{"examples/data"}
                                                          : std::vector{folder, io::join_path(folder, "digits8x8")};
  const auto paths = detail::file_finder("8x8 digits", folders, {"optdigits-train.csv", "optdigits-test.csv"}).paths();
  return checked_and_normalized(read_digits(paths[0]), read_digits(paths[1]));
}

/// The data set "fashion-mnist", "digits" or "user" (the user's own files, see user_files.hpp) from a folder; each knows
/// where to look if the folder is empty, but "user". Errors: config_error for another name; else as those above.
[[nodiscard]] inline train_test load_named(std::string_view name, const std::string& folder = {}) {
  if (name == "fashion-mnist") return load_fashion_mnist(folder);
  if (name == "digits") return load_digits(folder);
  require<config_error>(name == "user", "unknown data set '", name, "': expected fashion-mnist, digits or user");
  require<config_error>(!folder.empty(), "the data set 'user' needs the folder that holds its files");
  return load_user_files(folder);
}

}  // namespace polder::data
