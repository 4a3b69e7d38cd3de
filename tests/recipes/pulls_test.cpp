// The recipes that pull to other points than the average, and DPPF with each of their pulls, against their stacked
// reference; and what they are with neutral settings.
#include <cstddef>
#include <span>
#include <vector>

#include "polder/backend/eigen.hpp"
#include "polder/backend/reference.hpp"
#include "polder/mixing/elastic_center.hpp"
#include "polder/mixing/every.hpp"
#include "polder/mixing/gradient_weighted.hpp"
#include "polder/mixing/leader.hpp"
#include "polder/mixing/none.hpp"
#include "polder/recipes/dppf.hpp"
#include "polder/recipes/easgd.hpp"
#include "polder/recipes/grawa.hpp"
#include "polder/recipes/lsgd.hpp"
#include "recipes/setting.hpp"
#include "recipes/stacked_pulls.hpp"
#include "support/catch.hpp"

namespace {

using namespace polder;
using namespace polder::test;

constexpr std::size_t period = 4;

/// The quadratics with two tensors.
struct two_tensors : quadratics::objective {
  [[nodiscard]] polder::layout layout() const {
    polder::layout tensors;
    tensors.add("weight", {3, 4});
    tensors.add("bias", {9});
    return tensors;
  }
};

struct pulls_setting : setting {
  pulls_setting() : setting(ring()) {}

  [[nodiscard]] pull_terms terms(toward to, double alpha) const {
    pull_terms o;
    o.to = to;
    o.alpha = alpha;
    o.memory = 0.43046721;
    o.tensors = {0, 12};
    o.loss = [this](std::size_t i, const std::vector<double>& x) {
      const auto g = f.gradient(i, x);
      double loss = 0.0;
      for (std::size_t k = 0; k < dimension; ++k) loss += 0.5 * g[k] * (x[k] - f.optima[i][k]);
      return loss;
    };
    return o;
  }
  template <class T = double, class Backend, class Algorithm>
  [[nodiscard]] stacked<T> run(const Backend& backend, const Algorithm& parts) const {
    return train_on<T>(backend, parts, [this](int i) { return two_tensors{f.of(i)}; });
  }
};

template <class Algorithm>
void agrees(const pulls_setting& s, const Algorithm& parts, const pull_terms& o) {
  const rows expected = stacked_pulls(s.problem, s.start(), steps, period, 0.8, o).x;
  CHECK(largest_difference(s.run(reference_backend{}, parts), expected) < 1e-12);
  CHECK(largest_difference(s.run(eigen_backend{}, parts), expected) < 1e-12);
  CHECK(largest_difference(s.run<float>(eigen_backend{}, parts), expected) < 2e-5);
}

TEST_CASE("each pull follows its formulas without a push") {
  const pulls_setting s;
  agrees(s, recipes::easgd({.alpha = 0.6, .beta = 0.8, .weight_decay = wd}), s.terms(toward::elastic, 0.6));
  agrees(s, recipes::easgd({.alpha = 0.6, .server = true, .beta = 0.8, .weight_decay = wd}),
         s.terms(toward::elastic, 0.6));
  agrees(s, recipes::easgd({.alpha = 0.6, .of = mixed::before_step, .beta = 0.8, .weight_decay = wd}),
         s.terms(toward::elastic_before, 0.6));

  pull_terms led = s.terms(toward::leader, 0.3);
  led.proximal = 0.2 / period;
  led.window = 6;
  agrees(s, recipes::lsgd({.alpha = 0.3, .proximal = 0.2, .window = 6, .beta = 0.8, .weight_decay = wd}), led);

  pull_terms weighed = s.terms(toward::model_weights, 0.5);
  weighed.proximal = 0.1 / period;
  agrees(s, recipes::mgrawa({.tau = period, .proximal = 0.1, .beta = 0.8, .weight_decay = wd}), weighed);
  weighed.to = toward::tensor_weights;
  agrees(s, recipes::lgrawa({.tau = period, .proximal = 0.1, .beta = 0.8, .weight_decay = wd}), weighed);
}

TEST_CASE("DPPF follows its formulas with each pull, push, norm and reference") {
  const pulls_setting s;
  for (const bool exact : {false, true}) {
    for (const bool from_target : {false, true}) {
      for (const bool per_tensor : {false, true}) {
        CAPTURE(exact, from_target, per_tensor);
        const recipes::dppf_options how{.alpha = 0.3,
                                        .lambda = 0.2,
                                        .exact_push = exact,
                                        .beta = 0.8,
                                        .weight_decay = wd,
                                        .per_tensor = per_tensor,
                                        .from = from_target ? push_reference::target : push_reference::average};
        const auto expected = [&](toward to) {
          pull_terms o = s.terms(to, 0.3);
          o.lambda = 0.2;
          o.exact = exact;
          o.from_target = from_target;
          o.per_tensor = per_tensor;
          return o;
        };
        agrees(s, recipes::dppf(how), expected(toward::average));
        agrees(s, recipes::dppf(how, elastic_center{}), expected(toward::elastic));
        agrees(s, recipes::dppf(how, elastic_center{.of = mixed::before_step}), expected(toward::elastic_before));
        agrees(s, recipes::dppf(how, leader{}), expected(toward::leader));
        agrees(s, recipes::dppf(how, gradient_weighted{}), expected(toward::model_weights));
        agrees(s, recipes::dppf(how, gradient_weighted{.per = weights_per::tensor}), expected(toward::tensor_weights));
      }
    }
  }
}

TEST_CASE("a push of 0 is the pull alone, bit for bit") {
  const pulls_setting s;
  const auto same = [&](const auto& base, auto pull, double alpha) {
    const auto expected = s.run<float>(eigen_backend{}, base);
    for (const bool exact : {false, true}) {
      CHECK(s.run<float>(eigen_backend{}, recipes::dppf({.alpha = alpha, .lambda = 0.0, .exact_push = exact}, pull)) ==
            expected);
    }
    CHECK(s.run<float>(eigen_backend{}, recipes::dppf({.alpha = alpha, .lambda = 1e-3}, pull)) != expected);
  };
  same(recipes::easgd({.alpha = 0.6}), elastic_center{}, 0.6);
  same(recipes::easgd({.alpha = 0.6, .of = mixed::before_step}), elastic_center{.of = mixed::before_step}, 0.6);
  same(recipes::lsgd({.proximal = 0.2}), leader{.proximal = 0.05}, 0.1);
  same(recipes::mgrawa({.tau = period, .proximal = 0.0}), gradient_weighted{}, 0.5);
  same(recipes::lgrawa({.tau = period, .proximal = 0.0}), gradient_weighted{.per = weights_per::tensor}, 0.5);
}

TEST_CASE("a center on a server and a center on every worker are the same bits") {
  const pulls_setting s;
  CHECK(s.run<float>(eigen_backend{}, recipes::easgd({.server = true})) ==
        s.run<float>(eigen_backend{}, recipes::easgd()));
  const recipes::dppf_options from_target{.lambda = 0.2, .from = push_reference::target};
  CHECK(s.run<float>(eigen_backend{}, recipes::dppf(from_target, elastic_center{.server = true})) ==
        s.run<float>(eigen_backend{}, recipes::dppf(from_target, elastic_center{})));
}

TEST_CASE("elastic averaging of strength 0 leaves the workers alone, bit for bit") {
  const pulls_setting s;
  CHECK(s.run<float>(eigen_backend{}, recipes::easgd({.tau = 1, .alpha = 0.0})) ==
        s.run<float>(eigen_backend{}, algorithm{plain{}, nesterov{0.9}, none{}}));
}

TEST_CASE("one worker alone is pulled nowhere by leader and weighted average") {
  const quadratics f(1, dimension, 5);
  const auto train = [&](const auto& parts) {
    return train_team(eigen_backend{}, parts, topology::mixing_matrix::metropolis(topology::ring(1)),
                      equal_start<float>(1, std::vector<float>(dimension, 1.0f)), [&](int i) { return f.of(i); }, 40,
                      {.lr = {.base = 0.05}});
  };
  const auto expected = train(algorithm{plain{}, nesterov{0.9}, none{}});
  CHECK(train(recipes::lsgd({.proximal = 0.0})) == expected);
  CHECK(train(recipes::mgrawa({.tau = period, .proximal = 0.0})) == expected);
  CHECK(train(recipes::dppf({}, leader{})) == expected);
  CHECK(train(recipes::dppf({.from = push_reference::target}, gradient_weighted{})) == expected);
}

}  // namespace
