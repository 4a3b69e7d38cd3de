#include "polder/data/partition.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <vector>

#include "data/support.hpp"

using namespace polder;
using data::shards;
using test::fails_with;

namespace {

std::vector<std::int32_t> labels_of(std::size_t count, std::size_t classes) {
  return test::numbered(count, classes).labels;
}

/// Whether all shards have floor(N/n) different indices below N, and none is in two.
bool valid(const shards& parts, std::size_t images, std::size_t workers) {
  std::set<std::size_t> seen;
  for (const auto& part : parts) {
    if (part.size() != images / workers) return false;
    seen.insert(part.begin(), part.end());
  }
  return parts.size() == workers && seen.size() == workers * (images / workers) && *seen.rbegin() < images;
}

/// The share of a worker's images that its most frequent label has, as a mean over the workers.
double skew(const shards& parts, const std::vector<std::int32_t>& labels, std::size_t classes) {
  double sum = 0;
  for (const auto& part : parts) {
    std::vector<std::size_t> counts(classes, 0);
    for (const std::size_t i : part) ++counts[static_cast<std::size_t>(labels[i])];
    sum += static_cast<double>(std::ranges::max(counts)) / static_cast<double>(part.size());
  }
  return sum / static_cast<double>(parts.size());
}

}  // namespace

TEST_CASE("every partition is disjoint and gives all workers floor(N/n) images") {
  for (const std::size_t images : {1000u, 1003u, 3823u}) {
    const auto labels = labels_of(images, 10);
    for (const std::size_t workers : {1u, 2u, 7u, 10u, 11u, 16u, 25u, 40u}) {
      for (const std::uint64_t seed : {0u, 1u, 2u}) {
        INFO(images << " images, " << workers << " workers, seed " << seed);
        CHECK(valid(data::iid(images, workers, seed), images, workers));
        CHECK(valid(data::sorted_by_label(labels, workers), images, workers));
        for (const double concentration : {10.0, 1.0, 0.1}) {
          CHECK(valid(data::dirichlet(labels, workers, concentration, seed), images, workers));
        }
      }
    }
  }
}

TEST_CASE("a partition is a function of its seed") {
  const auto labels = labels_of(2000, 10);
  CHECK(data::dirichlet(labels, 10, 0.1, 3) == data::dirichlet(labels, 10, 0.1, 3));
  CHECK(data::dirichlet(labels, 10, 0.1, 3) != data::dirichlet(labels, 10, 0.1, 4));
  CHECK(data::iid(2000, 10, 3) == data::iid(2000, 10, 3));
  CHECK(data::iid(2000, 10, 3) != data::iid(2000, 10, 4));
}

TEST_CASE("the skew grows as the concentration falls") {
  const auto labels = labels_of(6000, 10);
  double before = 0;
  for (const double concentration : {1000.0, 10.0, 1.0, 0.1, 0.01}) {
    double mean = 0;
    for (std::uint64_t seed = 0; seed < 5; ++seed) {
      mean += skew(data::dirichlet(labels, 10, concentration, seed), labels, 10) / 5;
    }
    INFO("concentration " << concentration << ": " << mean);
    CHECK(mean > before);
    before = mean;
  }
  CHECK(before > 0.7);
  CHECK(skew(data::dirichlet(labels, 10, 1000.0, 0), labels, 10) < 0.15);
}

TEST_CASE("workers are grouped by ten: each group shares one slice of the shuffled samples") {
  constexpr std::size_t images = 4000;
  constexpr std::size_t workers = 40;
  // All samples have one class, so that a group's lists in a row are its slice, in the shuffled order.
  const std::vector<std::int32_t> labels(images, 0);
  const auto parts = data::dirichlet(labels, workers, 10.0, 5);
  random_stream random({.seed = 5, .purpose = purpose::partition});
  std::vector<std::size_t> order(images);
  for (std::size_t i = 0; i < images; ++i) order[i] = i;
  data::shuffle(std::span(order), random);
  std::vector<std::size_t> row;
  for (const auto& part : parts) row.insert(row.end(), part.begin(), part.end());
  CHECK(row == order);

  // With ten equal classes in every slice, each group alone holds the whole distribution.
  const auto mixed = labels_of(images, 10);
  const auto skewed = data::dirichlet(mixed, workers, 0.1, 5);
  for (std::size_t group = 0; group < 4; ++group) {
    std::vector<std::size_t> counts(10, 0);
    for (std::size_t k = 10 * group; k < 10 * group + 10; ++k) {
      for (const std::size_t i : skewed[k]) ++counts[static_cast<std::size_t>(mixed[i])];
    }
    INFO("group " << group);
    CHECK(std::ranges::min(counts) > 60);  // 100 expected, standard deviation below 9
    CHECK(std::ranges::max(counts) < 140);
  }
}

TEST_CASE("a group's draw gives every worker at least half of an equal share and uses all samples once") {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    random_stream random({.seed = seed, .purpose = purpose::partition, .step = 1});
    const std::vector<std::size_t> sizes{103, 97, 0, 110, 90, 100, 95, 105, 100, 100};
    data::detail::dirichlet_group group(sizes, 10, 0.1);
    std::size_t draws = 1;
    while (!group.draw(random)) ++draws;
    REQUIRE(draws < 100'000);
    for (std::size_t k = 0; k < 10; ++k) {
      std::size_t total = 0;
      for (std::size_t c = 0; c < sizes.size(); ++c) {
        total += group.ends(c)[k] - (k == 0 ? 0 : group.ends(c)[k - 1]);
      }
      CHECK(total >= 45);  // S = 900 samples for 10 workers
    }
    for (std::size_t c = 0; c < sizes.size(); ++c) CHECK(group.ends(c)[9] == sizes[c]);
  }
}

TEST_CASE("a worker that holds its share gets nothing of the next class") {
  // One class fills exactly one worker at so small a concentration; the second class must go to the other worker.
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    random_stream random({.seed = seed, .purpose = purpose::partition, .step = 1});
    data::detail::dirichlet_group group({100, 100}, 2, 1e-6);
    REQUIRE(group.draw(random));
    CHECK(group.ends(0)[0] + group.ends(1)[0] == 100);
  }
}

TEST_CASE("a concentration of 0.01 with 40 workers works") {
  const auto labels = labels_of(8000, 10);
  for (std::uint64_t seed = 0; seed < 5; ++seed) {
    CHECK(valid(data::dirichlet(labels, 40, 0.01, seed), 8000, 40));
  }
}

TEST_CASE("a partition that no draw can give ends with a sentence") {
  // Each of 10 workers needs 5 of 100 samples, but one class at this concentration fills one worker.
  const std::vector<std::int32_t> labels(100, 0);
  CHECK(fails_with<config_error>([&] { (void)data::dirichlet(labels, 10, 1e-6, 1); }, "concentration 1e-06",
                                 "10 workers", "larger concentration or fewer workers"));
}

TEST_CASE("the names of the classes do not matter: a greatest label of two billion costs nothing") {
  const auto labels = labels_of(1000, 4);
  std::vector<std::int32_t> renamed = labels;
  for (std::int32_t& label : renamed) label = label == 3 ? 2'000'000'000 : 10 * label;
  CHECK(data::dirichlet(renamed, 12, 0.5, 1) == data::dirichlet(labels, 12, 0.5, 1));
}

TEST_CASE("wrong values are refused") {
  const auto labels = labels_of(100, 10);
  for (const double bad : {0.0, -1.0, std::nan(""), std::numeric_limits<double>::infinity()}) {
    CHECK(fails_with<config_error>([&] { (void)data::dirichlet(labels, 4, bad, 1); }, "above 0"));
  }
  CHECK(fails_with<config_error>([&] { (void)data::iid(3, 4, 1); }, "3 images", "4 workers"));
  CHECK(fails_with<config_error>([&] { (void)data::iid(3, 0, 1); }, "at least one worker"));
  CHECK(fails_with<config_error>([&] { (void)data::sorted_by_label(labels, 101); }, "100 images"));
  const std::vector<std::int32_t> negative{0, -1};
  CHECK(fails_with<config_error>([&] { (void)data::dirichlet(negative, 1, 1, 1); }, "label -1"));
}

TEST_CASE("sorted: ten workers hold one class each, twenty share the classes at a distance of ten") {
  const auto labels = labels_of(2000, 10);
  const auto ten = data::sorted_by_label(labels, 10);
  const auto twenty = data::sorted_by_label(labels, 20);
  const auto classes_of = [&](const std::vector<std::size_t>& part) {
    std::set<std::int32_t> classes;
    for (const std::size_t i : part) classes.insert(labels[i]);
    return classes;
  };
  for (std::int32_t k = 0; k < 10; ++k) {
    const auto worker = static_cast<std::size_t>(k);
    CHECK(classes_of(ten[worker]) == std::set{k});
    CHECK(classes_of(twenty[worker]) == std::set{k});
    CHECK(classes_of(twenty[worker + 10]) == std::set{k});
  }
  // 11 workers: pieces 0, 2, 4, ... go round until the row of eleven is used up.
  const auto eleven = data::sorted_by_label(labels_of(11, 11), 11);
  std::vector<std::size_t> order;
  for (const auto& part : eleven) order.push_back(part[0]);
  CHECK(order == std::vector<std::size_t>{0, 2, 4, 6, 8, 10, 3, 7, 1, 9, 5});
}

TEST_CASE("a partition has a name that reads back") {
  for (const std::string_view name : {"iid", "sorted", "dirichlet:0.1", "dirichlet:10"}) {
    CHECK(data::to_string(data::parse_partition(name)) == name);
  }
  CHECK(data::parse_partition("dirichlet:0.1").concentration == 0.1);
  for (const std::string_view bad : {"", "dirichlet", "dirichlet:", "dirichlet:0", "dirichlet:-1", "dirichlet:x",
                                     "dirichlet:1x", "dirichlet:inf", "IID"}) {
    INFO(bad);
    CHECK(fails_with<config_error>([&] { (void)data::parse_partition(bad); }, "iid, sorted or dirichlet:A"));
  }
  const auto labels = labels_of(100, 10);
  using data::make_partition;
  using data::parse_partition;
  CHECK(make_partition(parse_partition("iid"), labels, 4, 7) == data::iid(100, 4, 7));
  CHECK(make_partition(parse_partition("sorted"), labels, 4, 7) == data::sorted_by_label(labels, 4));
  CHECK(make_partition(parse_partition("dirichlet:1"), labels, 4, 7) == data::dirichlet(labels, 4, 1, 7));
}
