#include "train/images.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "polder/core/error.hpp"
#include "polder/data/load.hpp"
#include "polder/io/checksum.hpp"
#include "polder/io/file.hpp"
#include "polder/nn/models.hpp"
#include "train/usage_error.hpp"

namespace polder_train {

using namespace polder;

namespace {

bool has_file(const std::string& folder, std::string_view name) { return data::packed_file(folder, name).has_value(); }

/// The folder of the digits that come with polder's source.
std::string shipped_digits() {
  for (const std::string folder : {"examples/data", POLDER_EXAMPLE_DATA}) {
    if (has_file(folder, "optdigits-train.csv")) return folder;
  }
  return {};
}

/// A data set by name: the subfolders of --data in which it may lie as well, and a file by which it is known.
struct known_dataset {
  std::string_view name;
  std::array<std::string_view, 2> subfolders;
  std::string_view file;
  std::string_view said;
};
constexpr known_dataset known_datasets[] = {
    {"user", {}, "", "train-images.npy or train.csv"},
    {"fashion-mnist", {"fashion-mnist"}, "train-images-idx3-ubyte", "train-images-idx3-ubyte (Fashion-MNIST)"},
    {"cifar10", {"cifar10", "cifar-10-batches-bin"}, "data_batch_1.bin", "data_batch_1.bin (CIFAR-10)"},
    {"cifar100", {"cifar100", "cifar-100-binary"}, "train.bin", "train.bin (CIFAR-100)"},
    {"digits", {"digits8x8"}, "optdigits-train.csv", "optdigits-train.csv (8 x 8 digits)"},
};
bool holds(const std::string& folder, const known_dataset& kind) {
  if (kind.name == "user") return data::has_user_files(folder);
  return has_file(folder, kind.file) || std::ranges::any_of(kind.subfolders, [&](std::string_view subfolder) {
           return !subfolder.empty() && has_file(io::join_path(folder, subfolder), kind.file);
         });
}

/// Where the data set is looked for without --data; empty: nowhere.
std::string usual_place(std::string_view dataset) {
  if (dataset == "digits") return shipped_digits();
  return dataset == "fashion-mnist" ? std::string(data::debian_fashion_mnist_folder) : std::string();
}

/// Throws usage_error unless the files of the data set that the user named are where they must be.
void check_place(const std::string& dataset, const std::string& data) {
  const known_dataset& kind = *std::ranges::find(known_datasets, std::string_view(dataset), &known_dataset::name);
  if (!data.empty()) {
    require<usage_error>(holds(data, kind), "--data ", data, ": allowed: a folder with ", kind.said,
                         " and the files that belong to it");
    return;
  }
  const std::string usual = usual_place(dataset);
  require<usage_error>(!usual.empty() && holds(usual, kind), "--dataset ", dataset,
                       ": it is not on this machine; allowed: with --data DIR, ", "a folder with ", kind.said,
                       " and the files that belong to it");
}

/// Which data set there is, for a user who did not say.
std::string dataset_in(const std::string& folder, const teller& say) {
  if (folder.empty()) {
    if (has_file(std::string(data::debian_fashion_mnist_folder), "train-images-idx3-ubyte")) return "fashion-mnist";
    say("Fashion-MNIST is not on this machine (Debian: apt-get install dataset-fashion-mnist; else --data DIR): taking "
        "the 8x8 digits that come with polder.");
    return "digits";
  }
  for (const known_dataset& kind : known_datasets) {
    if (holds(folder, kind)) return std::string(kind.name);
  }
  fail<usage_error>("--data ", folder,
                    ": allowed: a folder with train-images-idx3-ubyte (Fashion-MNIST), data_batch_1.bin (CIFAR-10), "
                    "train.bin (CIFAR-100), optdigits-train.csv, train-images.npy or train.csv and the files that "
                    "belong to it");
}

}  // namespace

bool is_model(const std::string& name) {
  try {
    (void)nn::model_from_name(name, {1, 28, 28}, 10);
    return true;
  } catch (const config_error&) {
    return false;
  }
}

std::string usual_model(const data::image_shape& images) {
  return std::min(images.height, images.width) >= 28 ? "lenet5" : "mlp";
}

data::train_test read_images(std::string& dataset, const std::string& data, const teller& say) {
  if (dataset.empty()) dataset = dataset_in(data, say);
  check_place(dataset, data);
  const bool shipped = dataset == "digits" && data.empty();
  return data::load_named(dataset, shipped ? shipped_digits() : data);
}

std::vector<std::string> image_folders(const std::string& data) {
  if (!data.empty()) return {data};
  std::vector<std::string> usual;
  for (const known_dataset& kind : known_datasets) {
    if (std::string place = usual_place(kind.name); !place.empty()) usual.push_back(std::move(place));
  }
  return usual;
}

void limit(data::dataset& images, std::size_t count) {
  if (count == 0 || count >= images.size()) return;
  const std::size_t all = images.size();
  const std::size_t size = images.shape.size();
  for (std::size_t i = 0; i < count; ++i) images.labels[i] = images.labels[i * all / count];
  images.labels.resize(count);
  std::visit(
      [&](auto& pixels) {
        for (std::size_t i = 0; i < count; ++i) std::copy_n(&pixels[i * all / count * size], size, &pixels[i * size]);
        pixels.resize(count * size);
      },
      images.pixels);
}

std::string fingerprint(const data::dataset& images) {
  io::xxh64 sum;
  const auto add = [&sum](const auto& numbers) {
    sum.update({reinterpret_cast<const std::uint8_t*>(numbers.data()), numbers.size() * sizeof(numbers[0])});
  };
  add(images.labels);
  std::visit(add, images.pixels);
  return io::hex64(sum.digest());
}

}  // namespace polder_train
