// polder — layers one after the other.
#pragma once

#include <algorithm>
#include <cstddef>
#include <initializer_list>
#include <map>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "polder/core/error.hpp"
#include "polder/nn/layer.hpp"
#include "polder/nn/operation.hpp"
#include "polder/nn/shape.hpp"
#include "polder/nn/simd.hpp"

namespace polder::nn {

/// One layer after the other: `sequential{conv2d{.channels = 6}, relu{}, dense{.units = 10}}`. A sequential inside
/// another is spliced into it. Layers of one kind are counted from 1: their tensors are "conv1.weight", "conv2.weight".
class sequential {
 public:
  static constexpr std::string_view name = "sequential";

  sequential() = default;
  sequential(std::initializer_list<layer> layers);

  /// Appends a layer.
  sequential& add(layer l) {
    layers_.push_back(std::move(l));
    return *this;
  }
  /// Appends the layers of another network.
  sequential& add(const sequential& other) {
    const std::vector<layer> copies = other.layers_;
    layers_.insert(layers_.end(), copies.begin(), copies.end());
    return *this;
  }

  [[nodiscard]] const std::vector<layer>& layers() const { return layers_; }

  [[nodiscard]] shape output(shape in) const {
    for (const layer& l : layers_) in = l.output(in);
    return in;
  }
  template <class T>
  [[nodiscard]] std::unique_ptr<operation<T>> bind(binder& b, shape in) const;

 private:
  std::vector<layer> layers_;
};

inline sequential::sequential(std::initializer_list<layer> layers) {
  for (const layer& l : layers) {
    if (const auto* nested = l.as<sequential>()) {
      add(*nested);
    } else {
      add(l);
    }
  }
}

namespace detail {

/// Activations between the layers are kept in `saved`; layers that work in place share them. Gradients between the
/// layers alternate between two buffers in scratch memory.
template <class T>
class chain_of_operations final : public operation<T> {
 public:
  /// `bind(layer, binder, shape)` makes the operation of a layer.
  template <class Bind>
  chain_of_operations(binder& b, const std::vector<layer>& layers, shape in, const Bind& bind) {
    require<config_error>(!layers.empty(), "sequential: a network needs at least one layer");
    std::map<std::string_view, int> counts;
    for (const layer& l : layers) {
      const std::size_t parameters = b.layout().size();
      link next;
      next.work = b.inside(text(l.name(), ++counts[l.name()]), [&] { return bind(l, b, in); });
      next.shares = !links_.empty() && next.work->in_place() && !links_.back().work->reads_output();
      if (!links_.empty()) widest_ = std::max(widest_, padded(in.size()));
      in = l.output(in);
      next.size = in.size();
      if (b.layout().size() == parameters && first_learner_ == links_.size()) ++first_learner_;
      next.state = saved_;
      saved_ += next.work->saved();
      next.output = next.shares ? links_.back().output : saved_;
      if (!next.shares) saved_ += padded(in.size());
      next.kept = kept_;
      kept_ += next.work->kept();
      links_.push_back(std::move(next));
    }
    for (std::size_t i = links_.size() - 1; i-- > 0;) {
      const bool shares = i + 2 != links_.size() && links_[i + 1].work->in_place();
      links_[i].gradient = shares ? links_[i + 1].gradient : kept_;
      if (!shares) kept_ += padded(links_[i].size);
    }
  }

  std::size_t saved() const override { return saved_; }
  std::size_t scratch(std::size_t images) const override {
    std::size_t most = 0;
    for (const link& l : links_) most = std::max(most, l.work->scratch(images));
    return 2 * images * widest_ + most;
  }
  std::size_t tangent_scratch(std::size_t images) const override {
    std::size_t most = 0;
    for (const link& l : links_) most = std::max(most, l.work->tangent_scratch(images));
    return 2 * images * widest_ + most;
  }
  std::size_t kept() const override { return kept_; }
  bool reads_output() const override { return links_.back().work->reads_output(); }

  void forward(const pass<T>& p, const T* x, T* y, T* saved) const override {
    for (const link& l : links_) {
      T* const to = output_of(l, p.images, y, saved);
      l.work->forward(p, x, to, saved + p.images * l.state);
      x = to;
    }
  }

  void backward(const pass<T>& p, const T* x, const T* y, const T* dy, T* dx, const T* saved) const override {
    const T* gradient = dy;
    for_gradients(p, dy, dx, [&](std::size_t i, const pass<T>& own, T* to) {
      const link& l = links_[i];
      if (p.kept != nullptr && i != 0 && to != nullptr) to = p.kept + p.images * links_[i - 1].gradient;
      l.work->backward(own, i == 0 ? x : output_of(links_[i - 1], p.images, y, saved), output_of(l, p.images, y, saved),
                       gradient, to, saved + p.images * l.state);
      gradient = to;
      return to;
    });
  }

  void tangent_forward(const pass<T>& p, tangent<T> x, const T* y, T* y_slope, const T* saved,
                       T* saved_slope) const override {
    const std::size_t first = x.slope == nullptr ? first_learner_ : 0;  // before it nothing changes
    if (first == links_.size()) std::fill_n(y_slope, p.images * links_.back().size, T{0});
    for (std::size_t i = first; i < links_.size(); ++i) {
      const link& l = links_[i];
      const tangent<T> in = input_of(i, first, p.images, x, {y, y_slope}, {saved, saved_slope});
      l.work->tangent_forward(p, in, output_of(l, p.images, y, saved), output_of(l, p.images, y_slope, saved_slope),
                              saved + p.images * l.state, saved_slope + p.images * l.state);
    }
  }

  void tangent_backward(const pass<T>& p, tangent<T> x, tangent<T> y, tangent<T> dy, T* dx_slope,
                        tangent<T> saved) const override {
    const std::size_t first = x.slope == nullptr ? first_learner_ : 0;
    tangent<T> gradient = dy;
    for_gradients(p, dy.slope, dx_slope, [&](std::size_t i, const pass<T>& own, T* to) {
      const link& l = links_[i];
      const tangent<T> out{output_of(l, p.images, y.value, saved.value), output_of(l, p.images, y.slope, saved.slope)};
      l.work->tangent_backward(own, input_of(i, first, p.images, x, y, saved), out, gradient, to,
                               advanced(saved, p.images * l.state));
      if (i != 0) gradient = {p.kept + p.images * links_[i - 1].gradient, to};
      return to;
    });
  }

 private:
  /// A layer at work. Its memory is counted per image from the beginning of `saved`.
  struct link {
    std::unique_ptr<operation<T>> work;
    std::size_t state = 0;
    std::size_t output = 0;
    bool shares = false;       // writes its output over its input
    std::size_t size = 0;      // of its output
    std::size_t gradient = 0;  // of its output's gradient among what is kept; the last one's is the caller's
    std::size_t kept = 0;      // of what it keeps itself
  };

  template <class Number>
  Number* output_of(const link& l, std::size_t images, Number* y, Number* saved) const {
    return l.output == links_.back().output ? y : saved + images * l.output;
  }

  /// The input of link i; its slope is null where nothing before the link `first` has one.
  tangent<T> input_of(std::size_t i, std::size_t first, std::size_t images, tangent<T> x, tangent<T> y,
                      tangent<T> saved) const {
    if (i == 0) return x;
    const link& l = links_[i - 1];
    return {output_of(l, images, y.value, saved.value),
            i <= first ? nullptr : output_of(l, images, y.slope, saved.slope)};
  }

  /// Goes through the links that need a gradient, from the last one to the first, and calls `visit(i, pass, to)` with the
  /// link's own share of memory and with a place for its input's gradient: null, dx, or one of two buffers in scratch
  /// memory, the same as its output's where the link works in place. It returns the place that was used.
  template <class Visit>
  void for_gradients(const pass<T>& p, const T* dy, T* dx, const Visit& visit) const {
    const std::size_t size = p.images * widest_;
    T* last = p.scratch;
    T* next = p.scratch + size;
    pass<T> own = p.after(2 * size);
    const std::size_t first = dx == nullptr ? first_learner_ : 0;  // nothing before it needs a gradient
    const T* gradient = dy;
    for (std::size_t i = links_.size(); i-- > first;) {
      T* to = nullptr;
      if (i == 0) {
        to = dx;
      } else if (i != first || dx != nullptr) {
        if (!links_[i].work->in_place() || gradient == dy) std::swap(last, next);
        to = last;
      }
      own.kept = advanced(p.kept, p.images * links_[i].kept);
      gradient = visit(i, own, to);
    }
  }

  std::vector<link> links_;
  std::size_t saved_ = 0, widest_ = 0, first_learner_ = 0, kept_ = 0;
};

}  // namespace detail

template <class T>
std::unique_ptr<operation<T>> sequential::bind(binder& b, shape in) const {
  return std::make_unique<detail::chain_of_operations<T>>(
      b, layers_, in, [](const layer& l, binder& to, shape of) { return l.bind<T>(to, of); });
}

}  // namespace polder::nn
