#include "polder/data/dataset.hpp"

#include <cmath>
#include <limits>

#include "data/support.hpp"
#include "polder/data/batch.hpp"

using namespace polder;
using test::fails_with;

namespace {

/// Two images of two channels and two pixels.
data::dataset two_channels() {
  data::dataset set;
  set.name = "two";
  set.shape = {2, 1, 2};
  set.classes = 3;
  set.labels = {2, 0};
  set.pixels = std::vector<std::uint8_t>{0, 10, 100, 100, 20, 30, 100, 200};
  set.scale = 0.1;
  return set;
}

}  // namespace

TEST_CASE("mean and deviation of each channel are those of the definition") {
  const auto statistics = data::channel_statistics(two_channels());
  // Channel 0 holds 0, 1, 2, 3; channel 1 holds 10, 10, 10, 20.
  CHECK(statistics.mean[0] == Approx(1.5));
  CHECK(statistics.deviation[0] == Approx(std::sqrt(1.25)));
  CHECK(statistics.mean[1] == Approx(12.5));
  CHECK(statistics.deviation[1] == Approx(std::sqrt(18.75)));
}

TEST_CASE("a constant channel is normalized to zero, not to 0/0") {
  data::dataset set = two_channels();
  set.pixels = std::vector<std::uint8_t>(8, 77);
  set.normalization = data::channel_statistics(set);
  CHECK(set.normalization.deviation == std::vector<double>{1, 1});
  data::batch_buffer<float> buffer(set);
  for (const float x : buffer.gather_range(0, 2).images) CHECK(x == within(0, 1e-6));
}

TEST_CASE("a gathered batch holds the chosen images, normalized, and their labels") {
  data::dataset set = two_channels();
  set.normalization = {{1, 2}, {0.5, 4}};
  for (const bool as_bytes : {true, false}) {
    if (!as_bytes) set.pixels = std::vector<float>{0, 10, 100, 100, 20, 30, 100, 200};
    data::batch_buffer<double> buffer(set, 3);
    const std::vector<std::size_t> chosen{1, 0, 1};
    const auto batch = buffer.gather(chosen);
    CHECK(std::vector<std::int32_t>(batch.labels.begin(), batch.labels.end()) == std::vector<std::int32_t>{0, 2, 0});
    const std::vector<double> expected{2, 4, 2, 4.5, -2, 0, 2, 2, 2, 4, 2, 4.5};
    REQUIRE(batch.images.size() == expected.size());
    for (std::size_t i = 0; i < expected.size(); ++i) CHECK(batch.images[i] == within(expected[i], 1e-12));
    CHECK(batch.shape == set.shape);
    CHECK(buffer.gather_range(1, 1).labels[0] == 0);
  }
}

TEST_CASE("an image that is not there is named") {
  const data::dataset set = two_channels();
  data::batch_buffer<float> buffer(set);
  CHECK(fails_with<config_error>([&] { (void)buffer.gather_range(1, 2); }, "no image 2 in 'two' of 2"));
}

TEST_CASE("a data set that does not fit together is refused") {
  const auto refused = [](auto change, std::string_view why) {
    data::dataset set = two_channels();
    change(set);
    return fails_with([&] { data::check(set); }, "data set 'two'", why);
  };
  CHECK_NOTHROW(data::check(two_channels()));
  CHECK(refused([](auto& s) { s.labels[0] = 3; }, "label 0 is 3"));
  CHECK(refused([](auto& s) { s.labels[1] = -1; }, "label 1 is -1"));
  CHECK(refused([](auto& s) { s.labels.push_back(1); }, "8 pixels are not 3 images"));
  CHECK(refused([](auto& s) { s.labels.clear(), s.pixels = std::vector<float>(); }, "no images"));
  CHECK(refused([](auto& s) { s.shape.width = 0; }, "empty"));
  CHECK(refused([](auto& s) { s.pixels = std::vector<float>(8, std::nanf("")); }, "image 0 has a pixel"));
  CHECK(refused([](auto& s) { s.normalization = {{1}, {1}}; }, "1 means and 1 deviations for 2 channels"));
  CHECK(refused([](auto& s) { s.normalization = {{1, 1}, {1, 0}}; }, "deviation of 0"));
}

TEST_CASE("both splits are normalized by the training split and know all classes") {
  data::dataset test = two_channels();
  test.classes = 5;
  test.pixels = std::vector<std::uint8_t>(8, 255);
  const auto both = data::checked_and_normalized(two_channels(), test);
  CHECK(both.test.normalization.mean[1] == Approx(12.5));
  CHECK(both.train.classes == 5);
  test.shape = {1, 2, 2};
  CHECK(fails_with([&] { (void)data::checked_and_normalized(two_channels(), test); }, "1 x 2 x 2"));
}
