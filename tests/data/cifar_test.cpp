#include "polder/data/cifar.hpp"

#include <numeric>
#include <vector>

#include "data/support.hpp"
#include "io/packed.hpp"
#include "polder/data/batch.hpp"
#include "polder/data/load.hpp"

using namespace polder;
using test::fails_with;

namespace {

/// The byte of image i in row h and column w of channel c.
std::uint8_t pixel(std::size_t i, std::size_t c, std::size_t h, std::size_t w) {
  return static_cast<std::uint8_t>(17 * i + 85 * c + 7 * h + w);
}

/// `count` images in the binary form, with these labels before each; label k of image i is (labels[k] + i) mod
/// classes[k].
io::bytes batch(std::size_t count, const std::vector<std::size_t>& labels, const std::vector<std::size_t>& classes) {
  io::bytes content;
  for (std::size_t i = 0; i < count; ++i) {
    for (std::size_t k = 0; k < labels.size(); ++k) {
      content.push_back(static_cast<std::uint8_t>((labels[k] + i) % classes[k]));
    }
    for (std::size_t c = 0; c < 3; ++c) {
      for (std::size_t h = 0; h < 32; ++h) {
        for (std::size_t w = 0; w < 32; ++w) content.push_back(pixel(i, c, h, w));
      }
    }
  }
  return content;
}
io::bytes batch10(std::size_t count, std::size_t first = 0) { return batch(count, {first}, {10}); }
io::bytes batch100(std::size_t count) { return batch(count, {3, 97}, {20, 100}); }

bool refused10(const io::bytes& content, std::string_view why) {
  return fails_with([&] { (void)data::parse_cifar10(content, "input"); }, "'input' is not a valid CIFAR-10 file", why);
}
bool refused100(const io::bytes& content, std::string_view why) {
  return fails_with([&] { (void)data::parse_cifar100(content, "input"); }, "'input' is not a valid CIFAR-100 file",
                    why);
}

}  // namespace

TEST_CASE("a batch of CIFAR-10 has a label, then red, green and blue row by row") {
  const auto set = data::parse_cifar10(batch10(12, 8), "input");
  CHECK(set.name == "input");
  CHECK(set.size() == 12);
  CHECK(set.classes == 10);
  CHECK(set.shape == data::image_shape{3, 32, 32});
  CHECK(set.scale == 1.0 / 255);
  CHECK(std::vector(set.labels.begin(), set.labels.begin() + 4) == std::vector<std::int32_t>{8, 9, 0, 1});
  data::batch_buffer<double> buffer(set);
  const auto images = buffer.gather_range(11, 1).images;
  for (std::size_t c = 0; c < 3; ++c) {
    CHECK(images[(c * 32 + 5) * 32 + 30] == pixel(11, c, 5, 30) / 255.0);
  }
}

TEST_CASE("a file of CIFAR-100 has a coarse and a fine label; the fine one counts unless told otherwise") {
  const auto fine = data::parse_cifar100(batch100(5), "input");
  CHECK(fine.classes == 100);
  CHECK(fine.labels == std::vector<std::int32_t>{97, 98, 99, 0, 1});
  const auto coarse = data::parse_cifar100(batch100(5), "input", data::cifar100_labels::coarse);
  CHECK(coarse.classes == 20);
  CHECK(coarse.labels == std::vector<std::int32_t>{3, 4, 5, 6, 7});
  CHECK(coarse.pixels == fine.pixels);
  CHECK(std::get<std::vector<std::uint8_t>>(fine.pixels)[3072 + 1024 + 33] == pixel(1, 1, 1, 1));
}

TEST_CASE("a malformed CIFAR file is refused with what is wrong and what helps") {
  CHECK(refused10({}, "it is empty; expected records of 3073 bytes"));
  CHECK(refused100({}, "it is empty; expected records of 3074 bytes"));
  auto cut = batch10(2);
  cut.pop_back();
  CHECK(
      refused10(cut, "its 6145 bytes are 1 records of 3073 bytes and 3072 bytes more: it is truncated or has others"));
  auto longer = batch10(2);
  longer.push_back(0);
  CHECK(refused10(longer, "2 records of 3073 bytes and 1 bytes more"));
  CHECK(refused10(batch100(3), "they are records of 3074 bytes, as CIFAR-100 has them"));
  CHECK(refused100(batch10(3), "they are records of 3073 bytes, as CIFAR-10 has them"));
  auto label = batch10(4);
  label[2 * 3073] = 10;
  CHECK(refused10(label, "label 10 of image 2 is above 9"));
  label = batch100(4);
  label[3 * 3074] = 20;
  CHECK(refused100(label, "coarse label 20 of image 3 is above 19"));
  label = batch100(4);
  label[3074 + 1] = 255;
  CHECK(refused100(label, "fine label 255 of image 1 is above 99"));
}

TEST_CASE("CIFAR-10 is read from five batches and a test batch, plain or packed, with the published normalization") {
  const test::temporary_folder folder;
  std::filesystem::create_directory(folder / "cifar-10-batches-bin");
  const std::string base = folder / "cifar-10-batches-bin/";
  for (std::size_t i = 1; i <= 5; ++i) io::write_file(text(base, "data_batch_", i, ".bin"), batch10(i, 2 * i));
  CHECK(fails_with([&] { (void)data::load_cifar10(folder.path()); }, "only 5 of the 6 files of CIFAR-10",
                   "test_batch.bin"));
  io::write_file(base + "test_batch.bin.gz", test::gzipped(batch10(3)));
  const auto set = data::load_named("cifar10", folder.path());
  CHECK(set.train.labels == std::vector<std::int32_t>{2, 4, 5, 6, 7, 8, 8, 9, 0, 1, 0, 1, 2, 3, 4});
  CHECK(set.test.labels == std::vector<std::int32_t>{0, 1, 2});
  CHECK(set.train.classes == 10);
  const std::vector<double> mean{0.4914, 0.4822, 0.4465};
  const std::vector<double> deviation{0.2023, 0.1994, 0.2010};
  for (const data::dataset* const split : {&set.train, &set.test}) {
    CHECK(split->normalization.mean == mean);
    CHECK(split->normalization.deviation == deviation);
  }
  data::batch_buffer<double> buffer(set.train);
  const auto images = buffer.gather_range(2, 1).images;  // image 1 of the second batch
  for (std::size_t c = 0; c < 3; ++c) {
    CHECK(images[(c * 32 + 31) * 32 + 2] == Approx((pixel(1, c, 31, 2) / 255.0 - mean[c]) / deviation[c]));
  }
  CHECK(data::load_cifar10(base).train.labels == set.train.labels);

  io::write_file(base + "data_batch_3.bin", batch100(3));
  CHECK(fails_with([&] { (void)data::load_cifar10(folder.path()); }, "data_batch_3.bin' is not a valid CIFAR-10 file"));
  CHECK(fails_with<config_error>([] { (void)data::load_named("cifar10"); }, "'cifar10' needs the folder"));
}

TEST_CASE("CIFAR-100 is read from two files, with fine or coarse labels") {
  const test::temporary_folder folder;
  CHECK(fails_with([&] { (void)data::load_named("cifar100", folder.path()); }, "no CIFAR-100 in", "train.bin, test.bin",
                   "plain, .gz or .xz"));
  io::write_file(folder / "train.bin", batch100(7));
  io::write_file(folder / "test.bin", batch100(2));
  const auto set = data::load_named("cifar100", folder.path());
  CHECK(set.train.classes == 100);
  CHECK(set.train.labels.front() == 97);
  CHECK(set.test.normalization.mean == std::vector<double>{0.5071, 0.4867, 0.4408});
  CHECK(set.test.normalization.deviation == std::vector<double>{0.2675, 0.2565, 0.2761});
  CHECK(data::load_cifar100(folder.path(), data::cifar100_labels::coarse).train.labels.front() == 3);
}

TEST_CASE("the real CIFAR-10 has the published numbers of each class, means and deviations") {
  const std::string folder = test::data_folder();
  const auto first = data::packed_file(folder + "/cifar10", "data_batch_1.bin");
  if (!first) {
    std::cout << "skipped: CIFAR-10 is not in " << folder << "/cifar10\n";
    return;
  }
#if !defined(POLDER_HAVE_LZMA)
  if (first->ends_with(".xz")) {
    std::cout << "skipped: CIFAR-10 in " << folder << " is packed by xz, and this was built without liblzma\n";
    return;
  }
#endif
  const auto set = data::load_named("cifar10", folder);
  REQUIRE(set.train.size() == 50'000);
  CHECK(data::class_counts(set.train) == std::vector<std::size_t>(10, 5000));
  CHECK(data::class_counts(set.test) == std::vector<std::size_t>(10, 1000));
  // Each batch has its own numbers: they are all there, in this order.
  const std::vector<std::size_t> batches[] = {{1005, 974, 1032, 1016, 999, 937, 1030, 1001, 1025, 981},
                                              {984, 1007, 1010, 995, 1010, 988, 1008, 1026, 987, 985},
                                              {994, 1042, 965, 997, 990, 1029, 978, 1015, 961, 1029},
                                              {1003, 963, 1041, 976, 1004, 1021, 1004, 981, 1024, 983},
                                              {1014, 1014, 952, 1016, 997, 1025, 980, 977, 1003, 1022}};
  for (std::size_t i = 0; i < 5; ++i) {
    std::vector<std::size_t> counts(10, 0);
    for (std::size_t k = 10'000 * i; k < 10'000 * (i + 1); ++k) {
      ++counts[static_cast<std::size_t>(set.train.labels[k])];
    }
    CHECK(counts == batches[i]);
  }
  const auto measured = data::channel_statistics(set.train);
  const double mean[] = {0.4914, 0.4822, 0.4465};
  const double deviation[] = {0.2470, 0.2435, 0.2616};
  for (std::size_t c = 0; c < 3; ++c) {
    CHECK(measured.mean[c] == within(mean[c], 5e-5));
    CHECK(measured.deviation[c] == within(deviation[c], 5e-5));
  }
}
