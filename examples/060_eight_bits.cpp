// 060 - Eight bits: what a run loses when its messages are a quarter as long, or a thirtieth.
//
// A parameter has 32 bits. How many of them does a neighbor need? `qsgd` sends one of a few levels of the norm of 64
// numbers, rounded up or down at random, `sign` one bit and the mean magnitude. A message then misses part of what it
// should say: the error below, as a share of its length. In an average with the neighbors such errors would stay.
//
// CHOCO gossip makes them harmless. What is compressed is the difference to a public copy that the neighbors keep of a
// worker; it shrinks as they come to agree, and what one message leaves out is part of the next. The coarser the
// messages, the less of the way to the neighbors a round may go: that is gamma, the consensus step.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <numeric>
#include <span>
#include <vector>

#include "polder/polder.hpp"

constexpr int worker_count = 16;
constexpr std::size_t dimension = 2048;
constexpr int steps = 400;

// Each worker has a bowl of its own, with its center c and curvature h, both random. Best for all is the weighted mean
// of the centers, sum h c / sum h: to find it, everybody has to hear of everybody, over a ring.
struct bowl {
  std::vector<double> h, c;
  explicit bowl(int worker) {
    const auto rank = static_cast<std::uint32_t>(worker);
    polder::random_stream random({.seed = 60, .purpose = polder::purpose::test, .worker = rank});
    for (std::size_t k = 0; k < dimension; ++k) h.push_back(0.5 + random.uniform());
    for (std::size_t k = 0; k < dimension; ++k) c.push_back(random.normal());
  }
};
double norm(const std::vector<double>& v) { return std::sqrt(std::inner_product(v.begin(), v.end(), v.begin(), 0.0)); }
double distance_to_best(std::span<const float> x) {
  std::vector<double> off(x.begin(), x.end()), hc(dimension), h(dimension);
  for (int i = 0; i < worker_count; ++i) {
    const bowl b(i);
    for (std::size_t k = 0; k < dimension; ++k) hc[k] += b.h[k] * b.c[k];
    for (std::size_t k = 0; k < dimension; ++k) h[k] += b.h[k];
  }
  for (std::size_t k = 0; k < dimension; ++k) off[k] -= hc[k] / h[k];
  return norm(off);
}

double error_of_a_message(const auto& compressor) {
  const polder::layout tensors(dimension);
  const std::vector<double> v = bowl(0).c;
  std::vector<double> error = v;
  std::vector<std::byte> wire(compressor.template max_bytes<double>(tensors));
  auto state = compressor.template init<double>(tensors);
  compressor.template compress<double>(state, std::span(v), tensors, {.seed = 60}, wire);
  compressor.template decompress_add<double>(wire, tensors, -1.0, std::span(error));
  return norm(error) / norm(v);
}

void train(const char* name, double gamma, double error, const auto& mixing) {
  polder::run_workers(worker_count, [&](auto& inner) {
    polder::counted comm(inner);  // sees what really goes to the neighbors
    const polder::reference_backend backend;
    const auto ring = polder::topology::mixing_matrix::usual(polder::topology::ring(worker_count));
    const bowl mine(comm.rank());
    auto f = polder::quadratic::diagonal(mine.h, mine.c);
    const std::vector<float> start(dimension);
    const polder::learning_rate lr{.base = 0.02, .kind = polder::learning_rate::shape::cosine};
    polder::worker worker(polder::algorithm{polder::plain{}, polder::nesterov{}, mixing}, backend, comm, ring, f,
                          std::span(start), {.lr = lr, .total_steps = steps});
    const auto before = comm.bytes_sent();
    for (int step = 0; step < steps; ++step) worker.step();
    const auto sent = static_cast<double>(comm.bytes_sent() - before);

    std::vector<float> mean(dimension);
    const double apart = polder::measure(backend, comm, worker.x(), worker.steps(), [&](auto x) {
                           backend.to_host(x, std::span(mean));
                         }).consensus_distance;
    if (comm.rank() != 0) return;
    std::printf("%-8s %6.1f %% %7.1f %9.2f ", name, 100.0 * error, gamma, sent * 1e-6);
    if (apart < 1e3) std::printf("%14.2f %15.1f\n", distance_to_best(mean), apart);
    if (!(apart < 1e3)) std::printf("%30s\n", "the workers fly apart");
  });
}

int main() {
  std::printf("message     error   gamma   MB sent   mean to best   workers apart\n");
  train("32 bits", 1.0, 0.0, polder::gossip{});
  const auto compressed = [](const char* name, const auto& compressor, double gamma) {
    train(name, gamma, error_of_a_message(compressor), polder::choco{compressor, gamma});
  };
  constexpr auto contraction = polder::scaling::contraction;  // what CHOCO needs
  const polder::qsgd two_bits{.bits = 2, .scale = contraction, .bucket = 64};
  compressed("8 bits", polder::qsgd{.bits = 8, .scale = contraction, .bucket = 64}, 1.0);
  compressed("4 bits", polder::qsgd{.bits = 4, .scale = contraction, .bucket = 64}, 1.0);
  compressed("sign", polder::sign{}, 0.8);
  compressed("2 bits", two_bits, 1.0);  // nine tenths of a message is error: it comes back larger than it was
  compressed("2 bits", two_bits, 0.3);  // a smaller step gives it time to fade

  // Eight bits change nothing that matters, four hardly anything. Below, bytes are saved at the price of agreement.
}
