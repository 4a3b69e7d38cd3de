// Whole runs on a network and images in a backend's memory, against the same runs on the host's engine.
#include "polder/train/device_objective.hpp"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "polder/backend/eigen.hpp"
#include "polder/comm/run_workers.hpp"
#include "polder/comm/self.hpp"
#include "polder/nn/nn.hpp"
#include "polder/recipes/q_saddle.hpp"
#include "polder/topology/graphs.hpp"
#include "polder/train/fit.hpp"
#include "polder/train/worker.hpp"
#include "support/catch.hpp"

using namespace polder;

namespace {

constexpr int workers = 4;
constexpr std::size_t images_each = 20, batch = 5, classes = 4;
constexpr data::augmentation how{.padding = 2, .flip = true};
constexpr std::uint64_t seed = 11;

data::dataset pictures(std::size_t count) {
  data::dataset set;
  set.name = "pictures";
  set.shape = {2, 12, 12};
  set.classes = classes;
  set.scale = 1.0 / 255;
  set.normalization = {{0.5, 0.4}, {0.25, 0.3}};
  random_stream random({.seed = 4});
  std::vector<std::uint8_t> pixels(count * set.shape.size());
  for (std::uint8_t& pixel : pixels) pixel = static_cast<std::uint8_t>(random.below(256));
  for (std::size_t i = 0; i < count; ++i) set.labels.push_back(static_cast<std::int32_t>(random.below(classes)));
  set.pixels = std::move(pixels);
  return set;
}

nn::sequential network() {
  return {nn::conv2d{.channels = 4, .padding = 1}, nn::group_norm{.groups = 2}, nn::relu{}, nn::max_pool{},
          nn::dense{.units = classes}};
}

data::loader<double> loader_of(const data::dataset& set, int rank) {
  std::vector<std::size_t> shard(images_each);
  for (std::size_t i = 0; i < images_each; ++i) shard[i] = i * workers + static_cast<std::size_t>(rank);
  return {set, shard, batch, seed, static_cast<std::uint32_t>(rank), how};
}

using host_model = nn::model<double, eigen_backend>;
using device_model = nn::device_model<double, eigen_backend>;

/// The loss of the host's engine on the loader's minibatches.
class host_objective {
 public:
  host_objective(host_model model, data::loader<double> loader)
      : model_(std::move(model)), loader_(std::move(loader)) {}
  void select_batch(std::uint64_t step) { loader_.select(step); }
  [[nodiscard]] const polder::layout& layout() const { return model_.layout(); }
  double loss_and_gradient(std::span<const double> x, std::span<double> g) const {
    const auto now = loader_.batch();
    return model_.loss_and_gradient(x, now.images, now.labels, g);
  }

 private:
  host_model model_;
  data::loader<double> loader_;
};
class host_tests {
 public:
  host_tests(host_model model, const data::dataset& set) : model_(std::move(model)), set_(&set) {}
  [[nodiscard]] std::size_t size() const { return set_->size(); }
  [[nodiscard]] scores score(std::span<const double> x, std::span<const std::size_t> samples) const {
    data::batch_buffer<double> buffer(*set_);
    const auto all = buffer.gather(samples);
    const nn::evaluation sum = model_.evaluate(x, all.images, all.labels);
    return {sum.loss_sum, static_cast<double>(sum.correct), static_cast<double>(sum.images)};
  }

 private:
  host_model model_;
  const data::dataset* set_;
};

/// Q-SADDLe on a ring; `parts_of(rank)` gives a worker its objective and its test set.
template <class Parts>
fit_result<double> trained(const std::vector<double>& x0, const Parts& parts_of) {
  const auto weights = topology::mixing_matrix::usual(topology::ring(workers));
  fit_result<double> result;
  run_workers(workers, [&](auto& comm) {
    auto [objective, tests] = parts_of(comm.rank());
    worker one(recipes::q_saddle({.rho = 0.1}), eigen_backend{}, comm, weights, objective, std::span<const double>(x0),
               {.lr = {.base = 0.05}});
    auto mine = fit(one, tests, {.epochs = 2, .steps_per_epoch = images_each / batch, .batch = batch});
    if (comm.rank() == 0) result = std::move(mine);
  });
  return result;
}

}  // namespace

TEST_CASE("a run in a backend's memory ends where the run of the host's engine ends") {
  const data::dataset set = pictures(workers * images_each), tests = pictures(30);
  const host_model host(network(), {2, 12, 12}, classes);
  std::vector<double> x0(host.size());
  host.initialize(x0, seed);
  const auto expected = trained(x0, [&](int rank) {
    return std::pair{host_objective(host, loader_of(set, rank)), host_tests(host, tests)};
  });

  const eigen_backend backend;
  const data::resident_dataset<double, eigen_backend> resident(set, backend), resident_tests(tests, backend);
  const auto model = [&](std::size_t most) {
    return device_model(network(), {2, 12, 12}, classes, backend, {.most_images = most});
  };
  const auto found = trained(x0, [&](int rank) {
    return std::pair{device_objective(model(batch), resident, loader_of(set, rank)),
                     device_test_set(model(7), resident_tests)};
  });

  const auto& last = found.last;
  const auto& wanted = expected.last;
  CHECK(std::abs(last.loss - wanted.loss) < 1e-10 * wanted.loss);
  CHECK(std::abs(last.train_loss - wanted.train_loss) < 1e-10 * wanted.train_loss);
  CHECK(last.accuracy_mean_model == wanted.accuracy_mean_model);
  CHECK(std::abs(last.consensus_distance - wanted.consensus_distance) < 1e-8 * wanted.consensus_distance);
  double moved = 0;
  for (std::size_t i = 0; i < x0.size(); ++i) moved = std::max(moved, std::abs(found.mean[i] - x0[i]));
  CHECK(moved > 0.01);
  for (std::size_t i = 0; i < x0.size(); ++i) {
    REQUIRE(std::abs(found.mean[i] - expected.mean[i]) < 1e-10);
  }
}

TEST_CASE("a device_objective refuses a model and a loader of other images") {
  const data::dataset set = pictures(workers * images_each), fewer = pictures(30);
  const eigen_backend backend;
  const data::resident_dataset<double, eigen_backend> resident(set, backend), other(fewer, backend);
  const auto model = [&](nn::shape input, std::size_t most, std::size_t scores = classes) {
    nn::sequential whole{nn::conv2d{.channels = 4, .padding = 1}, nn::dense{.units = scores}};
    return device_model(whole, input, scores, backend, {.most_images = most});
  };
  const auto objective_of = [&](device_model m) { return device_objective(std::move(m), resident, loader_of(set, 0)); };
  CHECK_THROWS_WITH(objective_of(model({2, 12, 12}, batch - 1)),
                    Catch::Contains("batches of 5") && Catch::Contains("most_images 4"));
  CHECK_THROWS_WITH(objective_of(model({1, 12, 12}, batch)), Catch::Contains("2 x 12 x 12 for a model of 1 x 12 x 12"));
  CHECK_THROWS_WITH(objective_of(model({2, 12, 12}, batch, 3)), Catch::Contains("4 classes for a model of 3"));
  CHECK_THROWS_WITH(device_objective(model({2, 12, 12}, batch), other, loader_of(set, 0)),
                    Catch::Contains("of 80, but 30"));
  CHECK_THROWS_WITH(device_test_set(model({2, 6, 24}, batch), resident), Catch::Contains("for a model of 2 x 6 x 24"));
  CHECK_THROWS_WITH(device_test_set(model({2, 12, 12}, batch, 3), resident),
                    Catch::Contains("4 classes for a model of 3"));
  const auto early = objective_of(model({2, 12, 12}, batch));
  std::vector<double> x(early.layout().size()), g(x.size());
  CHECK_THROWS_WITH(early.loss_and_gradient(x, g), Catch::Contains("call select_batch first"));
}

namespace {

/// As a device's backend: equal to its copies alone.
struct queued_backend : eigen_backend {
  int queue = 0;
  friend bool operator==(const queued_backend& a, const queued_backend& b) { return a.queue == b.queue; }
};

}  // namespace

TEST_CASE("a worker and a run refuse an objective and a test set on another stream") {
  const data::dataset set = pictures(images_each);
  const queued_backend mine{{}, 1}, other{{}, 2};
  const data::resident_dataset<double, queued_backend> resident(set, mine);
  const auto weights = topology::mixing_matrix::usual(topology::ring(1));
  const auto model = [&](const queued_backend& on) {
    return nn::device_model<double, queued_backend>(network(), {2, 12, 12}, classes, on, {.most_images = batch});
  };
  std::vector<std::size_t> shard(images_each);
  for (std::size_t i = 0; i < images_each; ++i) shard[i] = i;
  std::vector<double> x0(model(mine).size());
  model(mine).initialize(x0, seed);
  self<> alone;
  const auto run = [&](const queued_backend& of_objective, const queued_backend& of_tests) {
    device_objective f(model(of_objective), resident, data::loader<double>(set, shard, batch, seed, 0));
    worker one(recipes::q_saddle(), mine, alone, weights, f, std::span<const double>(x0), {.lr = {.base = 0.05}});
    return fit(one, device_test_set(model(of_tests), resident), {.steps_per_epoch = 2, .batch = batch});
  };
  CHECK_NOTHROW(run(mine, mine));
  CHECK_THROWS_WITH(run(other, mine), Catch::Contains("the objective computes on another stream"));
  CHECK_THROWS_WITH(run(mine, other), Catch::Contains("the test set computes on another stream"));
}
