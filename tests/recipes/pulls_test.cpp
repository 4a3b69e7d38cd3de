// The recipes that pull to other points than the average, and DPPF with each of their pulls, against their stacked
// reference; what is evaluated; and what they are with neutral settings.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "polder/backend/eigen.hpp"
#include "polder/backend/reference.hpp"
#include "polder/mixing/elastic_center.hpp"
#include "polder/mixing/every.hpp"
#include "polder/mixing/gradient_weighted.hpp"
#include "polder/mixing/leader.hpp"
#include "polder/mixing/none.hpp"
#include "polder/mixing/synchronization.hpp"
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
    o.ends = [](std::size_t done) { return done % period == 0; };
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
  const rows expected = stacked_pulls(s.problem, s.start(), steps, 0.8, o).x;
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
          o.lambda = [](std::size_t) { return 0.2; };
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

TEST_CASE("a push goes with a pull in the local steps") {
  const pulls_setting s;
  for (const bool from_target : {false, true}) {
    CAPTURE(from_target);
    const recipes::dppf_options how{.alpha = 0.3,
                                    .lambda = 0.2,
                                    .beta = 0.8,
                                    .weight_decay = wd,
                                    .from = from_target ? push_reference::target : push_reference::average};
    const auto expected = [&](toward to) {
      pull_terms o = s.terms(to, 0.3);
      o.lambda = [](std::size_t) { return 0.2; };
      o.from_target = from_target;
      o.proximal = 0.05;
      o.window = 6;
      return o;
    };
    agrees(s, recipes::dppf(how, leader{.window = 6, .proximal = 0.05}), expected(toward::leader));
    agrees(s, recipes::dppf(how, gradient_weighted{.proximal = 0.05}), expected(toward::model_weights));
    agrees(s, recipes::dppf(how, gradient_weighted{.per = weights_per::tensor, .proximal = 0.05}),
           expected(toward::tensor_weights));
  }
}

TEST_CASE(
    "schedules and the start of the push are those of the rounds, whatever the pull, and the last round may be short") {
  const pulls_setting s;
  // 60 steps are eight rounds of seven, and one of four.
  const std::size_t tau = 7, rounds = 9;
  const auto cosine = [](std::size_t k) { return std::cos(std::acos(-1.0) * static_cast<double>(k) / rounds); };
  struct {
    push_schedule schedule;
    std::size_t start_round;
    std::function<double(std::size_t)> lambda;
  } const cases[] = {
      {push_schedule::fixed, 0, [](std::size_t) { return 0.2; }},
      {push_schedule::fixed, 3, [](std::size_t k) { return k < 3 ? 0.0 : 0.2; }},
      {push_schedule::increasing, 0, [&](std::size_t k) { return 0.1 * (1.0 - cosine(k)); }},
      {push_schedule::decreasing, 0, [&](std::size_t k) { return 0.1 * (1.0 + cosine(k)); }},
      {push_schedule::decreasing, 2, [&](std::size_t k) { return k < 2 ? 0.0 : 0.1 * (1.0 + cosine(k)); }},
  };
  for (const auto& one : cases) {
    CAPTURE(static_cast<int>(one.schedule), one.start_round);
    const recipes::dppf_options how{.tau = tau,
                                    .alpha = 0.3,
                                    .lambda = 0.2,
                                    .schedule = one.schedule,
                                    .start_round = one.start_round,
                                    .beta = 0.8,
                                    .weight_decay = wd};
    const auto expected = [&](toward to) {
      pull_terms o = s.terms(to, 0.3);
      o.lambda = one.lambda;
      o.ends = [](std::size_t done) { return done % tau == 0; };
      return o;
    };
    agrees(s, recipes::dppf(how), expected(toward::average));
    agrees(s, recipes::dppf(how, elastic_center{}), expected(toward::elastic));
    agrees(s, recipes::dppf(how, leader{}), expected(toward::leader));
    agrees(s, recipes::dppf(how, gradient_weighted{}), expected(toward::model_weights));
  }
}

TEST_CASE("DPPF's rounds end by a synchronization rule that is its third argument, its schedule follows them") {
  const pulls_setting s;
  const auto expected = [&](toward to, const std::vector<std::size_t>& ends) {
    pull_terms o = s.terms(to, 0.3);
    const double rounds = static_cast<double>(ends.size());
    o.lambda = [=](std::size_t k) { return 0.1 * (1.0 - std::cos(std::acos(-1.0) * static_cast<double>(k) / rounds)); };
    o.ends = [ends](std::size_t done) { return std::find(ends.begin(), ends.end(), done) != ends.end(); };
    return o;
  };
  // tau has no say.
  const recipes::dppf_options how{
      .tau = 1, .alpha = 0.3, .lambda = 0.2, .schedule = push_schedule::increasing, .beta = 0.8, .weight_decay = wd};
  // The learning rate drops from 0.05 to 0.01 after step 30: periods of max(3, floor((0.031 / eta)^2)) = 3, then 9; the
  // last one is cut to the 3 steps that are left.
  const qsr quadratic_rule{.alpha = 0.031, .least = 3};
  const std::vector<std::size_t> of_qsr{3, 6, 9, 12, 15, 18, 21, 24, 27, 30, 39, 48, 57, 60};
  agrees(s, recipes::dppf(how, the_average{}, quadratic_rule), expected(toward::average, of_qsr));
  agrees(s, recipes::dppf(how, elastic_center{}, quadratic_rule), expected(toward::elastic, of_qsr));
  const std::vector<std::size_t> of_post_local{1, 2, 3, 4, 5, 16, 27, 38, 49, 60};
  agrees(s, recipes::dppf(how, leader{}, post_local{5, 11}), expected(toward::leader, of_post_local));
}

TEST_CASE("the model to evaluate of elastic averaging is the center, that of other pulls the mean of the workers") {
  const pulls_setting s;
  const auto models_of = [&](const auto& parts) {
    rows models(workers);
    (void)train_team(
        reference_backend{}, parts, s.weights, s.start(), [&](int i) { return two_tensors{s.f.of(i)}; }, steps,
        {.lr = dropping()},
        [&](auto& one, std::uint64_t t) {
          if (t + 1 != steps) return;
          const auto model = one.model();
          models[static_cast<std::size_t>(one.rank())].assign(model.data, model.data + model.size);
        });
    return models;
  };
  for (const std::size_t tau : {std::size_t{4}, std::size_t{7}}) {
    CAPTURE(tau);
    const auto expected = [&](toward to, double lambda) {
      pull_terms o = s.terms(to, 0.6);
      o.lambda = [=](std::size_t) { return lambda; };
      o.ends = [=](std::size_t done) { return done % tau == 0; };
      return stacked_pulls(s.problem, s.start(), steps, 0.8, o);
    };
    const auto all_hold = [&](const auto& parts, const std::vector<double>& center) {
      CHECK(largest_difference(models_of(parts), rows(workers, center)) < 1e-12);
    };
    const recipes::easgd_options how{.tau = tau, .alpha = 0.6, .beta = 0.8, .weight_decay = wd};
    const pulled elastic = expected(toward::elastic, 0.0);
    all_hold(recipes::easgd(how), elastic.center);
    recipes::easgd_options served = how, before = how;
    served.server = true;
    all_hold(recipes::easgd(served), elastic.center);
    before.of = mixed::before_step;
    all_hold(recipes::easgd(before), expected(toward::elastic_before, 0.0).center);
    CHECK(largest_difference(rows{elastic.center}, {mean_of(elastic.x)}) > 1e-3);

    const recipes::dppf_options pushed{.tau = tau, .alpha = 0.6, .lambda = 0.2, .beta = 0.8, .weight_decay = wd};
    all_hold(recipes::dppf(pushed, elastic_center{}), expected(toward::elastic, 0.2).center);
    CHECK(largest_difference(rows{mean_of(models_of(recipes::dppf(pushed, leader{})))},
                             {mean_of(expected(toward::leader, 0.2).x)}) < 1e-12);
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
