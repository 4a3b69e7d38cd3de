// polder — layers made of layers: one after the other, and side by side.
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
  chain_of_operations(binder& b, const std::vector<layer>& layers, shape in) {
    std::map<std::string_view, int> counts;
    for (const layer& l : layers) {
      const std::size_t parameters = b.layout().size();
      link next;
      next.work = b.inside(text(l.name(), ++counts[l.name()]), [&] { return l.bind<T>(b, in); });
      next.shares = !links_.empty() && next.work->in_place() && !links_.back().work->reads_output();
      if (!links_.empty()) widest_ = std::max(widest_, padded(in.size()));
      in = l.output(in);
      if (b.layout().size() == parameters && first_learner_ == links_.size()) ++first_learner_;
      next.state = saved_;
      saved_ += next.work->saved();
      next.output = next.shares ? links_.back().output : saved_;
      if (!next.shares) saved_ += padded(in.size());
      links_.push_back(std::move(next));
    }
  }

  std::size_t saved() const override { return saved_; }
  std::size_t scratch(std::size_t images) const override {
    std::size_t most = 0;
    for (const link& l : links_) most = std::max(most, l.work->scratch(images));
    return 2 * images * widest_ + most;
  }
  bool reads_output() const override { return links_.back().work->reads_output(); }

  void forward(const pass<T>& p, const T* x, T* y, T* saved) const override {
    for (const link& l : links_) {
      T* const to = output_of(l, p.images, y, saved);
      l.work->forward(p, x, to, saved + p.images * l.state);
      x = to;
    }
  }

  void backward(const pass<T>& p, const T* x, const T* y, const T* dy, T* dx, const T* saved) const override {
    const std::size_t size = p.images * widest_;
    T* last = p.scratch;
    T* next = p.scratch + size;
    const std::size_t first = dx == nullptr ? first_learner_ : 0;  // nothing before it needs a gradient
    const T* gradient = dy;
    for (std::size_t i = links_.size(); i-- > first;) {
      const link& l = links_[i];
      const T* const input = i == 0 ? x : output_of(links_[i - 1], p.images, y, saved);
      T* to = nullptr;
      if (i == 0) {
        to = dx;
      } else if (i != first || dx != nullptr) {
        if (!l.work->in_place() || gradient == dy) std::swap(last, next);
        to = last;
      }
      l.work->backward(p.after(2 * size), input, output_of(l, p.images, y, saved), gradient, to,
                       saved + p.images * l.state);
      gradient = to;
    }
  }

 private:
  /// A layer at work. Its memory is counted per image from the beginning of `saved`.
  struct link {
    std::unique_ptr<operation<T>> work;
    std::size_t state = 0;
    std::size_t output = 0;
    bool shares = false;  // writes its output over its input
  };

  template <class Number>
  Number* output_of(const link& l, std::size_t images, Number* y, Number* saved) const {
    return l.output == links_.back().output ? y : saved + images * l.output;
  }

  std::vector<link> links_;
  std::size_t saved_ = 0, widest_ = 0, first_learner_ = 0;
};

/// The branches write to y and to scratch memory, or to memory of their own where their last layer reads its output in
/// backward.
template <class T>
class sum_of_branches final : public operation<T> {
 public:
  sum_of_branches(binder& b, const residual& layer, shape in, shape out)
      : body_(layer.body.bind<T>(b, in)), in_(in.size()), out_(out.size()) {
    if (!layer.shortcut.layers().empty()) {
      shortcut_ = b.inside("shortcut", [&] { return layer.shortcut.bind<T>(b, in); });
    }
    if (body_->reads_output()) main_ = padded(out_);
    if (shortcut_ && shortcut_->reads_output()) side_ = padded(out_);
  }

  std::size_t saved() const override { return main_ + side_ + body_->saved() + (shortcut_ ? shortcut_->saved() : 0); }
  std::size_t scratch(std::size_t images) const override {
    if (!shortcut_) return body_->scratch(images);
    return images * padded(std::max(in_, out_)) + std::max(body_->scratch(images), shortcut_->scratch(images));
  }

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
    for_vectors<T>(p.images * out_, [&](auto at) { at.put(y, at.get(main) + at.get(other)); });
  }

  void backward(const pass<T>& p, const T* x, const T* y, const T* dy, T* dx, const T* saved) const override {
    const T* const body_state = saved + p.images * (main_ + side_);
    const T* other = dy;
    pass<T> rest = p;
    if (shortcut_) {
      T* const gradient = dx == nullptr ? nullptr : p.scratch;
      rest = p.after(p.images * padded(in_));
      shortcut_->backward(rest, x, side_ != 0 ? saved + p.images * main_ : y, dy, gradient,
                          body_state + p.images * body_->saved());
      other = gradient;
    }
    body_->backward(rest, x, main_ != 0 ? saved : y, dy, dx, body_state);
    if (dx != nullptr) for_vectors<T>(p.images * in_, [&](auto at) { at.put(dx, at.get(dx) + at.get(other)); });
  }

 private:
  std::unique_ptr<operation<T>> body_, shortcut_;
  std::size_t in_, out_;
  std::size_t main_ = 0, side_ = 0;  // numbers per image of the branches' own outputs
};

}  // namespace detail

template <class T>
std::unique_ptr<operation<T>> sequential::bind(binder& b, shape in) const {
  require<config_error>(!layers_.empty(), "sequential: a network needs at least one layer");
  return std::make_unique<detail::chain_of_operations<T>>(b, layers_, in);
}

template <class T>
std::unique_ptr<operation<T>> residual::bind(binder& b, shape in) const {
  return std::make_unique<detail::sum_of_branches<T>>(b, *this, in, output(in));
}

}  // namespace polder::nn
