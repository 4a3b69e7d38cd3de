// 080 - A landscape: where workers come to rest that are pulled together and pushed apart.
//
//     example_080_landscape [NAME]      also draws NAME0.00.svg, NAME0.05.svg, ..., one for each lambda
//
// Three workers train one network, each on a third of the points. The three span a plane, their mean lies on it, and the
// loss there is a map of the valley in which they stand. The table measures it: how far it is from the mean to where the
// loss has risen by 0.1, toward the workers (the mean valley) and in random directions; the largest curvature; the highest
// wall between two workers (the barrier). What it teaches stands in docs/explanation/valleys.md.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "polder/polder.hpp"

namespace sharpness = polder::sharpness;
using point = std::span<const double>;
constexpr std::uint32_t worker_count = 3, each = 80;  // workers, and samples of each

struct spirals {  // places on three arms, each arm a class
  std::vector<double> places;
  std::vector<int> arms;
  void draw(std::uint32_t owner, std::size_t count) {
    polder::random_stream random({.seed = 80, .purpose = polder::purpose::test, .worker = owner});
    for (std::size_t i = 0; i < count; ++i) {
      arms.push_back(static_cast<int>(i % 3));
      const double radius = 0.2 + 1.3 * random.uniform();
      const double angle = 2.1 * arms.back() + 2.5 * radius + 0.1 * random.normal();
      places.insert(places.end(), {radius * std::cos(angle), radius * std::sin(angle)});
    }
  }
};

void draw(const std::string& file, const std::string& title, std::span<const point> x, point mean, const auto& loss) {
  const auto plane = sharpness::plane_through(x[0], x[1], x[2]);
  std::vector<polder::io::map_mark> marks;
  for (const auto& [name, at] : {std::pair{"worker 0", x[0]}, {"worker 1", x[1]}, {"worker 2", x[2]}, {"mean", mean}}) {
    const auto [a, b] = plane.nearest(at);
    marks.push_back({name, a, b});
  }
  auto landscape = sharpness::loss_on<double>(plane, loss, sharpness::covering(marks, 0.5));
  landscape.marks = marks;
  polder::io::write_file(file, polder::io::as_bytes(polder::io::svg(landscape.map(title))));
}

int main(int argc, char** argv) {
  spirals all, fresh;
  for (std::uint32_t m = 0; m < worker_count; ++m) all.draw(m, each);
  fresh.draw(worker_count, 3000);
  const auto everyone = polder::topology::mixing_matrix::usual(polder::topology::complete(worker_count));
  const polder::reference_backend backend;
  const polder::nn::model<double, polder::reference_backend> model(polder::nn::mlp({16, 16}, 3), {1, 1, 2}, 3);
  const std::span<const int> arms(all.arms);
  const point places(all.places);
  const auto f = model.on(places, arms);
  const auto loss = [&](point x) { return f.loss(x); };
  std::printf("                 mean   random    largest    loss of     worst   highest   wrong of\n");
  std::printf("lambda  width  valley   valley  curvature   the mean    worker   barrier   3000 new\n");
  for (const double lambda : {0.0, 0.05, 0.1, 0.2, 0.4}) {
    std::vector<std::vector<double>> ends(worker_count, std::vector<double>(model.size()));
    polder::run_workers(worker_count, [&](auto& comm) {
      const auto rank = static_cast<std::size_t>(comm.rank());
      auto own = model.on(places.subspan(rank * 2 * each, 2UL * each), arms.subspan(rank * each, each));
      model.initialize(ends[rank], 1);
      const auto sentence = polder::recipes::dppf({.tau = 4, .alpha = 0.1, .lambda = lambda, .beta = 0.9});
      polder::worker worker(sentence, backend, comm, everyone, own, point(ends[rank]), {.lr = {.base = 0.05}});
      while (worker.steps() < 2000) worker.step();
      backend.to_host(worker.x(), std::span(ends[rank]));
    });
    std::vector<double> mean(model.size());
    for (std::size_t i = 0; i < mean.size(); ++i) mean[i] = (ends[0][i] + ends[1][i] + ends[2][i]) / 3.0;
    std::vector<std::vector<double>> walkers(40, mean);  // in opposite pairs: the mean is theirs as well
    for (std::uint32_t w = 0; w < walkers.size(); ++w) {
      polder::random_stream random({.seed = 80, .purpose = polder::purpose::probe, .worker = w / 2});
      for (double& number : walkers[w]) number += (w % 2 == 0 ? 0.1 : -0.1) * random.normal();
    }
    const std::vector<point> x(ends.begin(), ends.end()), anywhere(walkers.begin(), walkers.end());
    const auto valley = sharpness::mean_valley<double>(x, loss, {.rise = 0.1});
    const auto around = sharpness::mean_valley<double>(anywhere, loss, {.rise = 0.1});
    double width = 0.0, worst = 0.0, barrier = 0.0;
    for (std::size_t m = 0; m < worker_count; ++m) {
      width += valley.boundaries[m].radius / worker_count;
      worst = std::max(worst, loss(x[m]));
      barrier = std::max(barrier, sharpness::line_between(x[m], x[(m + 1) % worker_count], loss).barrier());
    }
    auto hessian = f.kept_hessian(mean);
    const double curvature = sharpness::largest_eigenvalues(hessian).largest.front().value;
    const auto wrong = fresh.arms.size() - model.evaluate<int>(mean, fresh.places, fresh.arms).correct;
    std::printf("%6.2f %6.2f %7.2f %8.2f %10.2f %10.3f %9.3f %9.3f %10zu\n", lambda, width, valley.mean_valley,
                around.mean_valley, curvature, loss(mean), worst, barrier, wrong);
    const std::string value = polder::io::fixed(lambda, 2);
    if (argc > 1) draw(argv[1] + value + ".svg", "The loss between three workers, lambda = " + value, x, mean, loss);
  }
}
