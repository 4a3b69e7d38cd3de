// Losses that reach the host later: what the step loop asks for when, and that nothing else changes.
#include "polder/objective/late_loss.hpp"

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "contract/backend_suite.hpp"
#include "polder/backend/eigen.hpp"
#include "polder/comm/run_workers.hpp"
#include "polder/comm/self.hpp"
#include "polder/nn/nn.hpp"
#include "polder/recipes/dsgdm_n.hpp"
#include "polder/recipes/local_sgd.hpp"
#include "polder/recipes/n_saddle.hpp"
#include "polder/recipes/q_saddle.hpp"
#include "polder/topology/graphs.hpp"
#include "polder/train/device_objective.hpp"
#include "polder/train/fit.hpp"
#include "polder/train/worker.hpp"
#include "support/catch.hpp"

using namespace polder;

namespace {

/// What the host has asked for: the places of the numbers, in order.
using requests = std::vector<std::size_t>;

/// A backend whose numbers are on their way: it notes who asks for them.
struct mailing_backend : eigen_backend {
  class places {
   public:
    places(std::size_t count, std::shared_ptr<requests> asked) : numbers_(count), asked_(std::move(asked)) {}
    void send(std::size_t place, host_view<const double> number) { numbers_[place] = *number.data; }
    [[nodiscard]] double get(std::size_t place) const {
      asked_->push_back(place);
      return numbers_[place];
    }

   private:
    std::vector<double> numbers_;
    std::shared_ptr<requests> asked_;
  };
  [[nodiscard]] places late_numbers(std::size_t count) const { return {count, asked}; }

  std::shared_ptr<requests> asked = std::make_shared<requests>();
};
static_assert(late_backend<mailing_backend> && !late_backend<eigen_backend>);

constexpr std::size_t batch = 4, batches = 3, classes = 3;

data::dataset vectors() {
  data::dataset set;
  set.name = "vectors";
  set.shape = {5, 1, 1};
  set.classes = classes;
  random_stream random({.seed = 3});
  std::vector<float> pixels(batch * batches * 5);
  for (float& pixel : pixels) pixel = static_cast<float>(random.uniform());
  for (std::size_t i = 0; i < batch * batches; ++i) set.labels.push_back(static_cast<std::int32_t>(i % classes));
  set.pixels = std::move(pixels);
  return set;
}

/// A worker's task on backend B: the same numbers on both.
template <class B>
struct task {
  using model = nn::device_model<float, B>;

  explicit task(B b = {}) : backend(std::move(b)) { net().initialize(x0, 7); }

  [[nodiscard]] model net() const {
    return model({nn::dense{.units = 6}, nn::relu{}, nn::dense{.units = classes}}, {5, 1, 1}, classes, backend,
                 {.most_images = batch});
  }
  [[nodiscard]] auto objective(int rank = 0) const {
    std::vector<std::size_t> shard(batch * batches);
    for (std::size_t i = 0; i < shard.size(); ++i) shard[i] = i;
    return device_objective(net(), resident,
                            data::loader<float>(set, shard, batch, 1, static_cast<std::uint32_t>(rank)));
  }

  B backend;
  data::dataset set = vectors();
  data::resident_dataset<float, B> resident{set, backend};
  std::vector<float> x0 = std::vector<float>(net().size());
};

const auto alone = topology::mixing_matrix::usual(topology::ring(1));

}  // namespace

TEST_CASE("the backend of these tests keeps the obligations of late numbers") {
  contract::check_late_numbers(mailing_backend{});
}

TEST_CASE("a step asks for the losses of the step before it, and for none of its own") {
  const task<mailing_backend> late;
  const requests& asked = *late.backend.asked;
  self comm;
  auto f = late.objective();
  worker one(recipes::q_saddle({.rho = 0.1}), late.backend, comm, alone, f, std::span(late.x0), {.lr = {.base = 0.1}});

  const late_loss first = one.step();
  CHECK(asked.empty());
  (void)one.step();
  CHECK(asked == requests{0, 1});  // the loss of the first step, and the one uphill
  (void)one.step();
  CHECK(asked == requests{0, 1, 2, 3});
  one.settle();
  CHECK(asked == requests{0, 1, 2, 3, 4, 5});
  one.settle();
  CHECK(asked.size() == 6);
  CHECK(std::isfinite(first));
  CHECK(asked.back() == 0);
}

TEST_CASE("late losses are the losses, in a step and in a run") {
  const task<mailing_backend> late;
  const task<eigen_backend> prompt;
  const fit_options options{.epochs = 3, .steps_per_epoch = batches, .batch = batch, .evaluate_every = 1};
  struct seen {
    std::vector<std::pair<std::uint64_t, double>> steps;
    std::vector<double> train_losses;
    std::uint64_t hash = 0;
    bool operator==(const seen&) const = default;
  };
  const auto run = [&](const auto& t) {
    seen s;
    self comm;
    auto f = t.objective();
    const device_test_set tests(t.net(), t.resident);
    worker one(recipes::dsgdm_n(), t.backend, comm, alone, f, std::span(t.x0), {.lr = {.base = 0.1}});
    fit_callbacks callbacks;
    callbacks.step = [&](std::uint64_t steps, double loss) { s.steps.emplace_back(steps, loss); };
    callbacks.evaluated = [&](const evaluation& e) { s.train_losses.push_back(e.train_loss); };
    s.hash = fit(one, tests, options, callbacks).param_hash;
    return s;
  };
  const seen expected = run(prompt);
  REQUIRE(expected.steps.size() == 9);
  CHECK(expected.steps.back().first == 9);
  CHECK(run(late) == expected);
}

TEST_CASE("a late loss that is not finite ends the run one step later, and says which step it was") {
  const task<mailing_backend> late;
  self comm;
  auto f = late.objective();
  const learning_rate wild{.base = 1e30};
  worker one(recipes::dsgdm_n(), late.backend, comm, alone, f, std::span(late.x0), {.lr = wild});
  (void)one.step();
  (void)one.step();
  CHECK_THROWS_WITH(one.step(), Catch::Matchers::StartsWith("worker 0, step 1: the loss is ") &&
                                    Catch::Matchers::Contains("lower the learning rate"));

  auto again = late.objective();
  worker other(recipes::q_saddle({.rho = 1e30}), late.backend, comm, alone, again, std::span(late.x0),
               {.lr = {.base = 0.1}});
  (void)other.step();
  CHECK_THROWS_WITH(other.settle(), Catch::Matchers::StartsWith("worker 0, step 0: a loss uphill, at a neighbor's"));
  CHECK_NOTHROW(other.settle());  // said once
}

TEST_CASE("a rule that decides by the loss waits for it") {
  const task<mailing_backend> late;
  const requests& asked = *late.backend.asked;
  self comm;
  auto f = late.objective();
  worker one(recipes::local_sgd({.alpha = 1.0}, loss_adaptive{.tau = 2}), late.backend, comm, alone, f,
             std::span(late.x0), {.lr = {.base = 0.1}, .total_steps = 4});
  (void)one.step();
  CHECK(asked == requests{0});
  (void)one.step();
  CHECK(asked == requests{0, 1, 0});
}

TEST_CASE("late losses of cross-gradients come from all neighbors") {
  const auto ring = topology::mixing_matrix::usual(topology::ring(3));
  std::array<std::size_t, 3> asked{};
  const auto trained = [&]<class B>(const task<B>&) {
    std::vector<float> x;
    run_workers(3, [&](auto& comm) {
      const task<B> mine;
      auto f = mine.objective(comm.rank());
      worker one(recipes::n_saddle({.rho = 0.1}), mine.backend, comm, ring, f, std::span(mine.x0),
                 {.lr = {.base = 0.1}});
      for (int step = 0; step < 4; ++step) (void)one.step();
      if constexpr (late_backend<B>) asked[static_cast<std::size_t>(comm.rank())] = mine.backend.asked->size();
      one.settle();
      if (comm.rank() == 0) x.assign(one.x().data, one.x().data + one.x().size);
    });
    return x;
  };
  CHECK(trained(task<mailing_backend>()) == trained(task<eigen_backend>()));
  CHECK(asked ==
        std::array<std::size_t, 3>{18, 18, 18});  // three steps of an own and two crossed losses, each with SAM's
}

TEST_CASE("a loss is not kept forever") {
  const task<mailing_backend> late;
  auto f = late.objective();
  f.select_batch(0);
  std::vector<float> g(late.x0.size());
  const late_loss first = f.loss_and_gradient(late.x0, g);
  const double value = first;
  for (int more = 1; more < 1024; ++more) CHECK(f.loss_and_gradient(late.x0, g).ticket() == std::uint64_t(more));
  CHECK(first == value);
  (void)f.loss_and_gradient(late.x0, g);
  CHECK_THROWS_WITH(double(first), "a late loss is asked for after 1025 evaluations, but kept for 1024: ask earlier");

  const late_loss before = f.loss_and_gradient(late.x0, g);
  const auto moved = std::make_unique<decltype(f)>(std::move(f));  // tickets outlive a move of the objective
  CHECK(before == value);
  CHECK(before.from() == moved->loss_and_gradient(late.x0, g).from());
}
