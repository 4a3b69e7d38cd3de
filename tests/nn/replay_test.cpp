// Evaluations whose calls are kept and replayed, against evaluations that make each call.
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "contract/backend_suite.hpp"
#include "polder/backend/eigen.hpp"
#include "polder/nn/device_model.hpp"
#include "polder/nn/nn.hpp"
#include "support/catch.hpp"

using namespace polder;

namespace {

/// A backend that keeps calls as they are: their arguments, not what made them.
struct keeping_backend : eigen_backend {
  using calls = std::vector<std::function<void()>>;
  struct log {
    calls* keeping = nullptr;  // not null while calls are kept
    int captured = 0, replayed = 0, direct = 0;
  };
  struct graph {
    calls kept;
    std::shared_ptr<log> of;
    void run() const {
      ++of->replayed;
      for (const auto& call : kept) call();
    }
  };

  template <class F>
  [[nodiscard]] graph capture(const F& f) const {
    graph made{{}, state};
    state->keeping = &made.kept;
    f();
    state->keeping = nullptr;
    ++state->captured;
    return made;
  }
  template <class Index>
  void each(std::size_t n, const Index& f) const {
    make([=] { eigen_backend{}.each(n, f); });
  }
  template <class Index>
  void teams(std::size_t n, const Index& f) const {
    make([=] { eigen_backend{}.teams(n, f); });
  }
  template <class T>
  void gemm(transpose ta, transpose tb, std::size_t m, std::size_t n, std::size_t k, T alpha, const T* a,
            std::size_t lda, const T* b, std::size_t ldb, T beta, T* c, std::size_t ldc) const {
    make([=] { eigen_backend{}.gemm(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc); });
  }

  template <class Call>
  void make(const Call& call) const {
    if (state->keeping != nullptr) {
      state->keeping->emplace_back(call);
    } else {
      ++state->direct;
      call();
    }
  }
  std::shared_ptr<log> state = std::make_shared<log>();
};
static_assert(replaying_backend<keeping_backend> && !replaying_backend<eigen_backend>);

constexpr nn::shape input{2, 8, 8};
constexpr std::size_t classes = 3, most = 4;

nn::sequential network() {
  return {nn::conv2d{.channels = 4, .padding = 1},
          nn::group_norm{.groups = 2},
          nn::relu{},
          nn::residual{{nn::conv2d{.channels = 4, .padding = 1}, nn::evonorm_s0{.groups = 2}}},
          nn::max_pool{},
          nn::dense{.units = classes}};
}

template <class B>
nn::device_model<float, B> model_on(const B& backend, bool replay) {
  return nn::device_model<float, B>(network(), input, classes, backend, {.most_images = most, .replay = replay});
}

/// A model's places, and the evaluation of what is in them.
struct evaluated {
  explicit evaluated(std::size_t parameters)
      : x(parameters), g(parameters), images(most * input.size()), labels(most) {}

  void change(std::uint64_t seed) {
    random_stream random({.seed = seed});
    for (float& parameter : x) parameter = static_cast<float>(0.2 * random.normal());
    for (float& pixel : images) pixel = static_cast<float>(random.normal());
    for (std::size_t n = 0; n < most; ++n) labels[n] = static_cast<std::int32_t>((n + seed) % classes);
  }
  template <class Model>
  void evaluate(const Model& model, std::size_t count = most) {
    model.loss_and_gradient(std::span<const float>(x), std::span<const float>(images).first(count * input.size()),
                            std::span<const std::int32_t>(labels).first(count), std::span<float>(g),
                            host_view<double>(&loss, 1));
  }

  std::vector<float> x, g, images;
  std::vector<std::int32_t> labels;
  double loss = 0.0;
};

}  // namespace

TEST_CASE("a replayed evaluation computes what is in its places by then") {
  const keeping_backend keeping;
  const auto& seen = *keeping.state;
  const auto replaying = model_on(keeping, true);
  const auto plainly = model_on(eigen_backend{}, false);
  evaluated a(replaying.size()), b(replaying.size());
  int direct = 0;
  for (std::uint64_t step = 0; step < 5; ++step) {
    a.change(step);
    b.change(step);
    a.evaluate(replaying);
    b.evaluate(plainly);
    CHECK(a.loss == b.loss);
    CHECK(contract::same_bits(a.g, b.g));
    if (step == 0) direct = seen.direct;
  }
  CHECK(direct > 20);
  CHECK(seen.direct == direct);  // in the first step only
  CHECK(seen.captured == 1);
  CHECK(seen.replayed == 4);
}

TEST_CASE("other places or another number of images are another evaluation") {
  const keeping_backend keeping;
  const auto& seen = *keeping.state;
  const auto model = model_on(keeping, true);
  evaluated a(model.size()), b(model.size());
  a.change(1);
  b.change(1);
  for (int round = 0; round < 3; ++round) {
    a.evaluate(model);
    b.evaluate(model, 2);
    const double of_two = b.loss;
    b.evaluate(model);
    CHECK(a.loss == b.loss);
    CHECK(a.loss != of_two);
  }
  CHECK(seen.captured == 3);
  CHECK(seen.replayed == 6);
}

TEST_CASE("only so many evaluations are kept") {
  const keeping_backend keeping;
  const auto& seen = *keeping.state;
  const auto model = model_on(keeping, true);
  std::vector<evaluated> many(33, evaluated(model.size()));
  for (int round = 0; round < 2; ++round) {
    for (evaluated& one : many) {
      one.change(2);
      one.evaluate(model);
      CHECK(one.loss == many.front().loss);
    }
  }
  CHECK(seen.captured == 32);
  CHECK(seen.replayed == 32);
}

TEST_CASE("a model that was not asked to keeps nothing") {
  const keeping_backend keeping;
  const auto model = model_on(keeping, false);
  evaluated a(model.size());
  a.change(3);
  for (int round = 0; round < 3; ++round) a.evaluate(model);
  CHECK(keeping.state->captured == 0);
}
