// 050 - One source: the same recipe on whichever backend is there.
//
// A backend owns memory and runs loops over it. What the loops do is written once, as element functions that are compiled
// for the host and for the device, and recipes and objectives are generic over the backend. This program minimizes one
// function with Q-SADDLe on two of them: the reference backend, which is the specification, and Thrust's default system,
// which the compiler chooses:
//
//     g++                                                        sequential on the host
//     g++ -fopenmp -DTHRUST_DEVICE_SYSTEM=THRUST_DEVICE_SYSTEM_OMP    OpenMP on the host
//     nvcc -x cu --expt-relaxed-constexpr                        a CUDA device
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <span>
#include <vector>

#include "polder/backend/thrust.hpp"
#include "polder/polder.hpp"

// Element functions that run on a device are of types with a name.
namespace any_backend {

constexpr std::size_t parameters = 5000;
constexpr std::uint64_t steps = 30;

// One term of f(x) = mean of log cosh(x_i - c_i), smooth and flat far out, and its derivative.
struct term {
  POLDER_HD double operator()(float x, float center) const {
    return std::log(std::cosh(static_cast<double>(x - center)));
  }
};
struct slope {
  POLDER_HD void operator()(float x, float center, float& g) const { g = std::tanh(x - center); }
};

// An objective in the memory of any backend. The numbers stay there; the loss alone comes to the host.
template <class Backend>
class valley {
 public:
  using space = typename Backend::space;

  explicit valley(const Backend& backend)
      : backend_(backend), center_(backend.template zeros<float>(parameters)), sum_(backend.template zeros<double>(1)) {
    std::vector<float> center(parameters);
    for (std::size_t i = 0; i < parameters; ++i) center[i] = 3.0f * std::sin(static_cast<float>(i));
    backend_.from_host(std::span<const float>(center), center_.view());
  }
  // Spans of host memory, or views of a device's.
  double loss_and_gradient(auto from, auto to) const {
    const polder::view<space, const float> x(from);
    const polder::view<space, float> g(to);
    backend_.map(parameters, slope{}, polder::in(x), polder::in(center_.view()), polder::out(g));
    backend_.sum(parameters, term{}, sum_.view(), polder::in(x), polder::in(center_.view()));
    double loss = 0.0;
    backend_.to_host(sum_.view(), std::span<double>(&loss, 1));
    return loss / parameters;
  }

 private:
  Backend backend_;
  polder::buffer_t<Backend, float> center_;
  mutable polder::buffer_t<Backend, double> sum_;
};

// Trains on one worker, prints the loss on the way, and returns the parameters.
template <class Backend>
std::vector<float> trained(const char* name) {
  const Backend backend;
  polder::self<typename Backend::space> comm;
  const auto nobody_else = polder::topology::mixing_matrix::usual(polder::topology::ring(1));
  valley<Backend> f(backend);
  std::vector<float> x(parameters, 0.0f);
  polder::worker worker(polder::recipes::q_saddle({.rho = 0.5}), backend, comm, nobody_else, f,
                        std::span<const float>(x),
                        {.lr = {.base = 0.1, .kind = polder::learning_rate::shape::cosine}, .total_steps = steps});
  std::printf("%-10s loss", name);
  while (worker.steps() < steps) {
    const double loss = worker.step();
    if (worker.steps() % 10 == 1 || worker.steps() == steps) std::printf(" %9.6f", loss);
  }
  std::printf("\n");
  backend.to_host(worker.x(), std::span<float>(x));
  return x;
}

}  // namespace any_backend

int main() {
  try {
    const auto expected = any_backend::trained<polder::reference_backend>("reference");
    const auto found = any_backend::trained<polder::thrust_backend<>>("Thrust");
    float most = 0.0f;
    for (std::size_t i = 0; i < expected.size(); ++i) most = std::max(most, std::abs(found[i] - expected[i]));
    std::printf("the same parameters to 1e-5: %s\n", most < 1e-5f ? "yes" : "no");
  } catch (const polder::error& e) {  // no device, say
    std::fprintf(stderr, "%s\n", e.what());
    return 1;
  }
}
