#include <cstring>
#include <numeric>
#include <vector>

#include "data/support.hpp"
#include "polder/data/batch.hpp"
#include "polder/data/load.hpp"

using namespace polder;
using test::fails_with;

namespace {

io::bytes idx(std::vector<std::uint32_t> words, std::size_t data_bytes) {
  io::bytes content;
  for (const std::uint32_t word : words) {
    for (const unsigned shift : {24u, 16u, 8u, 0u}) content.push_back(static_cast<std::uint8_t>(word >> shift));
  }
  for (std::size_t i = 0; i < data_bytes; ++i) content.push_back(static_cast<std::uint8_t>(i % 10));
  return content;
}

bool images_refused(const io::bytes& content, std::string_view why) {
  return fails_with([&] { (void)data::parse_idx_images(content, "input"); }, "'input' is not a valid IDX file", why);
}

bool digits_refused(std::string_view text, std::string_view why) {
  return fails_with([&] { (void)data::parse_digits(io::as_bytes(text), "input"); }, "'input'", why);
}

std::string digit_line(std::string_view pixel, std::string_view label) {
  std::string line;
  for (int i = 0; i < 64; ++i) line += text(pixel, ',');
  return line + std::string(label);
}

void write_images(const std::string& path, std::size_t count) {
  std::vector<std::uint8_t> pixels(count * 4);
  std::iota(pixels.begin(), pixels.end(), std::uint8_t{0});
  const std::vector<std::size_t> shape{count, 2, 2};
  io::write_npy(path, std::span<const std::uint8_t>(pixels), shape);
}
void write_labels(const std::string& path, std::vector<std::int64_t> labels) {
  const std::vector<std::size_t> shape{labels.size()};
  io::write_npy(path, std::span<const std::int64_t>(labels), shape);
}

const std::vector<std::size_t> digits_train{376, 389, 380, 389, 387, 376, 377, 387, 380, 382};
const std::vector<std::size_t> digits_test{178, 182, 177, 183, 181, 182, 181, 179, 174, 180};

}  // namespace

TEST_CASE("IDX images and labels are read") {
  const auto images = data::parse_idx_images(idx({0x803, 2, 3, 4}, 24), "x");
  CHECK(images.count == 2);
  CHECK(images.height == 3);
  CHECK(images.width == 4);
  CHECK(images.pixels[13] == 3);
  CHECK(data::parse_idx_labels(idx({0x801, 3}, 3), "x") == std::vector<std::int32_t>{0, 1, 2});
  const auto set = data::dataset_from_idx(images, {4, 0}, "x");
  CHECK(set.classes == 5);
  CHECK(set.scale == 1.0 / 255);
}

TEST_CASE("a malformed IDX file is refused with what was expected and what was found") {
  CHECK(images_refused({}, "it is empty"));
  CHECK(images_refused({0, 0}, "expected the magic number 0x00000803, found fewer than 4 bytes"));
  CHECK(images_refused(idx({0x801, 2}, 2), "expected the magic number 0x00000803, found 0x00000801"));
  CHECK(images_refused(idx({0x803, 2, 3}, 0), "expected a header of 16 bytes, found 12"));
  CHECK(images_refused(idx({0x803, 2, 3, 4}, 23), "promises 24 bytes, found 23: it is truncated"));
  CHECK(images_refused(idx({0x803, 2, 3, 4}, 25), "promises 24 bytes, found 25: 1 are too many"));
  CHECK(images_refused(idx({0x803, 0, 3, 4}, 0), "holds no items"));
  CHECK(images_refused(idx({0x803, 2, 0, 4}, 0), "extent of 0"));
  CHECK(images_refused(idx({0x803, ~0u, ~0u, ~0u}, 9), "more bytes than any file"));
  CHECK(images_refused(idx({0x803, ~0u, 28, 28}, 9), "truncated"));
  CHECK(fails_with(
      [] {
        (void)data::parse_idx_labels(idx({0x803, 1, 1, 1}, 1), "l");
      },
      "0x00000801, found 0x00000803"));
  CHECK(fails_with([] { (void)data::dataset_from_idx({1, 1, 1, {7}}, {1, 2}, "s"); }, "1 images but 2 labels"));
}

TEST_CASE("digits are read") {
  const auto set = data::parse_digits(io::as_bytes(digit_line("16", "9") + "\r\n\n" + digit_line("0", "3")), "x");
  CHECK(set.labels == std::vector<std::int32_t>{9, 3});
  CHECK(set.classes == 10);
  CHECK(set.shape == data::image_shape{1, 8, 8});
  data::batch_buffer<float> buffer(set);
  CHECK(buffer.gather_range(0, 1).images[63] == 1.0f);
}

TEST_CASE("malformed digits are refused with line and field") {
  CHECK(digits_refused("", "empty"));
  CHECK(digits_refused("1,2,3\n", "line 1: expected 65 numbers"));
  CHECK(digits_refused(digit_line("1", "1") + "\n" + digit_line("17", "1"), "line 2: pixel 17 is above 16"));
  CHECK(digits_refused(digit_line("1", "10"), "label 10 is above 9"));
  CHECK(digits_refused(digit_line("1", ""), "field 65 of 65 is missing"));
  CHECK(digits_refused(digit_line("1", "1,1"), "behind field 65"));
  CHECK(digits_refused(digit_line("-1", "1"), "field 1 of 65"));
  CHECK(digits_refused(digit_line("1.5", "1"), "behind field 1"));
  CHECK(digits_refused(digit_line("99999999999", "1"), "field 1 of 65"));
}

TEST_CASE("the shipped digits have the published numbers of each class") {
  const auto digits = data::load_named("digits", test::shipped_folder());
  CHECK(digits.train.size() == 3823);
  CHECK(digits.test.size() == 1797);
  CHECK(data::class_counts(digits.train) == digits_train);
  CHECK(data::class_counts(digits.test) == digits_test);
}

TEST_CASE("Fashion-MNIST has the published numbers of each class, mean and deviation") {
  const std::string folder = test::data_folder();
  if (!io::is_file(folder + "/fashion-mnist/train-images-idx3-ubyte.gz")) {
    std::cout << "skipped: Fashion-MNIST is not in " << folder << "/fashion-mnist\n";
    return;
  }
  const auto set = data::load_named("fashion-mnist", folder);
  CHECK(set.train.shape == data::image_shape{1, 28, 28});
  CHECK(data::class_counts(set.train) == std::vector<std::size_t>(10, 6000));
  CHECK(data::class_counts(set.test) == std::vector<std::size_t>(10, 1000));
  CHECK(set.train.normalization.mean[0] == within(0.2860, 5e-5));
  CHECK(set.train.normalization.deviation[0] == within(0.3530, 5e-5));
  CHECK(set.test.normalization.mean == set.train.normalization.mean);
  CHECK(data::load_named("fashion-mnist", folder + "/fashion-mnist").train.labels == set.train.labels);
}

TEST_CASE("a folder without the files is refused with all names that were looked for") {
  const test::temporary_folder folder;
  CHECK(fails_with([&] { (void)data::load_named("fashion-mnist", folder.path()); }, folder.path(),
                   "train-images-idx3-ubyte", "t10k-labels-idx1-ubyte", "plain, .gz or .xz"));
  CHECK(fails_with([&] { (void)data::load_named("digits", folder.path()); }, "optdigits-train.csv"));
  CHECK(fails_with([&] { (void)data::load_named("user", folder.path()); }, "train-images.npy", "train.csv"));
  CHECK(fails_with<config_error>([] { (void)data::load_named("user"); }, "needs the folder"));
  CHECK(fails_with<config_error>([] { (void)data::load_named("cifar"); }, "unknown data set 'cifar'"));
  io::write_file(folder / "optdigits-train.csv", digit_line("1", "1"));
  CHECK(fails_with([&] { (void)data::load_named("digits", folder.path()); }, "only 1 of the 2 files"));
  io::write_file(folder / "optdigits-test.csv", digit_line("2", "3"));
  CHECK(data::load_named("digits", folder.path()).train.size() == 1);
  io::write_file(folder / "optdigits-test.csv", std::string_view("\x1F\x8B garbage"));
  CHECK(fails_with([&] { (void)data::load_named("digits", folder.path()); }, "optdigits-test.csv", "gzip"));
}

TEST_CASE("the user's own arrays are read") {
  const test::temporary_folder folder;
  write_images(folder / "train-images.npy", 3);
  write_labels(folder / "train-labels.npy", {0, 2, 1});
  write_images(folder / "test-images.npy", 2);
  write_labels(folder / "test-labels.npy", {1, 0});
  const auto set = data::load_named("user", folder.path());
  CHECK(set.train.shape == data::image_shape{1, 2, 2});
  CHECK(set.train.classes == 3);
  CHECK(set.test.classes == 3);
  CHECK(set.train.scale == 1.0 / 255);
  CHECK(std::get<std::vector<std::uint8_t>>(set.train.pixels)[11] == 11);
  write_labels(folder / "test-labels.npy", {1});
  CHECK(fails_with([&] { (void)data::load_named("user", folder.path()); }, "has 2 images", "1 labels"));
  write_labels(folder / "test-labels.npy", {1, -1});
  CHECK(fails_with([&] { (void)data::load_named("user", folder.path()); }, "test-labels.npy", "label -1"));
}

TEST_CASE("arrays of any usual shape become images") {
  const auto array = [](std::vector<std::size_t> shape, std::size_t size) {
    const std::vector<float> numbers(size, 0.5f);
    const std::string header = io::npy_header_of<float>(shape);
    io::bytes content(header.begin(), header.end());
    const auto* const raw = reinterpret_cast<const std::uint8_t*>(numbers.data());
    content.insert(content.end(), raw, raw + size * sizeof(float));
    return io::parse_npy(content, "input");
  };
  const auto labels = array({2}, 2);
  CHECK_THROWS_AS(data::dataset_from_npy(array({2, 5}, 10), labels), data_error);
  auto whole = labels;
  for (std::uint8_t& byte : whole.content) byte = 0;
  CHECK(data::dataset_from_npy(array({2, 5}, 10), whole).shape == data::image_shape{1, 1, 5});
  CHECK(data::dataset_from_npy(array({2, 4, 5}, 40), whole).shape == data::image_shape{1, 4, 5});
  CHECK(data::dataset_from_npy(array({2, 3, 4, 5}, 120), whole).shape == data::image_shape{3, 4, 5});
  CHECK(fails_with([&] { (void)data::dataset_from_npy(array({2}, 2), whole); }, "1 dimensions"));
  CHECK(fails_with([&] { (void)data::dataset_from_npy(array({2, 5}, 10), array({2, 1}, 2)); }, "2 dimensions"));
}

TEST_CASE("a stray label is refused by its row where it makes more classes than there are training images") {
  const test::temporary_folder folder;
  const auto load = [&] { (void)data::load_named("user", folder.path()); };
  io::write_file(folder / "train.csv", std::string_view("a,label\n0,0\n1,1\n2,2\n"));
  io::write_file(folder / "test.csv", std::string_view("0,2\n"));
  load();
  io::write_file(folder / "test.csv", std::string_view("0,2\n1,3\n"));
  CHECK(fails_with(load, "test.csv' row 2", "the label 3 makes 4 classes of 3 training images", "without gaps"));
  io::write_file(folder / "train.csv", std::string_view("a,label\n0,0\n1,16000000\n2,2\n"));
  CHECK(fails_with(load, "train.csv' row 2", "the label 16000000"));
  write_images(folder / "train-images.npy", 3);
  write_labels(folder / "train-labels.npy", {0, 1, 2147483647});
  write_images(folder / "test-images.npy", 1);
  write_labels(folder / "test-labels.npy", {0});
  CHECK(fails_with(load, "train-labels.npy' row 3", "the label 2147483647 makes 2147483648 classes"));
}

TEST_CASE("the user's own tables are read, with the label in the last column") {
  const test::temporary_folder folder;
  io::write_file(folder / "train.csv", std::string_view("a,b,c,d,label\n0,1,2,3,1\n4,5,6,7,0\n0,1,2,3,1\n4,5,6,7,0\n"));
  io::write_file(folder / "test.csv", std::string_view("9,9,9,9,2\n"));
  const auto set = data::load_named("user", folder.path());
  CHECK(set.train.labels == std::vector<std::int32_t>{1, 0, 1, 0});
  CHECK(set.train.shape == data::image_shape{1, 2, 2});
  CHECK(set.train.classes == 3);
  CHECK(set.train.normalization.mean[0] == Approx(3.5));
  io::write_file(folder / "test.csv", std::string_view("9,9,9,9,0.5\n"));
  CHECK(fails_with([&] { (void)data::load_named("user", folder.path()); }, "test.csv", "label 0.5"));
  io::write_file(folder / "test.csv", std::string_view("9,9,0\n"));
  CHECK(fails_with([&] { (void)data::load_named("user", folder.path()); }, "1 x 1 x 2"));
  io::write_file(folder / "test.csv", std::string_view("9\n"));
  CHECK(fails_with([&] { (void)data::load_named("user", folder.path()); }, "one column"));
}
