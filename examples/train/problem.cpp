#include "train/problem.hpp"

#include <algorithm>
#include <type_traits>
#include <utility>
#include <variant>

#include "polder/backend/eigen.hpp"
#include "polder/backend/reference.hpp"
#include "polder/data/load.hpp"
#include "polder/data/loader.hpp"
#include "polder/data/partition.hpp"
#include "polder/io/checksum.hpp"
#include "polder/nn/model.hpp"
#include "polder/nn/models.hpp"
#include "train/usage_error.hpp"

namespace polder_train {
namespace {

using namespace polder;

/// A network on one worker's minibatches.
template <class Model>
class image_loss final : public worker_loss {
 public:
  image_loss(Model model, data::loader<float> loader) : model_(std::move(model)), loader_(std::move(loader)) {}

  void select_batch(std::uint64_t step) override { loader_.select(step); }
  void select_probe(std::uint64_t step) override { loader_.select_probe(step); }
  double loss_and_gradient(std::span<const float> x, std::span<float> g) const override {
    const auto batch = loader_.batch();
    return model_.loss_and_gradient(x, batch.images, batch.labels, g);
  }
  [[nodiscard]] polder::layout layout() const override { return model_.layout(); }

 private:
  Model model_;
  data::loader<float> loader_;
};

/// A network on images; its matrix products are the backend's.
template <class Backend>
class image_problem final : public problem {
 public:
  using model_type = nn::model<float, Backend>;

  image_problem(const options& o, data::train_test images, model_type model)
      : images_(std::move(images)),
        shards_(data::make_partition(data::parse_partition(o.partition), images_.train.labels,
                                     static_cast<std::size_t>(o.workers), o.seed)),
        model_(std::move(model)),
        batch_(o.batch),
        seed_(o.seed),
        steps_per_epoch_(polder::steps_per_epoch(images_.train.size(), o.workers, o.batch)) {}

  [[nodiscard]] const layout& tensors() const override { return model_.layout(); }
  [[nodiscard]] std::vector<float> initial_parameters() const override {
    std::vector<float> x(model_.size());
    model_.initialize(x, seed_);
    return x;
  }
  [[nodiscard]] std::uint64_t steps_per_epoch() const override { return steps_per_epoch_; }
  [[nodiscard]] std::unique_ptr<worker_loss> loss_of(int worker) const override {
    const auto rank = static_cast<std::size_t>(worker);
    data::loader<float> loader(images_.train, shards_[rank], batch_, seed_, static_cast<std::uint32_t>(worker));
    return std::make_unique<image_loss<model_type>>(model_, std::move(loader));
  }
  [[nodiscard]] std::size_t size() const override { return images_.test.size(); }
  [[nodiscard]] scores score(std::span<const float> x, std::span<const std::size_t> samples) const override {
    constexpr std::size_t most = 256;
    data::batch_buffer<float> buffer(images_.test, std::min(most, samples.size()));
    nn::evaluation sum;
    for (std::size_t first = 0; first < samples.size(); first += most) {
      const auto batch = buffer.gather(samples.subspan(first, std::min(most, samples.size() - first)));
      sum += model_.evaluate(x, batch.images, batch.labels);
    }
    return {sum.loss_sum, static_cast<double>(sum.correct), static_cast<double>(sum.images)};
  }

 private:
  data::train_test images_;
  data::shards shards_;
  model_type model_;
  std::size_t batch_;
  std::uint64_t seed_;
  std::uint64_t steps_per_epoch_;
};

bool has_either(const std::string& folder, std::string_view name) {
  const std::string path = io::join_path(folder, name);
  return io::is_file(path) || io::is_file(path + ".gz");
}

/// The folder of the digits that come with polder's source.
std::string shipped_digits() {
  for (const std::string folder : {"examples/data", POLDER_EXAMPLE_DATA}) {
    if (has_either(folder, "optdigits-train.csv")) return folder;
  }
  return {};
}

/// A data set by name: the subfolder of --data in which it may lie as well, and a file by which it is known.
struct known_dataset {
  std::string_view name;
  std::string_view subfolder;
  std::string_view file;
  std::string_view said;
};
constexpr known_dataset known_datasets[] = {
    {"user", "", "", "train-images.npy or train.csv"},
    {"fashion-mnist", "fashion-mnist", "train-images-idx3-ubyte", "train-images-idx3-ubyte (Fashion-MNIST)"},
    {"digits", "digits8x8", "optdigits-train.csv", "optdigits-train.csv (8 x 8 digits)"},
};
bool holds(const std::string& folder, const known_dataset& kind) {
  if (kind.name == "user") return data::has_user_files(folder);
  return has_either(folder, kind.file) || has_either(io::join_path(folder, kind.subfolder), kind.file);
}

/// Throws usage_error unless the files of the data set that the user named are where they must be.
void check_place(const options& o) {
  const known_dataset& kind = *std::ranges::find(known_datasets, std::string_view(o.dataset), &known_dataset::name);
  if (!o.data.empty()) {
    require<usage_error>(holds(o.data, kind), "--data ", o.data, ": allowed: a folder with ", kind.said,
                         " and the files that belong to it");
    return;
  }
  const std::string usual = o.dataset == "digits" ? shipped_digits() : std::string(data::debian_fashion_mnist_folder);
  require<usage_error>(holds(usual, kind), "--dataset ", o.dataset,
                       ": it is not on this machine; allowed: with --data DIR, ", "a folder with ", kind.said,
                       " and the files that belong to it");
}

/// Which data set there is, for a user who did not say.
std::string dataset_in(const std::string& folder, const std::function<void(const std::string&)>& say) {
  if (folder.empty()) {
    if (has_either(std::string(data::debian_fashion_mnist_folder), "train-images-idx3-ubyte")) return "fashion-mnist";
    say("Fashion-MNIST is not on this machine (Debian: apt-get install dataset-fashion-mnist; else --data DIR): "
        "training on "
        "the 8x8 digits that come with polder.");
    return "digits";
  }
  for (const known_dataset& kind : known_datasets) {
    if (holds(folder, kind)) return std::string(kind.name);
  }
  fail<usage_error>("--data ", folder,
                    ": allowed: a folder with train-images-idx3-ubyte (Fashion-MNIST), "
                    "optdigits-train.csv, train-images.npy or train.csv and the files that belong to it");
}

/// `count` of the images, spread evenly; all for 0.
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

template <class Backend>
std::unique_ptr<problem> bind_model(const options& o, data::train_test images) {
  const data::image_shape& pixels = images.train.shape;
  const nn::shape input{pixels.channels, pixels.height, pixels.width};
  try {
    nn::model<float, Backend> model(nn::model_from_name(o.model, input, images.train.classes), input,
                                    images.train.classes, Backend{}, {.label_smoothing = o.label_smoothing});
    return std::make_unique<image_problem<Backend>>(o, std::move(images), std::move(model));
  } catch (const usage_error&) {
    throw;
  } catch (const config_error& e) {
    fail<usage_error>("--model ", o.model, " --partition ", o.partition, " --batch ", o.batch, ": ", e.what());
  }
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

std::unique_ptr<problem> make_problem(options& o, const std::function<void(const std::string&)>& say) {
  if (o.dataset.empty()) o.dataset = dataset_in(o.data, say);
  check_place(o);
  const bool shipped = o.dataset == "digits" && o.data.empty();
  data::train_test images = data::load_named(o.dataset, shipped ? shipped_digits() : o.data);
  if (o.train_limit >= images.train.size()) o.train_limit = 0;
  limit(images.train, o.train_limit);
  limit(images.test, o.test_limit);
  if (o.model.empty()) o.model = std::min(images.train.shape.height, images.train.shape.width) >= 28 ? "lenet5" : "mlp";
  o.data_hash = fingerprint(images.train);
  auto task = o.backend == "reference" ? bind_model<reference_backend>(o, std::move(images))
                                       : bind_model<eigen_backend>(o, std::move(images));
  o.steps_per_epoch = task->steps_per_epoch();
  return task;
}

}  // namespace polder_train
