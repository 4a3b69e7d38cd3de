// polder — layers side by side, whose outputs are added.
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <string_view>
#include <utility>

#include "polder/core/error.hpp"
#include "polder/nn/operation.hpp"
#include "polder/nn/sequential.hpp"
#include "polder/nn/shape.hpp"
#include "polder/nn/simd.hpp"

namespace polder::nn {

/// y = body(x) + shortcut(x). An empty shortcut is the identity. What follows the addition (ReLU or nothing) is the
/// next layer's business. Tensors: "block1.conv1.weight", "block1.shortcut.conv1.weight", …
struct residual {
  static constexpr std::string_view name = "block";

  sequential body;
  sequential shortcut{};

  [[nodiscard]] shape output(shape in) const {
    const shape main = body.output(in), side = shortcut.output(in);
    require<config_error>(
        main == side, "residual: the body gives ", to_string(main), " but the shortcut gives ", to_string(side),
        ": give it a shortcut of the same shape, as conv2d{.channels = ", main.channels, ", .kernel = 1, .stride = …}");
    return main;
  }
  template <class T>
  [[nodiscard]] std::unique_ptr<operation<T>> bind(binder& b, shape in) const;
};

namespace detail {

/// to = a + b, element by element; `to` may be one of them.
template <class T>
struct host_addition {
  void operator()(std::size_t n, const T* a, const T* b, T* to) const {
    for_vectors<T>(n, [&](auto at) { at.put(to, at.get(a) + at.get(b)); });
  }
};

/// The branches write to y and to scratch memory, or to memory of their own where their last layer reads its output in
/// backward.
template <class T, class Addition = host_addition<T>>
class sum_of_branches final : public operation<T> {
 public:
  /// `bind(sequential, binder, shape)` makes the operation of a branch.
  template <class Bind>
  sum_of_branches(binder& b, const residual& layer, shape in, shape out, const Bind& bind, Addition addition = {})
      : body_(bind(layer.body, b, in)), in_(in.size()), out_(out.size()), add_(std::move(addition)) {
    if (!layer.shortcut.layers().empty()) {
      shortcut_ = b.inside("shortcut", [&] { return bind(layer.shortcut, b, in); });
    }
    if (body_->reads_output()) main_ = padded(out_);
    if (shortcut_ && shortcut_->reads_output()) side_ = padded(out_);
  }

  std::size_t saved() const override { return main_ + side_ + body_->saved() + (shortcut_ ? shortcut_->saved() : 0); }
  std::size_t scratch(std::size_t images) const override {
    if (!shortcut_) return body_->scratch(images);
    return images * padded(std::max(in_, out_)) + std::max(body_->scratch(images), shortcut_->scratch(images));
  }

  std::size_t tangent_scratch(std::size_t images) const override {
    if (!shortcut_) return body_->tangent_scratch(images);
    return images * padded(std::max(in_, out_)) +
           std::max(body_->tangent_scratch(images), shortcut_->tangent_scratch(images));
  }
  std::size_t kept() const override { return body_->kept() + (shortcut_ ? shortcut_->kept() : 0); }

  void forward(const pass<T>& p, const T* x, T* y, T* saved) const override {
    T* const main = main_ != 0 ? saved : y;
    T* const body_state = saved + p.images * (main_ + side_);
    body_->forward(p, x, main, body_state);
    const T* other = x;
    if (shortcut_) {
      T* const side = side_ != 0 ? saved + p.images * main_ : p.scratch;
      const pass<T> rest = side_ != 0 ? p : p.after(p.images * padded(out_));
      shortcut_->forward(rest, x, side, body_state + p.images * body_->saved());
      other = side;
    }
    add_(p.images * out_, main, other, y);
  }

  void backward(const pass<T>& p, const T* x, const T* y, const T* dy, T* dx, const T* saved) const override {
    const T* const body_state = saved + p.images * (main_ + side_);
    const T* other = dy;
    pass<T> rest = p;
    if (shortcut_) {
      T* const gradient = dx == nullptr ? nullptr : p.scratch;
      rest = p.after(p.images * padded(in_));
      shortcut_->backward(beside_body(rest), x, side_ != 0 ? saved + p.images * main_ : y, dy, gradient,
                          body_state + p.images * body_->saved());
      other = gradient;
    }
    body_->backward(rest, x, main_ != 0 ? saved : y, dy, dx, body_state);
    if (dx != nullptr) add_(p.images * in_, dx, other, dx);
  }

  void tangent_forward(const pass<T>& p, tangent<T> x, const T* y, T* y_slope, const T* saved,
                       T* saved_slope) const override {
    const std::size_t body_at = p.images * (main_ + side_);
    const std::size_t shortcut_at = body_at + p.images * body_->saved();
    T* const main = main_ != 0 ? saved_slope : y_slope;
    body_->tangent_forward(p, x, main_ != 0 ? saved : y, main, saved + body_at, saved_slope + body_at);
    const T* other = x.slope;
    if (shortcut_) {
      T* const side = side_ != 0 ? saved_slope + p.images * main_ : p.scratch;
      const pass<T> rest = side_ != 0 ? p : p.after(p.images * padded(out_));
      shortcut_->tangent_forward(rest, x, side_ != 0 ? saved + p.images * main_ : y, side, saved + shortcut_at,
                                 saved_slope + shortcut_at);
      other = side;
    }
    if (other == nullptr) {
      if (main != y_slope) std::copy_n(main, p.images * out_, y_slope);
      return;
    }
    add_(p.images * out_, main, other, y_slope);
  }

  void tangent_backward(const pass<T>& p, tangent<T> x, tangent<T> y, tangent<T> dy, T* dx_slope,
                        tangent<T> saved) const override {
    const tangent<T> body_state = advanced(saved, p.images * (main_ + side_));
    const T* other = dy.slope;
    pass<T> rest = p;
    if (shortcut_) {
      T* const gradient = dx_slope == nullptr ? nullptr : p.scratch;
      rest = p.after(p.images * padded(in_));
      shortcut_->tangent_backward(beside_body(rest), x, side_ != 0 ? advanced(saved, p.images * main_) : y, dy,
                                  gradient, advanced(body_state, p.images * body_->saved()));
      other = gradient;
    }
    body_->tangent_backward(rest, x, main_ != 0 ? saved : y, dy, dx_slope, body_state);
    if (dx_slope == nullptr) return;
    add_(p.images * in_, dx_slope, other, dx_slope);
  }

 private:
  /// The pass with the shortcut's share of what is kept.
  pass<T> beside_body(pass<T> p) const {
    p.kept = advanced(p.kept, p.images * body_->kept());
    return p;
  }

  std::unique_ptr<operation<T>> body_, shortcut_;
  std::size_t in_, out_;
  Addition add_;
  std::size_t main_ = 0, side_ = 0;  // numbers per image of the branches' own outputs
};

}  // namespace detail

template <class T>
std::unique_ptr<operation<T>> residual::bind(binder& b, shape in) const {
  return std::make_unique<detail::sum_of_branches<T>>(
      b, *this, in, output(in), [](const sequential& s, binder& to, shape of) { return s.bind<T>(to, of); });
}

}  // namespace polder::nn
