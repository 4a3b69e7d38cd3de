// What wide_accesses.sh looks at: a pass and a weighted sum, in both precisions.
#include <cstddef>
#include <span>

#include "polder/backend/thrust.hpp"
#include "polder/ops/arithmetic.hpp"

namespace wide_accesses {

struct step {
  template <class T>
  POLDER_HD void operator()(T g, T& m, T& y) const {
    m = m / 2 + g;
    y = -m;
  }
};

template <class T>
void run(std::size_t n, polder::view<polder::cuda_space, const T> g, polder::view<polder::cuda_space, T> m,
         polder::view<polder::cuda_space, T> y, std::span<const polder::weighted<polder::cuda_space, T>> terms) {
  const polder::thrust_backend<polder::thrust_cuda> b;
  b.map(n, step{}, polder::in(g), polder::inout(m), polder::out(y));
  b.combine(terms, polder::ops::assign{}, polder::out(y));
}
template void run<float>(std::size_t, polder::view<polder::cuda_space, const float>,
                         polder::view<polder::cuda_space, float>, polder::view<polder::cuda_space, float>,
                         std::span<const polder::weighted<polder::cuda_space, float>>);
template void run<double>(std::size_t, polder::view<polder::cuda_space, const double>,
                          polder::view<polder::cuda_space, double>, polder::view<polder::cuda_space, double>,
                          std::span<const polder::weighted<polder::cuda_space, double>>);

}  // namespace wide_accesses
