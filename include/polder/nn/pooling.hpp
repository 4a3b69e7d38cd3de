// polder — max and average pooling.
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <string_view>

#include "polder/core/config.hpp"
#include "polder/core/error.hpp"
#include "polder/nn/operation.hpp"
#include "polder/nn/shape.hpp"

namespace polder::nn {

namespace detail {

/// A window that slides over each channel. Rows and columns that do not fill a window at the end are left out.
struct window {
  std::size_t height, width, stride;

  [[nodiscard]] shape output(shape in, std::string_view layer) const {
    require<config_error>(height >= 1 && width >= 1 && stride >= 1, layer, ": size and stride must be at least 1");
    require<config_error>(height <= in.height && width <= in.width, layer, ": window ", height, " x ", width,
                          " does not fit into ", in.height, " x ", in.width, " input: use a smaller window");
    return {in.channels, (in.height - height) / stride + 1, (in.width - width) / stride + 1};
  }
};

template <class T>
class maximum final : public operation<T> {
 public:
  maximum(window w, shape in, shape out) : window_(w), in_(in), out_(out) {}

  /// Per output the place of its maximum in the window, as a number of type T.
  std::size_t saved() const override { return padded(out_.size()); }

  void forward(const pass<T>& p, const T* x, T* y, T* saved) const override {
    for_planes(p.images, [&](std::size_t from, std::size_t to) {
      if (halves()) {
        forward_halves(x + from, y + to, saved + to);
      } else {
        forward_any(x + from, y + to, saved + to);
      }
    });
  }

  void backward(const pass<T>& p, const T*, const T*, const T* dy, T* dx, const T* saved) const override {
    if (dx == nullptr) return;
    if (!halves() || 2 * out_.width != in_.width || 2 * out_.height != in_.height) {
      std::fill_n(dx, p.images * in_.size(), T{0});
    }
    for_planes(p.images, [&](std::size_t from, std::size_t to) {
      if (halves()) {
        backward_halves(dy + to, dx + from, saved + to);
      } else {
        backward_any(dy + to, dx + from, saved + to);
      }
    });
  }

 private:
  bool halves() const { return window_.height == 2 && window_.width == 2 && window_.stride == 2; }

  template <class Visit>
  void for_planes(std::size_t images, const Visit& visit) const {
    for (std::size_t c = 0; c < images * in_.channels; ++c) visit(c * in_.pixels(), c * out_.pixels());
  }

  // The usual 2 x 2 windows without branches; comparisons in the same order as below, so the first of equals wins.
  void forward_halves(const T* POLDER_RESTRICT x, T* POLDER_RESTRICT y, T* POLDER_RESTRICT place) const {
    for (std::size_t h = 0; h < out_.height; ++h, y += out_.width, place += out_.width) {
      const T* POLDER_RESTRICT upper = x + 2 * h * in_.width;
      const T* POLDER_RESTRICT lower = upper + in_.width;
      for (std::size_t w = 0; w < out_.width; ++w) {
        const T a = upper[2 * w], b = upper[2 * w + 1], c = lower[2 * w], d = lower[2 * w + 1];
        const T ab = beats(b, a) ? b : a;
        const T at_ab = beats(b, a) ? T{1} : T{0};
        const T cd = beats(d, c) ? d : c;
        const T at_cd = beats(d, c) ? T{3} : T{2};
        y[w] = beats(cd, ab) ? cd : ab;
        place[w] = beats(cd, ab) ? at_cd : at_ab;
      }
    }
  }
  void backward_halves(const T* POLDER_RESTRICT dy, T* POLDER_RESTRICT dx, const T* POLDER_RESTRICT place) const {
    for (std::size_t h = 0; h < out_.height; ++h, dy += out_.width, place += out_.width) {
      T* POLDER_RESTRICT upper = dx + 2 * h * in_.width;
      T* POLDER_RESTRICT lower = upper + in_.width;
      for (std::size_t w = 0; w < out_.width; ++w) {
        upper[2 * w] = place[w] == T{0} ? dy[w] : T{0};
        upper[2 * w + 1] = place[w] == T{1} ? dy[w] : T{0};
      }
      for (std::size_t w = 0; w < out_.width; ++w) {
        lower[2 * w] = place[w] == T{2} ? dy[w] : T{0};
        lower[2 * w + 1] = place[w] == T{3} ? dy[w] : T{0};
      }
    }
  }

  void forward_any(const T* x, T* y, T* place) const {
    for (std::size_t h = 0; h < out_.height; ++h) {
      for (std::size_t w = 0; w < out_.width; ++w, ++y, ++place) {
        const T* corner = x + h * window_.stride * in_.width + w * window_.stride;
        std::size_t best = 0;
        *y = *corner;
        for (std::size_t i = 1; i < window_.height * window_.width; ++i) {
          const T candidate = corner[i / window_.width * in_.width + i % window_.width];
          if (beats(candidate, *y)) {
            *y = candidate;
            best = i;
          }
        }
        *place = static_cast<T>(best);
      }
    }
  }
  void backward_any(const T* dy, T* dx, const T* place) const {
    for (std::size_t h = 0; h < out_.height; ++h) {
      for (std::size_t w = 0; w < out_.width; ++w, ++dy, ++place) {
        const auto i = static_cast<std::size_t>(*place);
        dx[(h * window_.stride + i / window_.width) * in_.width + w * window_.stride + i % window_.width] += *dy;
      }
    }
  }

  /// Not-a-number beats all: it must reach the loss, where the run stops.
  static bool beats(T candidate, T best) { return candidate > best || candidate != candidate; }

  window window_;
  shape in_, out_;
};

template <class T>
class average final : public operation<T> {
 public:
  average(window w, shape in, shape out)
      : window_(w), in_(in), out_(out), weight_(T{1} / static_cast<T>(w.height * w.width)) {}

  void forward(const pass<T>& p, const T* x, T* y, T*) const override {
    for_windows(p.images, [&](std::size_t corner, std::size_t to) {
      T sum{0};
      for (std::size_t i = 0; i < window_.height; ++i) {
        for (std::size_t j = 0; j < window_.width; ++j) sum += x[corner + i * in_.width + j];
      }
      y[to] = sum * weight_;
    });
  }

  void backward(const pass<T>& p, const T*, const T*, const T* dy, T* dx, const T*) const override {
    if (dx == nullptr) return;
    std::fill_n(dx, p.images * in_.size(), T{0});
    for_windows(p.images, [&](std::size_t corner, std::size_t from) {
      const T share = dy[from] * weight_;
      for (std::size_t i = 0; i < window_.height; ++i) {
        for (std::size_t j = 0; j < window_.width; ++j) dx[corner + i * in_.width + j] += share;
      }
    });
  }

 private:
  /// Calls `visit(corner, output)` for each window: where it begins in the input, and the place of its average.
  template <class Visit>
  void for_windows(std::size_t images, const Visit& visit) const {
    std::size_t to = 0;
    for (std::size_t c = 0; c < images * in_.channels; ++c) {
      for (std::size_t h = 0; h < out_.height; ++h) {
        const std::size_t row = c * in_.pixels() + h * window_.stride * in_.width;
        for (std::size_t w = 0; w < out_.width; ++w) visit(row + w * window_.stride, to++);
      }
    }
  }

  window window_;
  shape in_, out_;
  T weight_;
};

}  // namespace detail

/// y[c, h, w] = max over i, j < size of x[c, stride h + i, stride w + j]; the gradient goes to the first of equals.
struct max_pool {
  static constexpr std::string_view name = "max_pool";

  std::size_t size = 2;    ///< height and width of the window
  std::size_t stride = 0;  ///< 0: as size

  [[nodiscard]] shape output(shape in) const { return area().output(in, "max_pool"); }
  template <class T>
  [[nodiscard]] std::unique_ptr<operation<T>> bind(binder&, shape in) const {
    return std::make_unique<detail::maximum<T>>(area(), in, output(in));
  }

 private:
  [[nodiscard]] detail::window area() const { return {size, size, stride == 0 ? size : stride}; }
};

/// y[c, h, w] = mean over i, j < size of x[c, stride h + i, stride w + j]
struct avg_pool {
  static constexpr std::string_view name = "avg_pool";

  std::size_t size = 0;    ///< height and width of the window; 0: the whole image (global average pooling)
  std::size_t stride = 0;  ///< 0: as size

  [[nodiscard]] shape output(shape in) const { return area(in).output(in, "avg_pool"); }
  template <class T>
  [[nodiscard]] std::unique_ptr<operation<T>> bind(binder&, shape in) const {
    return std::make_unique<detail::average<T>>(area(in), in, output(in));
  }

 private:
  [[nodiscard]] detail::window area(shape in) const {
    if (size == 0) return {in.height, in.width, std::max(in.height, in.width)};
    return {size, size, stride == 0 ? size : stride};
  }
};

}  // namespace polder::nn
