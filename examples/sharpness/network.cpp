#include "sharpness/network.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <exception>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "polder/backend/eigen.hpp"
#include "polder/core/error.hpp"
#include "polder/data/batch.hpp"
#include "polder/nn/batch_objective.hpp"
#include "polder/nn/kept_hessian.hpp"
#include "polder/nn/model.hpp"
#include "polder/nn/models.hpp"
#include "sharpness/memory.hpp"
#include "train/usage_error.hpp"

namespace polder_sharpness {
namespace {

using model_type = polder::nn::model<float, polder::eigen_backend>;
using kept = polder::nn::kept_hessian<float, polder::eigen_backend>;

/// More blocks than threads, so that none waits long for another; few, for each holds a gradient.
constexpr std::size_t most_blocks = 32;
constexpr std::size_t least_samples = 64;

/// Calls action(i) for all i below count, on some threads. Throws what an action threw.
template <class Action>
void for_all(std::size_t count, std::size_t threads, const Action& action) {
  std::atomic<std::size_t> next = 0;
  std::mutex failing;
  std::exception_ptr failure;
  const auto work = [&] {
    for (std::size_t i = next++; i < count; i = next++) {
      try {
        action(i);
      } catch (...) {
        const std::lock_guard lock(failing);
        if (!failure) failure = std::current_exception();
        next = count;
      }
    }
  };
  {
    std::vector<std::jthread> others;
    for (std::size_t t = 1; t < std::min(threads, count); ++t) others.emplace_back(work);
    work();
  }
  if (failure) std::rethrow_exception(failure);
}

model_type model_of(const sample_set& on, const network_options& o) {
  const polder::nn::shape input{on.shape.channels, on.shape.height, on.shape.width};
  try {
    return {polder::nn::model_from_name(o.model, input, on.classes),
            input,
            on.classes,
            {},
            {.label_smoothing = o.label_smoothing, .concurrency = o.threads}};
  } catch (const polder::config_error& e) {
    polder::fail<polder_train::usage_error>("--model ", o.model, ": ", e.what());
  }
}

}  // namespace

sample_set gather(const polder::data::dataset& images, std::size_t count) {
  const std::vector<std::size_t> chosen = polder::detail::spread_samples(images.size(), count);
  polder::data::batch_buffer<float> buffer(images, chosen.size());
  const auto batch = buffer.gather(chosen);
  return {.images = {batch.images.begin(), batch.images.end()},
          .labels = {batch.labels.begin(), batch.labels.end()},
          .shape = images.shape,
          .classes = images.classes};
}

struct network::body {
  /// Some of the samples, and what was computed of them last.
  struct block {
    std::size_t first = 0;
    std::span<const float> images;
    std::span<const std::int32_t> labels;
    double share = 0.0;  // of all samples
    double sum = 0.0;
    std::size_t correct = 0;
    std::vector<float> vector;
  };

  body(const sample_set& on, const sample_set& tests, const network_options& chosen, meter& work)
      : options(chosen),
        model(model_of(on, chosen)),
        count(on.size()),
        train(blocks_of(on)),
        test(blocks_of(tests)),
        test_cost(static_cast<double>(tests.size()) / static_cast<double>(on.size())),
        progress(&work) {}

  static std::vector<block> blocks_of(const sample_set& on) {
    const std::size_t all = on.size();
    const std::size_t number = std::clamp<std::size_t>(all / least_samples, 1, most_blocks);
    std::vector<block> blocks(number);
    for (std::size_t b = 0; b < number; ++b) {
      const std::size_t first = all * b / number;
      const std::size_t size = all * (b + 1) / number - first;
      const std::size_t pixels = on.shape.size();
      blocks[b].first = first;
      blocks[b].images = std::span(on.images).subspan(first * pixels, size * pixels);
      blocks[b].labels = std::span(on.labels).subspan(first, size);
      blocks[b].share = static_cast<double>(size) / static_cast<double>(all);
    }
    return blocks;
  }

  template <class Action>
  void for_blocks(std::vector<block>& blocks, const Action& action) {
    for_all(blocks.size(), options.threads, [&](std::size_t b) { action(blocks[b]); });
  }
  /// sum of the blocks' vectors, each weighed with its share, into `to`
  template <class T>
  void add_up(std::span<T> to) const {
    constexpr std::size_t piece = 4096;
    for_all((to.size() + piece - 1) / piece, options.threads, [&](std::size_t p) {
      for (std::size_t i = p * piece; i < std::min(to.size(), (p + 1) * piece); ++i) {
        double sum = 0.0;
        for (const block& b : train) sum += b.share * static_cast<double>(b.vector[i]);
        to[i] = static_cast<T>(sum);
      }
    });
  }
  polder::scores score(std::vector<block>& blocks, std::span<const float> x) {
    for_blocks(blocks, [&](block& b) {
      const polder::nn::evaluation found = model.evaluate(x, b.images, b.labels);
      b.sum = found.loss_sum;
      b.correct = found.correct;
    });
    polder::scores all;
    for (const block& b : blocks) {
      all += {b.sum, static_cast<double>(b.correct), static_cast<double>(b.labels.size())};
    }
    return all;
  }

  network_options options;
  model_type model;
  std::size_t count;
  std::vector<block> train, test;
  double test_cost;  // in forward passes over the training samples
  meter* progress;
};

network::network(const sample_set& train, const sample_set& test, const network_options& options, meter& work)
    : body_(std::make_unique<body>(train, test, options, work)) {}
network::~network() = default;

const polder::layout& network::tensors() const { return body_->model.layout(); }
std::size_t network::samples() const { return body_->count; }
std::size_t network::classes() const { return body_->model.classes(); }
std::vector<float> network::initial(std::uint64_t seed) const {
  std::vector<float> x(body_->model.size());
  body_->model.initialize(x, seed);
  return x;
}

double network::loss(std::span<const float> x) const {
  body_->for_blocks(body_->train, [&](body::block& b) { b.sum = body_->model.loss(x, b.images, b.labels); });
  body_->progress->work(cost::loss);
  double sum = 0.0;
  for (const body::block& b : body_->train) sum += b.share * b.sum;
  return sum;
}

double network::loss_and_gradient(std::span<const float> x, std::span<float> g) const {
  body_->for_blocks(body_->train, [&](body::block& b) {
    b.vector.resize(x.size());
    b.sum = body_->model.loss_and_gradient(x, b.images, b.labels, std::span<float>(b.vector));
  });
  body_->add_up(g);
  body_->progress->work(cost::gradient);
  double sum = 0.0;
  for (const body::block& b : body_->train) sum += b.share * b.sum;
  return sum;
}

void network::scores_along(std::span<const float> x, std::span<const float> v, std::span<float> scores,
                           std::span<float> slopes) const {
  body_->for_blocks(body_->train, [&](body::block& b) {
    const auto part = [&](std::span<float> all) {
      return all.subspan(b.first * classes(), b.labels.size() * classes());
    };
    body_->model.scores_along(x, b.images, v, part(scores), part(slopes));
  });
  body_->progress->work(cost::slopes);
}

void network::logits(std::span<const float> x, std::span<float> scores) const {
  body_->for_blocks(body_->train, [&](body::block& b) {
    body_->model.logits(x, b.images, scores.subspan(b.first * classes(), b.labels.size() * classes()));
  });
  body_->progress->work(cost::loss);
}

polder::scores network::score_train(std::span<const float> x) const {
  const polder::scores found = body_->score(body_->train, x);
  body_->progress->work(cost::loss);
  return found;
}
polder::scores network::score_test(std::span<const float> x) const {
  const polder::scores found = body_->score(body_->test, x);
  body_->progress->work(body_->test_cost * cost::loss);
  return found;
}

/// For each block what is kept of it, if there is room.
struct network::hessian::parts {
  std::vector<std::optional<kept>> blocks;
};

network::hessian::hessian(const network& of, std::span<const float> x, double room)
    : network_(&of), x_(x.begin(), x.end()), direction_(x.size()), parts_(std::make_unique<parts>()) {
  body& self = *of.body_;
  parts_->blocks.resize(self.train.size());
  std::vector<std::size_t> samples;
  for (const body::block& b : self.train) samples.push_back(b.labels.size());
  for_all(kept_blocks(samples, self.model.kept_size(), x.size(), room), self.options.threads, [&](std::size_t b) {
    const body::block& block = self.train[b];
    parts_->blocks[b].emplace(self.model.kept_hessian(std::span<const float>(x_), block.images, block.labels));
  });
}
network::hessian::~hessian() = default;

void network::hessian::multiply(std::span<const double> v, std::span<double> hv) {
  body& self = *network_->body_;
  for (std::size_t i = 0; i < v.size(); ++i) direction_[i] = static_cast<float>(v[i]);
  for_all(self.train.size(), self.options.threads, [&](std::size_t i) {
    body::block& b = self.train[i];
    b.vector.resize(direction_.size());
    const std::span<const float> direction(direction_);
    if (parts_->blocks[i]) {
      parts_->blocks[i]->product(direction, std::span<float>(b.vector));
    } else {
      self.model.hessian_product(std::span<const float>(x_), b.images, b.labels, direction, std::span<float>(b.vector));
    }
  });
  self.add_up(hv);
  self.progress->work(cost::product);
  double sum = 0.0;
  for (const double number : hv) sum += number;
  polder::require<polder::non_finite_error>(std::isfinite(sum), "hessian: the product is not finite");
}

}  // namespace polder_sharpness
