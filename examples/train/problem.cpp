#include "train/problem.hpp"

#include <algorithm>
#include <utility>

#include "polder/backend/eigen.hpp"
#include "polder/backend/reference.hpp"
#include "polder/data/augment.hpp"
#include "polder/data/loader.hpp"
#include "polder/data/partition.hpp"
#include "polder/nn/model.hpp"
#include "polder/nn/models.hpp"
#include "train/images.hpp"
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

data::augmentation augmentation_of(const options& o) {
  return o.augment == "crop-flip" ? data::crop_flip : data::augmentation{};
}

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
        augment_(augmentation_of(o)),
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
    data::loader<float> loader(images_.train, shards_[rank], batch_, seed_, static_cast<std::uint32_t>(worker),
                               augment_);
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
  data::augmentation augment_;
  std::uint64_t steps_per_epoch_;
};

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

/// Throws usage_error for images that are too small to be moved.
void check_augmentation(const options& o, const data::image_shape& images) {
  try {
    data::check(augmentation_of(o), images);
  } catch (const config_error& e) {
    fail<usage_error>("--augment ", o.augment, ": ", e.what());
  }
}

}  // namespace

std::unique_ptr<problem> make_problem(options& o, const teller& say) {
  data::train_test images = read_images(o.dataset, o.data, say);
  check_augmentation(o, images.train.shape);
  if (o.train_limit >= images.train.size()) o.train_limit = 0;
  limit(images.train, o.train_limit);
  limit(images.test, o.test_limit);
  if (o.model.empty()) o.model = usual_model(images.train.shape);
  o.data_hash = fingerprint(images.train);
  auto task = o.backend == "reference" ? bind_model<reference_backend>(o, std::move(images))
                                       : bind_model<eigen_backend>(o, std::move(images));
  o.steps_per_epoch = task->steps_per_epoch();
  return task;
}

}  // namespace polder_train
