// Checkpoints: a run that was cut goes on with the same bits; what cannot be used is refused in one sentence.
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "polder/backend/counting.hpp"
#include "polder/backend/eigen.hpp"
#include "polder/compress/error_feedback.hpp"
#include "polder/compress/qsgd.hpp"
#include "polder/compress/top_k.hpp"
#include "polder/io/file.hpp"
#include "polder/io/json_parse.hpp"
#include "polder/mixing/every.hpp"
#include "polder/mixing/leader.hpp"
#include "polder/recipes/choco_sgd.hpp"
#include "polder/recipes/comp_ngm.hpp"
#include "polder/recipes/dppf.hpp"
#include "polder/recipes/easgd.hpp"
#include "polder/recipes/ema.hpp"
#include "polder/recipes/grawa.hpp"
#include "polder/recipes/local_sgd.hpp"
#include "polder/recipes/power_sgd.hpp"
#include "polder/recipes/qgm.hpp"
#include "polder/recipes/qsr.hpp"
#include "polder/recipes/slow_mo.hpp"
#include "polder/recipes/swa.hpp"
#include "polder/topology/graphs.hpp"
#include "polder/train/checkpoint.hpp"
#include "polder/train/fit.hpp"
#include "support/catch.hpp"
#include "support/quadratics.hpp"
#include "support/team.hpp"

namespace {

using namespace polder;
using namespace polder::test;
using topology::mixing_matrix;

/// A folder that is gone when the test ends.
class scratch_folder {
 public:
  scratch_folder() {
    std::string name = "/tmp/polder-checkpoint-XXXXXX";
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path = name;
  }
  ~scratch_folder() {
    for (const std::string& name : polder::detail::names_in(path)) {
      if (polder::detail::step_of(name)) polder::detail::remove_folder(path + "/" + name);
    }
    polder::detail::remove_folder(path);
  }
  std::string path;
};

run_configuration configuration(double lr) {
  run_configuration c;
  c.add("lr", lr);
  c.add("method", "test");
  return c;
}

/// The quadratics with named tensors, so that files show names.
struct named_quadratic : quadratics::objective {
  [[nodiscard]] polder::layout layout() const {
    polder::layout tensors;
    tensors.add("conv.weight", {2, 3});
    tensors.add("conv.bias", {3});
    return tensors;
  }
};

struct no_tests {
  [[nodiscard]] std::size_t size() const { return 1; }
  [[nodiscard]] scores score(std::span<const float>, std::span<const std::size_t>) const { return {0.0, 0.0, 1.0}; }
};

struct outcome {
  std::uint64_t hash = 0;
  resumed start;
};

/// A run of 12 steps on 4 workers that is left after `stop` steps. What it saves goes to `save`, what it starts from
/// comes from `from`.
template <class Algorithm>
outcome run(const Algorithm& parts, std::uint64_t stop, const std::string& save, const std::string& from,
            double lr = 0.1) {
  const quadratics q(4, 9, 7);
  const auto weights = mixing_matrix::metropolis(topology::ring(4));
  outcome result;
  run_workers(4, [&](auto& comm) {
    const std::vector<float> x0(9, 1.0f);
    named_quadratic f{q.of(comm.rank())};
    worker_options how;
    how.lr = {.base = lr, .kind = learning_rate::shape::cosine};
    how.total_steps = 12;
    worker one(parts, eigen_backend{}, comm, weights, f, std::span<const float>(x0), how);
    checkpoint_folder to(save, configuration(lr));
    checkpoint_folder old(from, configuration(lr));
    fit_options options{.epochs = 1, .steps_per_epoch = stop, .checkpoint_every = 3};
    if (!save.empty()) options.checkpoints = &to;
    if (!from.empty()) options.resume_from = from == save ? &to : &old;
    fit_callbacks callbacks;
    callbacks.begin = [&](const resumed& start) { result.start = start; };
    const auto end = fit(one, no_tests{}, options, callbacks);
    if (comm.rank() == 0) result.hash = end.param_hash;
  });
  return result;
}

/// Changes one byte at `place` of a file (from its end if negative).
void damage(const std::string& path, std::ptrdiff_t place) {
  io::bytes content = io::read_file(path);
  content[static_cast<std::size_t>(place < 0 ? static_cast<std::ptrdiff_t>(content.size()) + place : place)] ^= 0x10;
  io::write_file(path, content);
}

TEST_CASE("a run that was cut at any step and resumed ends with the same hash", "[checkpoint]") {
  const auto momentum_of_rounds = algorithm{plain{}, quasi_global_momentum{}, every{std::uint64_t{4}, gossip{}}};
  const auto check = [](const auto& parts) {
    const std::uint64_t whole = run(parts, 12, "", "").hash;
    for (const std::uint64_t cut : {3u, 5u, 6u, 11u}) {
      const scratch_folder folder;
      run(parts, cut, folder.path, "");
      const outcome end = run(parts, 12, folder.path, folder.path);
      CHECK(end.start.step == cut / 3 * 3);
      CHECK(end.hash == whole);
    }
  };
  check(recipes::qgm());
  check(recipes::dppf({.tau = 2}));
  const qsgd four_bits{.bits = 4, .scale = scaling::contraction};
  check(recipes::comp_ngm(choco_before_step{four_bits}, error_feedback{four_bits}, {.compress_own = true}));
  check(recipes::power_sgd({.rank = 1}));
  check(recipes::choco_sgd(choco{top_k{.keep = 0.3}}));
  check(recipes::easgd({.tau = 2}));
  check(recipes::dppf({.tau = 2}, leader{.window = 3, .proximal = 0.1}));
  check(recipes::lgrawa({.tau = 2}));
  check(recipes::slow_mo({.tau = 2, .averages = 2}));
  check(recipes::swa({.start = 2, .interval = 2, .tau = 2}));
  check(recipes::ema({.decay = 0.9, .tau = 2}));
  check(recipes::qsr({.alpha = 0.1, .tau = 2}));
  check(recipes::local_sgd({}, loss_adaptive{2}));
  check(recipes::local_sgd({}, drift_triggered{0.3}));  // cut inside a round that keeps its start
  check(momentum_of_rounds);                            // cut inside a round that keeps its start
}

TEST_CASE("the last two checkpoints are kept, with the model's names in their files", "[checkpoint]") {
  const scratch_folder folder;
  run(recipes::qgm(), 11, folder.path, "");
  CHECK(io::is_file(folder.path + "/step-6/worker-3.safetensors"));
  CHECK_FALSE(io::is_file(folder.path + "/step-3/worker-3.safetensors"));
  const auto file = io::read_safetensors(folder.path + "/step-9/worker-2.safetensors");
  CHECK(file.tensor("x.conv.weight").shape == std::vector<std::size_t>{2, 3});
  CHECK(file.get<float>("x.conv.bias").size() == 3);
  CHECK(file.get<std::uint64_t>("step").front() == 9);
  CHECK(file.metadata("polder.worker") == "2");
  const io::bytes manifest = io::read_file(folder.path + "/manifest.json");
  CHECK(io::parse_json(io::as_text(manifest), "manifest").at("steps").dump() == "[6, 9]");
}

TEST_CASE("a damaged or missing part makes all workers go back to the checkpoint before, and say so", "[checkpoint]") {
  const std::uint64_t whole = run(recipes::qgm(), 12, "", "").hash;
  for (const std::ptrdiff_t place : {std::ptrdiff_t{-1}, std::ptrdiff_t{3}, std::ptrdiff_t{60}}) {
    const scratch_folder folder;
    run(recipes::qgm(), 11, folder.path, "");
    damage(folder.path + "/step-9/worker-1.safetensors", place);
    const outcome end = run(recipes::qgm(), 12, folder.path, folder.path);
    CHECK(end.start.step == 6);
    REQUIRE(end.start.warnings.size() == 1);
    CHECK_THAT(end.start.warnings[0], Catch::Contains("step 9 cannot be used") && Catch::Contains("worker-1"));
    CHECK(end.hash == whole);
  }
  const scratch_folder folder;
  run(recipes::qgm(), 11, folder.path, "");
  ::unlink((folder.path + "/step-9/worker-0.safetensors").c_str());
  CHECK(run(recipes::qgm(), 12, "", folder.path).start.step == 6);
  damage(folder.path + "/step-6/worker-3.safetensors", -1);
  CHECK_THROWS_WITH(run(recipes::qgm(), 12, "", folder.path),
                    Catch::Contains("no checkpoint") && Catch::Contains("step 6"));
}

TEST_CASE("parts that were swapped between workers or steps are refused", "[checkpoint]") {
  const scratch_folder folder;
  run(recipes::qgm(), 11, folder.path, "");
  const io::bytes other = io::read_file(folder.path + "/step-9/worker-0.safetensors");
  io::write_file(folder.path + "/step-9/worker-1.safetensors", other);
  const outcome end = run(recipes::qgm(), 12, "", folder.path);
  CHECK(end.start.step == 6);
  CHECK_THAT(end.start.warnings.at(0), Catch::Contains("polder.worker"));
}

TEST_CASE("another configuration is refused and the options that differ are named", "[checkpoint]") {
  const scratch_folder folder;
  run(recipes::qgm(), 5, folder.path, "");
  CHECK_THROWS_WITH(run(recipes::qgm(), 12, "", folder.path, 0.2), Catch::Contains("lr was 0.1 and is 0.2"));
  CHECK_THROWS_AS(run(recipes::qgm(), 12, "", folder.path, 0.2), config_error);

  // The manifest of a run with one option more.
  const std::string path = folder.path + "/manifest.json";
  std::string manifest(io::as_text(io::read_file(path)));
  const auto replace = [&](const std::string& old, const std::string& by) {
    const std::size_t at = manifest.find(old);
    REQUIRE(at != std::string::npos);
    manifest.replace(at, old.size(), by);
  };
  replace(configuration(0.1).hash(), "another");
  replace(R"("method": "test")", R"("method": "test", "augment": "crop")");
  io::write_file(path, manifest);
  CHECK_THROWS_WITH(run(recipes::qgm(), 12, "", folder.path), Catch::Contains("run: augment was crop and is not set"));
}

TEST_CASE("a new run does not write over the checkpoints of another", "[checkpoint]") {
  const scratch_folder folder;
  run(recipes::qgm(), 5, folder.path, "");
  CHECK_THROWS_AS(run(recipes::qgm(), 5, folder.path, ""), config_error);
  CHECK(run(recipes::qgm(), 12, folder.path, folder.path).start.step == 3);
}

TEST_CASE("a folder without a manifest holds nothing to resume from", "[checkpoint]") {
  const scratch_folder folder;
  CHECK_THROWS_WITH(run(recipes::qgm(), 12, "", folder.path), Catch::Contains("no checkpoint in"));
}

TEST_CASE("what a killed run left unfinished is passed over and cleared away", "[checkpoint]") {
  const scratch_folder folder;
  run(recipes::qgm(), 5, folder.path, "");
  polder::detail::make_folder(folder.path + "/step-6.tmp");
  io::write_file(folder.path + "/step-6.tmp/worker-0.safetensors", std::string_view("half a file"));
  polder::detail::make_folder(folder.path + "/step-9");
  const outcome end = run(recipes::qgm(), 12, folder.path, folder.path);
  CHECK(end.start.step == 3);
  CHECK(end.start.warnings.empty());
  CHECK(end.hash == run(recipes::qgm(), 12, "", "").hash);
  CHECK_FALSE(io::is_file(folder.path + "/step-6.tmp/worker-0.safetensors"));
}

TEST_CASE("a folder that cannot be written ends all workers with a sentence", "[checkpoint]") {
  const scratch_folder folder;
  io::write_file(folder.path + "/file", std::string_view("x"));
  CHECK_THROWS_WITH(run(recipes::qgm(), 12, folder.path + "/file/below", ""), Catch::Contains("cannot create folder"));
  ::unlink((folder.path + "/file").c_str());
}

TEST_CASE("a configuration's hash changes with every name and value", "[checkpoint]") {
  CHECK(configuration(0.1).hash() == configuration(0.1).hash());
  CHECK(configuration(0.1).hash() != configuration(0.2).hash());
  CHECK(configuration(0.1).hash() != configuration(std::nextafter(0.1, 1.0)).hash());
  run_configuration a;
  a.add("a", "1\nb=2");
  run_configuration b;
  b.add("a", "1");
  b.add("b", "2");
  CHECK(a.hash() != b.hash());
}

}  // namespace
