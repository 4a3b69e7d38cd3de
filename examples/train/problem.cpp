// The problem, and its engine on the host's backends: here, so that the host's network is compiled once for each.
#include "train/problem.hpp"

#include <algorithm>
#include <utility>

#include "polder/backend/eigen.hpp"
#include "polder/backend/reference.hpp"
#include "polder/data/augment.hpp"
#include "polder/data/batch.hpp"
#include "polder/nn/model.hpp"
#include "polder/nn/models.hpp"
#include "train/engine.hpp"
#include "train/usage_error.hpp"

namespace polder_train {
namespace {

using namespace polder;

template <class Backend>
using host_model = nn::model<float, Backend>;

/// The host's engine on one worker's minibatches.
template <class Backend>
class host_loss final : public worker_loss<host_space> {
 public:
  host_loss(host_model<Backend> model, data::loader<float> loader)
      : model_(std::move(model)), loader_(std::move(loader)) {}

  void select_batch(std::uint64_t step) override { loader_.select(step); }
  void select_probe(std::uint64_t step) override { loader_.select_probe(step); }
  double loss_and_gradient(host_view<const float> x, host_view<float> g) const override {
    const auto batch = loader_.batch();
    return model_.loss_and_gradient(x, batch.images, batch.labels, g);
  }
  [[nodiscard]] polder::layout layout() const override { return model_.layout(); }

 private:
  host_model<Backend> model_;
  data::loader<float> loader_;
};

template <class Backend>
class host_tests final : public worker_tests<host_space> {
 public:
  host_tests(host_model<Backend> model, const data::dataset& images) : model_(std::move(model)), images_(images) {}

  [[nodiscard]] std::size_t size() const override { return images_.size(); }
  [[nodiscard]] scores score(host_view<const float> x, std::span<const std::size_t> samples) const override {
    constexpr std::size_t most = 256;
    data::batch_buffer<float> buffer(images_, std::min(most, samples.size()));
    nn::evaluation sum;
    for (std::size_t first = 0; first < samples.size(); first += most) {
      const auto batch = buffer.gather(samples.subspan(first, std::min(most, samples.size() - first)));
      sum += model_.evaluate(x, batch.images, batch.labels);
    }
    return {sum.loss_sum, static_cast<double>(sum.correct), static_cast<double>(sum.images)};
  }

 private:
  host_model<Backend> model_;
  const data::dataset& images_;
};

/// One model for all workers: it never changes.
template <class Backend>
class host_engine final : public engine<Backend> {
 public:
  host_engine(const problem& p, const Backend& backend)
      : problem_(p), model_(p.network(), p.input(), p.classes(), backend, {.label_smoothing = p.label_smoothing()}) {}

  [[nodiscard]] std::unique_ptr<worker_loss<host_space>> loss_of(int worker, const Backend&) const override {
    return std::make_unique<host_loss<Backend>>(model_, problem_.loader_of(worker));
  }
  [[nodiscard]] std::unique_ptr<worker_tests<host_space>> tests_on(const Backend&) const override {
    return std::make_unique<host_tests<Backend>>(model_, problem_.images().test);
  }

 private:
  const problem& problem_;
  host_model<Backend> model_;
};

data::augmentation augmentation_of(const options& o) {
  return o.augment == "crop-flip" ? data::crop_flip : data::augmentation{};
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

template <class Backend>
std::unique_ptr<engine<Backend>> make_host_engine(const problem& p, const Backend& backend) {
  return std::make_unique<host_engine<Backend>>(p, backend);
}
template std::unique_ptr<engine<eigen_backend>> make_host_engine(const problem&, const eigen_backend&);
template std::unique_ptr<engine<reference_backend>> make_host_engine(const problem&, const reference_backend&);

problem::problem(const options& o, data::train_test images)
    : images_(std::move(images)),
      input_{images_.train.shape.channels, images_.train.shape.height, images_.train.shape.width},
      augment_(augmentation_of(o)),
      batch_(o.batch),
      label_smoothing_(o.label_smoothing),
      seed_(o.seed) {
  try {
    network_ = nn::model_from_name(o.model, input_, classes());
    const host_model<reference_backend> bound(network_, input_, classes(), {}, {.label_smoothing = label_smoothing_});
    tensors_ = bound.layout();
    initial_parameters_.resize(bound.size());
    bound.initialize(initial_parameters_, seed_);
    shards_ = data::make_partition(data::parse_partition(o.partition), images_.train.labels,
                                   static_cast<std::size_t>(o.workers), seed_);
    steps_per_epoch_ = polder::steps_per_epoch(images_.train.size(), o.workers, batch_);
  } catch (const config_error& e) {
    fail<usage_error>("--model ", o.model, " --partition ", o.partition, " --batch ", o.batch, ": ", e.what());
  }
}

data::loader<float> problem::loader_of(int worker) const {
  return {images_.train, shards_[static_cast<std::size_t>(worker)], batch_,
          seed_,         static_cast<std::uint32_t>(worker),        augment_};
}

problem make_problem(options& o, const teller& say) {
  data::train_test images = read_images(o.dataset, o.data, say);
  check_augmentation(o, images.train.shape);
  if (o.train_limit >= images.train.size()) o.train_limit = 0;
  limit(images.train, o.train_limit);
  limit(images.test, o.test_limit);
  if (o.model.empty()) o.model = usual_model(images.train.shape);
  o.data_hash = fingerprint(images.train);
  problem task(o, std::move(images));
  o.steps_per_epoch = task.steps_per_epoch();
  return task;
}

}  // namespace polder_train
