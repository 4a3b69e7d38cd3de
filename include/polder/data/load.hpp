// polder — data sets by name, from files that are plain, gzip or xz. Needs zlib (link with -lz), and liblzma for xz
// (see io/xz.hpp); the parsers it calls do not.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "polder/core/error.hpp"
#include "polder/data/cifar.hpp"
#include "polder/data/dataset.hpp"
#include "polder/data/digits.hpp"
#include "polder/data/idx.hpp"
#include "polder/data/user_files.hpp"
#include "polder/io/file.hpp"
#include "polder/io/gzip.hpp"
#include "polder/io/xz.hpp"

namespace polder::data {

/// Where Debian's package dataset-fashion-mnist puts its files.
inline constexpr std::string_view debian_fashion_mnist_folder = "/usr/share/datasets/fashion-mnist";

/// The greatest unpacked size of one file: 1 GiB, twenty times the training images of Fashion-MNIST.
inline constexpr std::size_t image_file_limit = std::size_t{1} << 30;

/// The content of a file, unpacked if it is a gzip or an xz stream; image_file_limit holds for both sizes.
[[nodiscard]] inline io::bytes read_image_file(const std::string& path) {
  io::bytes content = io::read_maybe_gzip(path, image_file_limit);
  if (io::is_xz(content)) return io::unpack_xz(content, path, image_file_limit);
  return content;
}

/// Reads an IDX image file; plain, gzip or xz, as all of these.
[[nodiscard]] inline idx_images read_idx_images(const std::string& path) {
  return parse_idx_images(read_image_file(path), path);
}
/// Reads an IDX label file.
[[nodiscard]] inline std::vector<std::int32_t> read_idx_labels(const std::string& path) {
  return parse_idx_labels(read_image_file(path), path);
}
/// Reads 8x8 digits.
[[nodiscard]] inline dataset read_digits(const std::string& path) { return parse_digits(read_image_file(path), path); }
/// Reads a batch of CIFAR-10.
[[nodiscard]] inline dataset read_cifar10(const std::string& path) {
  return parse_cifar10(read_image_file(path), path);
}
/// Reads a file of CIFAR-100.
[[nodiscard]] inline dataset read_cifar100(const std::string& path, cifar100_labels labels = cifar100_labels::fine) {
  return parse_cifar100(read_image_file(path), path, labels);
}

/// The file of that name in a folder, or with .gz or .xz behind its name, in this order; nothing if there is none.
[[nodiscard]] inline std::optional<std::string> packed_file(const std::string& folder, std::string_view name) {
  for (const std::string_view ending : {"", ".gz", ".xz"}) {
    std::string path = text(io::join_path(folder, name), ending);
    if (io::is_file(path)) return path;
  }
  return std::nullopt;
}

namespace detail {

/// Finds files, each plain or with .gz or .xz behind its name, all in one of several folders.
class file_finder {
 public:
  file_finder(std::string what, std::vector<std::string> folders, std::vector<std::string> names)
      : what_(std::move(what)), folders_(std::move(folders)), names_(std::move(names)) {}

  /// The paths of all files, from the first folder that has one of them.
  [[nodiscard]] std::vector<std::string> paths() const {
    for (const std::string& folder : folders_) {
      std::vector<std::string> found;
      for (const std::string& name : names_) {
        if (const auto path = packed_file(folder, name)) found.push_back(*path);
      }
      if (found.size() == names_.size()) return found;
      require<data_error>(found.empty(), "'", folder, "' has only ", found.size(), " of the ", names_.size(),
                          " files of ", what_, ": ", listed(names_), " (plain, .gz or .xz)");
    }
    fail<data_error>("no ", what_, " in ", listed(folders_), ": looked for ", listed(names_), " (plain, .gz or .xz)");
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

/// CIFAR-10 (Krizhevsky, technical report, University of Toronto, 2009): 50,000 training images from data_batch_1.bin
/// to data_batch_5.bin, 10,000 of test_batch.bin, in `folder` or its subfolder cifar10 or cifar-10-batches-bin, the
/// folder of the published archive; normalized by cifar10_normalization(). Errors as load_fashion_mnist.
[[nodiscard]] inline train_test load_cifar10(const std::string& folder) {
  const auto paths =
      detail::file_finder("CIFAR-10",
                          {folder, io::join_path(folder, "cifar10"), io::join_path(folder, "cifar-10-batches-bin")},
                          {"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin",
                           "data_batch_5.bin", "test_batch.bin"})
          .paths();
  dataset train = read_cifar10(paths.front());
  for (std::size_t i = 1; i + 1 < paths.size(); ++i) detail::append(train, read_cifar10(paths[i]));
  train.name = "cifar10 train";
  return checked_and_normalized(std::move(train), read_cifar10(paths.back()), cifar10_normalization());
}

/// CIFAR-100: train.bin and test.bin in `folder` or its subfolder cifar100 or cifar-100-binary; normalized by
/// cifar100_normalization(). Else as load_cifar10.
[[nodiscard]] inline train_test load_cifar100(const std::string& folder,
                                              cifar100_labels labels = cifar100_labels::fine) {
  const auto paths =
      detail::file_finder("CIFAR-100",
                          {folder, io::join_path(folder, "cifar100"), io::join_path(folder, "cifar-100-binary")},
                          {"train.bin", "test.bin"})
          .paths();
  return checked_and_normalized(read_cifar100(paths[0], labels), read_cifar100(paths[1], labels),
                                cifar100_normalization());
}

/// The data set "fashion-mnist", "cifar10", "cifar100" (fine labels), "digits" or "user" (the user's own files, see
/// user_files.hpp) from a folder; fashion-mnist and digits know where to look if the folder is empty. Errors:
/// config_error for another name, and for the others without a folder; else as those above.
[[nodiscard]] inline train_test load_named(std::string_view name, const std::string& folder = {}) {
  if (name == "fashion-mnist") return load_fashion_mnist(folder);
  if (name == "digits") return load_digits(folder);
  require<config_error>(name == "cifar10" || name == "cifar100" || name == "user", "unknown data set '", name,
                        "': expected fashion-mnist, cifar10, cifar100, digits or user");
  require<config_error>(!folder.empty(), "the data set '", name, "' needs the folder that holds its files");
  if (name == "cifar10") return load_cifar10(folder);
  if (name == "cifar100") return load_cifar100(folder);
  return load_user_files(folder);
}

}  // namespace polder::data
