// polder — a layer as a value: hyperparameters behind one type, so that a network is a list.
#pragma once

#include <concepts>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "polder/nn/operation.hpp"
#include "polder/nn/shape.hpp"

namespace polder::nn {

/// layer_description — obligations of a layer `d` of type D, a copyable aggregate of hyperparameters:
///
///  1. `D::name` is the word under which its tensors appear: the second conv2d's weight is "conv2.weight".
///  2. `d.output(in)` is the shape of its output for input of shape `in`, or throws config_error.
///  3. `d.template bind<T>(binder, in)` adds its tensors to the binder and returns a std::unique_ptr<operation<T>>, for
///     T = float and double.
template <class D>
concept layer_description = std::copyable<D> && requires(const D d, binder b, shape in) {
  { D::name } -> std::convertible_to<std::string_view>;
  { d.output(in) } -> std::same_as<shape>;
  { d.template bind<float>(b, in) } -> std::same_as<std::unique_ptr<operation<float>>>;
  { d.template bind<double>(b, in) } -> std::same_as<std::unique_ptr<operation<double>>>;
};

/// Any layer. Copies share the description, which never changes.
class layer {
 public:
  template <class D>
    requires(!std::same_as<std::remove_cvref_t<D>, layer> && requires { std::remove_cvref_t<D>::name; })
  layer(D&& description) : held_(std::make_shared<holder<std::remove_cvref_t<D>>>(std::forward<D>(description))) {
    static_assert(
        layer_description<std::remove_cvref_t<D>>,
        "a layer needs name, output(shape) and bind<T>(binder&, shape): see layer_description in nn/layer.hpp");
  }

  /// The description if it is a D, else null.
  template <class D>
  [[nodiscard]] const D* as() const {
    const auto* same = dynamic_cast<const holder<D>*>(held_.get());
    return same == nullptr ? nullptr : &same->description;
  }

  [[nodiscard]] std::string_view name() const { return held_->name(); }
  [[nodiscard]] shape output(shape in) const { return held_->output(in); }
  template <class T>
  [[nodiscard]] std::unique_ptr<operation<T>> bind(binder& b, shape in) const {
    std::unique_ptr<operation<T>> bound;
    held_->bind(b, in, bound);
    return bound;
  }

 private:
  struct interface {
    virtual ~interface() = default;
    virtual std::string_view name() const = 0;
    virtual shape output(shape in) const = 0;
    virtual void bind(binder& b, shape in, std::unique_ptr<operation<float>>& to) const = 0;
    virtual void bind(binder& b, shape in, std::unique_ptr<operation<double>>& to) const = 0;
  };
  template <class D>
  struct holder final : interface {
    explicit holder(D d) : description(std::move(d)) {}
    std::string_view name() const override { return D::name; }
    shape output(shape in) const override { return description.output(in); }
    void bind(binder& b, shape in, std::unique_ptr<operation<float>>& to) const override {
      to = description.template bind<float>(b, in);
    }
    void bind(binder& b, shape in, std::unique_ptr<operation<double>>& to) const override {
      to = description.template bind<double>(b, in);
    }
    D description;
  };

  std::shared_ptr<const interface> held_;
};

}  // namespace polder::nn
