// The engine of devices on the host's backends, and what it refuses.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "device_engine.hpp"
#include "polder/backend/eigen.hpp"
#include "polder/backend/reference.hpp"
#include "polder/nn/device_model.hpp"

namespace nn = polder::nn;
using device_engine::compare;

// A layer of a user's own, with a form for each engine.
namespace of_a_user {

template <class T>
struct halve_each {
  const T* from;
  T* to;
  POLDER_HD void operator()(std::size_t i) const { to[i] = from[i] / T{2}; }
};

template <class T, class B>
class halving final : public nn::operation<T> {
 public:
  halving(B backend, nn::shape in) : backend_(backend), size_(in.size()) {}
  void forward(const nn::pass<T>& p, const T* x, T* y, T*) const override {
    backend_.each(p.images * size_, halve_each<T>{x, y});
  }
  void backward(const nn::pass<T>& p, const T*, const T*, const T* dy, T* dx, const T*) const override {
    if (dx != nullptr) backend_.each(p.images * size_, halve_each<T>{dy, dx});
  }

 private:
  B backend_;
  std::size_t size_;
};

struct halved {
  static constexpr std::string_view name = "halved";
  [[nodiscard]] nn::shape output(nn::shape in) const { return in; }
  template <class T>
  [[nodiscard]] std::unique_ptr<nn::operation<T>> bind(nn::binder&, nn::shape in) const {
    return std::make_unique<halving<T, polder::reference_backend>>(polder::reference_backend{}, in);
  }
};

template <class T, class B>
std::unique_ptr<nn::operation<T>> bind_on(const B& backend, const halved&, nn::binder&, nn::shape in) {
  return std::make_unique<halving<T, B>>(backend, in);
}

}  // namespace of_a_user

TEST_CASE("every layer gives on the reference backend what the host's engine gives") {
  device_engine::compare_layers<double>(polder::reference_backend{});
  device_engine::compare_layers<float>(polder::reference_backend{});
}

TEST_CASE("the ready networks give on the eigen backend what the host's engine gives") {
  device_engine::compare_models<double>(polder::eigen_backend{});
}

TEST_CASE("a layer of a user's own runs in a backend's memory by its bind_on") {
  const nn::sequential network{nn::dense{.units = 4}, of_a_user::halved{}, nn::dense{.units = 3}};
  const nn::model<double, polder::eigen_backend> host(network, {1, 2, 3}, 3);
  const nn::device_model<double, polder::eigen_backend, of_a_user::halved> device(network, {1, 2, 3}, 3);
  std::vector<double> x(host.size()), g(host.size()), expected(host.size()), hv(host.size());
  host.initialize(x, 3);
  const std::vector<double> images{0.5, -1, 2, 1, 0.25, -0.5};
  const std::vector<std::int32_t> labels{1};
  const double loss = host.loss_and_gradient<std::int32_t>(x, images, labels, expected);
  CHECK(std::abs(device.loss_and_gradient(std::span<const double>(x), std::span<const double>(images),
                                          std::span<const std::int32_t>(labels), std::span<double>(g)) -
                 loss) < 1e-12);
  CHECK(device_engine::distance(g, expected) < 1e-12);
  CHECK_THROWS_WITH(host.hessian_product<std::int32_t>(x, images, labels, g, hv),
                    Catch::Contains("tangent_forward") && Catch::Contains("central differences"));
  using plain = nn::device_model<double, polder::eigen_backend>;
  CHECK_THROWS_WITH(plain(network, {1, 2, 3}, 3), Catch::Contains("'halved'") && Catch::Contains("bind_on"));
}

TEST_CASE("a device_model refuses what does not fit and says what would") {
  using model = nn::device_model<float, polder::eigen_backend>;
  const nn::sequential network = nn::mlp({4}, 3);
  CHECK_THROWS_WITH(model(network, {1, 2, 2}, 4), Catch::Contains("dense{.units = 4}"));
  CHECK_THROWS_WITH(model(network, {1, 2, 2}, 3, {}, {.most_images = 0}), Catch::Contains("most_images 0"));
  CHECK_THROWS_WITH(model(network, {1, 2, 2}, 3, {}, {.label_smoothing = 1.0}), Catch::Contains("label_smoothing 1"));
  const model small(network, {1, 2, 2}, 3, {}, {.most_images = 2});
  std::vector<float> x(small.size()), g(small.size()), images(12);
  std::vector<std::int32_t> labels(3);
  const auto loss = [&](std::size_t count, std::size_t known, std::size_t numbers) {
    return small.loss_and_gradient(std::span<const float>(x).first(numbers),
                                   std::span<const float>(images).first(count * 4),
                                   std::span<const std::int32_t>(labels).first(known), std::span<float>(g));
  };
  CHECK_THROWS_WITH(loss(3, 3, x.size()), Catch::Contains("a batch of 3 images, but most_images is 2"));
  CHECK_THROWS_WITH(loss(2, 1, x.size()), Catch::Contains("1 labels for 2 images"));
  CHECK_THROWS_WITH(loss(2, 2, x.size() - 1), Catch::Contains("parameters"));
  CHECK_THROWS_WITH(loss(0, 0, x.size()), Catch::Contains("not a batch"));
  CHECK(std::isfinite(loss(2, 2, x.size())));
  labels[1] = 3;
  CHECK(std::isnan(loss(2, 2, x.size())));
  labels[1] = -1;
  CHECK(std::isnan(loss(2, 2, x.size())));
}
