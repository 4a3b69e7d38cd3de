// 010 - SAM and two valleys: the same start, the same steps, another valley.
//
// A loss may have many minima that are equally low. Between two of them, flat is better than sharp: on new data the loss
// is a slightly shifted copy of this one, and a shift costs little on flat ground and much in a gorge. Gradient descent
// cannot tell them apart, for at the bottom of both the gradient is zero.
//
// Sharpness-aware minimization (SAM) takes the gradient not where it stands, but at a point uphill at the distance rho.
// In a gorge the walls are close: that point lies high on a wall, first on one side, then on the other, and the slope up
// there also leans to where the gorge widens. Step by step it leads out.
#include <array>
#include <cstdio>
#include <span>

#include "polder/polder.hpp"

// A valley runs along y, with its floor at x = 0. Across, it is a parabola whose curvature grows from 1 at y = -1 to 41
// at y = 1. Along the floor, a low ridge at y = 0 parts two minima of loss 0.
//
//     f(x, y) = 1/2 c(y) x^2 + 1/20 (y^2 - 1)^2,        c(y) = 1 + 10 (y + 1)^2
//
// This is all that polder asks of an objective: from parameters to a loss and its gradient.
struct two_valleys {
  static double curvature(double y) { return 1.0 + 10.0 * (y + 1.0) * (y + 1.0); }

  double loss_and_gradient(std::span<const double> point, std::span<double> gradient) const {
    const double x = point[0];
    const double y = point[1];
    const double ridge = y * y - 1.0;
    gradient[0] = curvature(y) * x;
    gradient[1] = 10.0 * (y + 1.0) * x * x + 0.2 * y * ridge;
    return 0.5 * curvature(y) * x * x + 0.05 * ridge * ridge;
  }
};

int main() {
  const std::array start{0.3, 0.8};  // on the slope of the sharp valley
  std::printf("start at x = %.1f, y = %.1f\n\n   rho   ends at y   loss   curvature\n", start[0], start[1]);

  for (const double rho : {0.0, 0.02, 0.2, 0.3}) {
    // One worker, with nobody to talk to, on a graph of one: what is left of polder is a plain optimizer.
    const polder::reference_backend backend;
    polder::self<> alone;
    const auto graph = polder::topology::mixing_matrix::usual(polder::topology::complete(1));
    two_valleys f;

    // The sentence of three words: SAM gradients, plain steps, no mixing. With rho = 0 this is gradient descent.
    const polder::algorithm sentence{polder::sam{rho}, polder::chain{}, polder::none{}};
    polder::worker worker(sentence, backend, alone, graph, f, std::span<const double>(start), {.lr = {.base = 0.02}});
    for (int step = 0; step < 5000; ++step) worker.step();

    std::array<double, 2> end{};
    backend.to_host(worker.x(), std::span<double>(end));
    std::array<double, 2> gradient{};
    const double loss = f.loss_and_gradient(end, gradient);
    const double curvature = two_valleys::curvature(end[1]);
    std::printf("%6.2f %11.2f %6.2f %11.1f   %s\n", rho, end[1], loss, curvature,
                curvature > 20.0 ? "the sharp valley" : "the flat valley");
  }

  // rho is a length: the width of the gorges that you do not want to end in. Too small, and every valley looks flat.
}
