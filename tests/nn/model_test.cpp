// Whole models: counts, names, gradients, determinism, errors.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "bound_layer.hpp"
#include "polder/backend/eigen.hpp"
#include "polder/backend/reference.hpp"
#include "polder/nn/model.hpp"
#include "polder/nn/models.hpp"
#include "polder/objective/objective.hpp"
#include "support/catch.hpp"

namespace nn = polder::nn;
using Catch::Matchers::Contains;
using polder::eigen_backend;
using polder::reference_backend;
using test::random_vector;

namespace {

using labels = std::vector<std::uint8_t>;

labels random_labels(std::size_t n, std::size_t classes) {
  labels chosen(n);
  polder::random_stream random({.seed = 17});
  for (auto& label : chosen) label = static_cast<std::uint8_t>(random.below(classes));
  return chosen;
}

template <class T>
std::span<const T> view(const std::vector<T>& v) {
  return v;
}

std::size_t parameters_of(const std::string& name, nn::shape in, std::size_t classes = 10) {
  return nn::model<float, reference_backend>(nn::model_from_name(name, in, classes), in, classes).size();
}

/// Everything that one evaluation gives.
template <class T>
struct result {
  double loss = 0;
  std::vector<T> gradient;
};

template <class T, class Backend>
result<T> evaluate(const std::string& name, nn::shape in, std::size_t images, nn::model_options options = {}) {
  const nn::model<T, Backend> model(nn::model_from_name(name, in, 10), in, 10, {}, options);
  std::vector<T> x(model.size());
  model.initialize(x, 1);
  result<T> r{.gradient = std::vector<T>(model.size())};
  const auto batch = random_vector<T>(images * in.size(), 2);
  const auto answers = random_labels(images, 10);
  r.loss = model.on(view(batch), view(answers)).loss_and_gradient(x, r.gradient);
  return r;
}

/// The slope of the loss along coordinates and along random directions against the gradient.
void check_model(const std::string& name, nn::shape in, std::size_t images, nn::model_options options = {}) {
  const nn::model<double, reference_backend> model(nn::model_from_name(name, in, 10), in, 10, {}, options);
  std::vector<double> x(model.size()), g(model.size());
  model.initialize(x, 3);
  const auto noise = random_vector<double>(x.size(), 4, 0.05);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] += noise[i];
  const auto batch = random_vector<double>(images * in.size(), 5);
  const auto answers = random_labels(images, 10);
  const auto f = model.on(view(batch), view(answers));
  const double loss = f.loss_and_gradient(x, g);
  REQUIRE(f.loss(x) == Approx(loss).epsilon(1e-13));

  const auto slope = [&](const std::vector<double>& direction, double step) {
    auto above = x, below = x;
    for (std::size_t i = 0; i < x.size(); ++i) {
      above[i] += step * direction[i];
      below[i] -= step * direction[i];
    }
    return (f.loss(above) - f.loss(below)) / (2 * step);
  };
  const auto check = [&](const std::vector<double>& direction, double step) {
    double expected = 0;
    for (std::size_t i = 0; i < x.size(); ++i) expected += direction[i] * g[i];
    REQUIRE(slope(direction, step) == Approx(expected).epsilon(1e-5).margin(1e-8));
  };
  check(random_vector<double>(x.size(), 6), 1e-8);
  for (const polder::tensor_info& tensor : model.layout().tensors()) {
    INFO(name << ": " << tensor.name);
    std::vector<double> direction(x.size());
    std::copy_n(random_vector<double>(tensor.size(), 7).begin(), tensor.size(),
                direction.begin() + static_cast<std::ptrdiff_t>(tensor.offset));
    check(direction, 1e-7);
  }
}

}  // namespace

TEST_CASE("models have the published numbers of parameters") {
  REQUIRE(parameters_of("lenet5", {1, 28, 28}) == 61'706);
  REQUIRE(parameters_of("lenet5", {1, 32, 32}) == 61'706);
  REQUIRE(parameters_of("mlp", {1, 28, 28}) == 784 * 256 + 256 + 256 * 128 + 128 + 128 * 10 + 10);
  REQUIRE(parameters_of("mlp:20", {1, 8, 8}, 3) == 64 * 20 + 20 + 20 * 3 + 3);
  REQUIRE(parameters_of("resnet20", {3, 32, 32}) == 272'474);
  REQUIRE(parameters_of("resnet20", {3, 32, 32}, 100) == 278'324);
  REQUIRE(parameters_of("resnet20:evonorm", {3, 32, 32}) == 272'474 + 784);
  REQUIRE(parameters_of("vgg11", {3, 32, 32}) == 579'786);
  REQUIRE(parameters_of("vgg11:group_norm", {3, 32, 32}, 100) == 591'396);
  // The trained v: one for each of 16 + 32 + 64 + 64 + 4 * 128 channels.
  REQUIRE(parameters_of("vgg11:evonorm", {3, 32, 32}) == 579'786 + 688);
  REQUIRE(parameters_of("vgg11:wide", {3, 32, 32}) == 9'750'922);
}

TEST_CASE("lenet5 accepts digits of 8 x 8 and all images from 4 x 4 on") {
  for (std::size_t size = 4; size <= 40; ++size) REQUIRE(parameters_of("lenet5", {1, size, size}) > 10'000);
  REQUIRE(parameters_of("lenet5", {1, 8, 8}) == 156 + 2416 + (64 * 120 + 120) + (120 * 84 + 84) + 850);
  REQUIRE_THROWS_AS(parameters_of("lenet5", {1, 3, 9}), polder::config_error);
}

TEST_CASE("vgg11 leaves out poolings of 1 pixel, so that small images go through with as many parameters") {
  for (const std::size_t size : {1u, 2u, 8u, 28u, 31u, 32u, 63u}) {
    INFO(size);
    REQUIRE(parameters_of("vgg11", {3, size, size}) == 579'786);
  }
  REQUIRE(parameters_of("vgg11", {3, 8, 40}) == 579'786 + 128 * 10 * 4);  // three poolings: 1 x 5 are left
  REQUIRE(parameters_of("vgg11", {3, 64, 64}) == 579'786 + 128 * 10 * 3);
}

TEST_CASE("the layout names every tensor and has no gaps") {
  const nn::model<float, reference_backend> lenet(nn::lenet5(), {1, 28, 28}, 10);
  const auto& tensors = lenet.layout().tensors();
  const std::vector<std::string> names{"conv1.weight",  "conv1.bias",  "conv2.weight",  "conv2.bias",
                                       "dense1.weight", "dense1.bias", "dense2.weight", "dense2.bias",
                                       "dense3.weight", "dense3.bias"};
  REQUIRE(tensors.size() == names.size());
  std::size_t offset = 0;
  for (std::size_t i = 0; i < names.size(); ++i) {
    REQUIRE(tensors[i].name == names[i]);
    REQUIRE(tensors[i].offset == offset);
    offset += tensors[i].size();
  }
  REQUIRE(offset == lenet.size());
  REQUIRE(tensors[2].shape == std::vector<std::size_t>{16, 6, 5, 5});
  REQUIRE(tensors[4].shape == std::vector<std::size_t>{120, 400});

  const nn::model<float, reference_backend> resnet(nn::resnet20(nn::norm::evonorm), {3, 16, 16}, 10);
  std::vector<std::string> found;
  for (const auto& tensor : resnet.layout().tensors()) found.push_back(tensor.name);
  for (const char* name : {"conv1.weight", "norm1.v", "block4.conv2.weight", "block4.shortcut.conv1.weight",
                           "block4.shortcut.norm1.gamma", "dense1.bias"}) {
    INFO(name);
    REQUIRE(std::count(found.begin(), found.end(), name) == 1);
  }
}

TEST_CASE("whole models have the gradient of their loss") {
  check_model("mlp:20,15", {1, 6, 6}, 7);
  check_model("lenet5", {1, 8, 8}, 3);
  check_model("lenet5", {1, 8, 8}, 3, {.label_smoothing = 0.1});
  check_model("resnet20", {3, 8, 8}, 2);
  check_model("resnet20:evonorm", {3, 8, 8}, 2);
  check_model("vgg11", {3, 8, 8}, 2);
  check_model("vgg11:evonorm", {3, 8, 8}, 2);
}

TEST_CASE("a batch of several chunks has the mean of their losses and gradients") {
  const nn::shape in{1, 8, 8};
  const std::size_t images = 150;
  const nn::model<double, reference_backend> model(nn::lenet5(in), in, 10);
  std::vector<double> x(model.size()), whole(model.size()), one(model.size()), mean(model.size());
  model.initialize(x, 1);
  const auto batch = random_vector<double>(images * in.size(), 2);
  const auto answers = random_labels(images, 10);
  const double loss = model.loss_and_gradient<std::uint8_t>(x, batch, answers, whole);
  double sum = 0;
  for (std::size_t i = 0; i < images; ++i) {
    sum += model.loss_and_gradient<std::uint8_t>(x, view(batch).subspan(i * in.size(), in.size()),
                                                 view(answers).subspan(i, 1), one);
    for (std::size_t j = 0; j < x.size(); ++j) mean[j] += one[j] / static_cast<double>(images);
  }
  REQUIRE(loss == Approx(sum / static_cast<double>(images)).epsilon(1e-12));
  for (std::size_t j = 0; j < x.size(); ++j) REQUIRE(whole[j] == Approx(mean[j]).epsilon(1e-9).margin(1e-13));
}

TEST_CASE("the same seed gives the same bits, another seed other parameters") {
  for (const char* name : {"mlp", "lenet5", "resnet20", "resnet20:evonorm", "vgg11", "vgg11:evonorm"}) {
    INFO(name);
    const nn::shape in{1, 12, 12};
    const auto first = evaluate<float, eigen_backend>(name, in, 9);
    const auto second = evaluate<float, eigen_backend>(name, in, 9);
    REQUIRE(first.loss == second.loss);
    REQUIRE(first.gradient == second.gradient);
  }
  const nn::model<float, reference_backend> model(nn::lenet5(), {1, 28, 28}, 10);
  std::vector<float> a(model.size()), b(model.size());
  model.initialize(a, 1);
  model.initialize(b, 1);
  REQUIRE(a == b);
  model.initialize(b, 2);
  REQUIRE(a != b);
}

TEST_CASE("the result depends neither on what a workspace holds nor on threads beside") {
  for (const char* name : {"mlp:30", "lenet5", "resnet20", "resnet20:evonorm"}) {
    INFO(name);
    const nn::shape in{1, 12, 12};
    const nn::model<float, eigen_backend> model(nn::model_from_name(name, in, 10), in, 10, {}, {.concurrency = 2});
    std::vector<float> x(model.size());
    model.initialize(x, 1);
    const auto batch = random_vector<float>(7 * in.size(), 2);
    const auto answers = random_labels(7, 10);
    const auto f = model.on(view(batch), view(answers));
    std::vector<float> expected(model.size());
    const double loss = f.loss_and_gradient(x, expected);

    nn::workspace<float> dirty(model.workspace_size());
    std::fill_n(dirty.data(), dirty.size(), std::numeric_limits<float>::quiet_NaN());
    std::vector<float> g(model.size());
    REQUIRE(model.loss_and_gradient(std::span<const float>(x), view(batch), view(answers), std::span<float>(g),
                                    dirty) == loss);
    REQUIRE(g == expected);

    std::vector<std::thread> threads;
    std::vector<int> same(5);
    for (std::size_t t = 0; t < same.size(); ++t) {
      threads.emplace_back([&, t] {
        std::vector<float> mine(model.size());
        bool equal = true;
        for (int i = 0; i < 3; ++i) equal = equal && f.loss_and_gradient(x, mine) == loss && mine == expected;
        same[t] = equal ? 1 : 0;
      });
    }
    for (std::thread& thread : threads) thread.join();
    REQUIRE(same == std::vector<int>(5, 1));
  }
}

TEST_CASE("the Eigen backend agrees with the reference backend") {
  const auto largest_gap = [](const auto& a, const auto& b) {
    double gap = 0, norm = 0;
    for (std::size_t i = 0; i < a.gradient.size(); ++i) {
      gap = std::max(gap, std::abs(static_cast<double>(a.gradient[i]) - static_cast<double>(b.gradient[i])));
      norm = std::max(norm, std::abs(static_cast<double>(a.gradient[i])));
    }
    return std::max(gap / norm, std::abs(a.loss - b.loss) / std::abs(a.loss));
  };
  for (const char* name : {"mlp", "lenet5", "resnet20", "resnet20:evonorm", "vgg11", "vgg11:evonorm"}) {
    INFO(name);
    const nn::shape in{3, 12, 12};
    const auto exact = evaluate<double, reference_backend>(name, in, 5);
    REQUIRE(largest_gap(exact, evaluate<double, eigen_backend>(name, in, 5)) < 1e-10);
    REQUIRE(largest_gap(evaluate<float, reference_backend>(name, in, 5), evaluate<float, eigen_backend>(name, in, 5)) <
            1e-4);
    REQUIRE(largest_gap(exact, evaluate<float, eigen_backend>(name, in, 5)) < 1e-3);
  }
}

TEST_CASE("large batches of dense layers, which the backend multiplies, agree with small ones") {
  const nn::shape in{1, 9, 9};
  const nn::model<double, eigen_backend> model(nn::mlp({37, 20}), in, 10);
  const nn::model<double, reference_backend> reference(nn::mlp({37, 20}), in, 10);
  std::vector<double> x(model.size()), g(model.size()), expected(model.size()), part(model.size()), sum(model.size());
  model.initialize(x, 1);
  const auto batch = random_vector<double>(600 * in.size(), 2);
  const auto answers = random_labels(600, 10);
  const double loss = model.on(view(batch), view(answers)).loss_and_gradient(x, g);
  REQUIRE(loss == Approx(reference.on(view(batch), view(answers)).loss_and_gradient(x, expected)).epsilon(1e-12));
  double mean = 0;
  for (std::size_t first = 0; first < 600; first += 50) {
    mean += model.on(view(batch).subspan(first * in.size(), 50 * in.size()), view(answers).subspan(first, 50))
                .loss_and_gradient(x, part) /
            12;
    for (std::size_t i = 0; i < x.size(); ++i) sum[i] += part[i] / 12;
  }
  REQUIRE(loss == Approx(mean).epsilon(1e-12));
  for (std::size_t i = 0; i < x.size(); ++i) {
    REQUIRE(g[i] == Approx(expected[i]).epsilon(1e-10).margin(1e-14));
    REQUIRE(g[i] == Approx(sum[i]).epsilon(1e-10).margin(1e-14));
  }
}

TEST_CASE("first weights have the spread that their layer asks for") {
  const nn::model<double, reference_backend> model(nn::resnet20(), {3, 32, 32}, 10);
  std::vector<double> x(model.size());
  model.initialize(x, 11);
  const auto spread = [&](const std::string& name) {
    for (const auto& tensor : model.layout().tensors()) {
      if (tensor.name != name) continue;
      double squares = 0;
      for (std::size_t i = 0; i < tensor.size(); ++i) squares += x[tensor.offset + i] * x[tensor.offset + i];
      return squares / static_cast<double>(tensor.size());
    }
    return -1.0;
  };
  REQUIRE(spread("block9.conv2.weight") == Approx(2.0 / (9 * 64)).epsilon(0.03));
  REQUIRE(spread("block4.conv1.weight") == Approx(2.0 / (9 * 32)).epsilon(0.06));
  REQUIRE(spread("dense1.weight") == Approx(1.0 / 64).epsilon(0.2));
  REQUIRE(spread("block9.norm2.gamma") == 1.0);
  REQUIRE(spread("block9.norm2.beta") == 0.0);
}

TEST_CASE("a model on a batch is an objective, and descending its gradient learns the batch") {
  const nn::shape in{1, 8, 8};
  const nn::model<float, eigen_backend> model(nn::lenet5(in), in, 10);
  std::vector<float> x(model.size()), g(model.size());
  model.initialize(x, 1);
  const auto batch = random_vector<float>(20 * in.size(), 2);
  const auto answers = random_labels(20, 10);
  const auto f = model.on(view(batch), view(answers));
  STATIC_REQUIRE(polder::objective<decltype(f), polder::host_space, float>);
  REQUIRE(f.layout().size() == x.size());
  for (int step = 0; step < 200; ++step) {
    f.loss_and_gradient(x, g);
    for (std::size_t i = 0; i < x.size(); ++i) x[i] -= 0.05f * g[i];
  }
  const nn::evaluation e = model.evaluate(view(x), view(batch), view(answers));
  REQUIRE(e.correct == 20);
  REQUIRE(e.loss() < 0.1);
  labels predicted(20);
  model.predict(view(x), view(batch), std::span<std::uint8_t>(predicted));
  REQUIRE(predicted == answers);
}

TEST_CASE("evaluations of unequal batches add up to that of all images") {
  const nn::shape in{1, 6, 6};
  const nn::model<double, reference_backend> model(nn::mlp({8}), in, 10, {}, {.label_smoothing = 0.2});
  std::vector<double> x(model.size());
  model.initialize(x, 1);
  const auto batch = random_vector<double>(10 * in.size(), 2);
  const auto answers = random_labels(10, 10);
  const auto all = model.evaluate(view(x), view(batch), view(answers));
  auto parts = model.evaluate(view(x), view(batch).first(3 * in.size()), view(answers).first(3));
  parts += model.evaluate(view(x), view(batch).subspan(3 * in.size()), view(answers).subspan(3));
  REQUIRE(parts.images == 10);
  REQUIRE(parts.correct == all.correct);
  REQUIRE(parts.loss() == Approx(all.loss()).epsilon(1e-13));

  std::vector<double> scores(100);
  model.logits(view(x), view(batch), std::span<double>(scores));
  double sum = 0;
  for (std::size_t i = 0; i < 10; ++i) {
    sum += nn::softmax_cross_entropy<double>(10, scores.data() + 10 * i, answers[i], 0.0, 1.0, nullptr);
  }
  REQUIRE(all.loss_sum == Approx(sum).epsilon(1e-13));
}

TEST_CASE("models from wrong names, shapes and vectors say what is wrong") {
  const nn::shape in{1, 8, 8};
  for (const char* name : {"lenet", "mlp:", "mlp:0", "mlp:3,", "mlp:3,x", "mlp:-3", "mlp:3;4", "resnet20:batch_norm",
                           "vgg11:batch_norm", "vgg16", ""}) {
    INFO(name);
    REQUIRE_THROWS_AS(nn::model_from_name(name, in, 10), polder::config_error);
  }
  using model = nn::model<float, reference_backend>;
  REQUIRE_THROWS_WITH(model(nn::mlp({8}), in, 12), Contains("gives 10 x 1 x 1") && Contains("12 classes"));
  REQUIRE_THROWS_WITH(model(nn::sequential{}, in, 10), Contains("not one score for each"));
  REQUIRE_THROWS_WITH(model(nn::mlp({8}), in, 10, {}, {.label_smoothing = 1.0}), Contains("label_smoothing 1"));
  REQUIRE_THROWS_WITH(model(nn::mlp({8}), {1, 0, 8}, 10), Contains("1 x 0 x 8"));

  const model m(nn::mlp({8}), in, 10);
  std::vector<float> x(m.size()), g(m.size()), batch(2 * in.size());
  labels answers{1, 10};
  const auto run = [&] { return m.loss_and_gradient(view(x), view(batch), view(answers), std::span<float>(g)); };
  REQUIRE_THROWS_AS(run(), polder::data_error);
  REQUIRE_THROWS_WITH(run(), Contains("label 10 of image 1 is not one of 0 to 9"));
  answers = {1};
  REQUIRE_THROWS_WITH(run(), Contains("1 labels for 2 images"));
  answers = {1, 2};
  batch.pop_back();
  REQUIRE_THROWS_WITH(run(), Contains("127 numbers are not a batch of images of 1 x 8 x 8"));
  batch.clear();
  REQUIRE_THROWS_AS(run(), polder::config_error);
  batch.resize(2 * in.size());
  x.pop_back();
  REQUIRE_THROWS_WITH(run(), Contains("609 numbers") && Contains("610 parameters"));
}
