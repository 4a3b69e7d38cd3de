#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "claims/sharpness/run.hpp"
#include "polder/backend/eigen.hpp"
#include "polder/comm/run_workers.hpp"
#include "polder/core/layout.hpp"
#include "polder/data/load.hpp"
#include "polder/data/loader.hpp"
#include "polder/data/partition.hpp"
#include "polder/nn/models.hpp"
#include "polder/recipes/local_sgd.hpp"
#include "polder/topology/from_name.hpp"
#include "polder/topology/mixing_matrix.hpp"
#include "polder/train/evaluation.hpp"
#include "polder/train/metrics.hpp"
#include "polder/train/worker.hpp"

namespace polder_claims::sharpness {
namespace {

/// A network on one worker's minibatches.
class minibatch_loss {
 public:
  minibatch_loss(network model, polder::data::loader<float> loader)
      : model_(std::move(model)), loader_(std::move(loader)) {}

  void select_batch(std::uint64_t step) { loader_.select(step); }
  double loss_and_gradient(std::span<const float> x, std::span<float> g) const {
    const auto batch = loader_.batch();
    return model_.loss_and_gradient(x, batch.images, batch.labels, g);
  }
  [[nodiscard]] polder::layout layout() const { return model_.layout(); }

 private:
  network model_;
  polder::data::loader<float> loader_;
};

}  // namespace

surroundings surroundings_of(const run_set& set, const std::string& data, const std::string& commit) {
  surroundings around{commit, polder::data::load_named(set.dataset, data), {}, {}};
  around.train = polder::detail::spread_samples(around.images.train.size(), set.train_images);
  around.test = polder::detail::spread_samples(around.images.test.size(), set.test_images);
  return around;
}

network network_of(const job& j, const polder::data::dataset& images) {
  using namespace polder::nn;
  const shape input{images.shape.channels, images.shape.height, images.shape.width};
  const auto width = static_cast<std::size_t>(std::stoul(j.width));
  if (j.kind == "mlp") return network(mlp({width}, images.classes), input, images.classes);
  const sequential layers{conv2d{.channels = width, .kernel = 3, .padding = 1},
                          relu{},
                          max_pool{},
                          conv2d{.channels = 2 * width, .kernel = 3, .padding = 1},
                          relu{},
                          max_pool{},
                          dense{.units = images.classes, .weights = initial_weights::lecun}};
  return network(layers, input, images.classes);
}

trained train(const run_set& set, const job& j, const surroundings& around, const images_loss& loss) {
  const std::uint64_t seed = std::stoull(j.seed);
  const auto batch = static_cast<std::size_t>(std::stoul(j.batch));
  const double beta = std::stod(j.momentum);
  const network& net = loss.model();
  const std::uint64_t epoch = polder::steps_per_epoch(around.train.size(), workers, batch);
  auto shards = polder::data::iid(around.train.size(), workers, seed);
  for (auto& shard : shards) {
    for (std::size_t& image : shard) image = around.train[image];
  }
  trained found;
  found.start.resize(net.size());
  net.initialize(found.start, seed);
  found.models.resize(workers);
  const auto everyone = polder::topology::mixing_matrix::usual(polder::topology::from_name("complete", workers));

  polder::run_workers(workers, [&](auto& comm) {
    const polder::eigen_backend backend;
    const auto rank = static_cast<std::size_t>(comm.rank());
    minibatch_loss f(net, {around.images.train, shards[rank], batch, seed, static_cast<std::uint32_t>(rank)});
    polder::worker worker(polder::recipes::local_sgd(
                              {.tau = period, .alpha = pull, .beta = beta, .weight_decay = std::stod(j.weight_decay)}),
                          backend, comm, everyone, f, std::span<const float>(found.start),
                          {.lr = {.base = (1.0 - beta) * std::stod(j.rate)}, .total_steps = set.most_epochs * epoch});
    std::vector<float> mean(net.size());
    constexpr std::uint64_t look_every = 4;  // epochs
    for (std::uint64_t done = 1; done <= set.most_epochs; ++done) {
      for (std::uint64_t step = 0; step < epoch; ++step) worker.step();
      if (done % look_every != 0 && done != set.most_epochs) continue;
      (void)polder::measure(backend, comm, worker.x(), worker.steps(),
                            [&](auto x) { backend.to_host(x, std::span<float>(mean)); });
      const double mine = rank == 0 ? loss(mean) : 0.0;
      const double reached = polder::gather(polder::uncounted(comm), mine).front();
      polder::require<polder::non_finite_error>(std::isfinite(reached), "after epoch ", done, " the loss is ", reached);
      if (rank == 0) found.epochs = done;
      if (reached <= trained_loss) break;
    }
    found.models[rank].resize(net.size());
    backend.to_host(worker.x(), std::span<float>(found.models[rank]));
    if (rank == 0) found.mean = mean;
  });
  return found;
}

}  // namespace polder_claims::sharpness
