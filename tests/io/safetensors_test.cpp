#include "polder/io/safetensors.hpp"

#include <cstring>
#include <vector>

#include "io/support.hpp"

using namespace polder;
using io::parse_safetensors;
using test::fails_with;

namespace {

/// A file of that header text and those numbers, with nothing checked.
io::bytes file_of(std::string_view header, std::size_t data_bytes) {
  const std::uint64_t length = header.size();
  io::bytes content(sizeof length);
  std::memcpy(content.data(), &length, sizeof length);
  content.insert(content.end(), header.begin(), header.end());
  content.resize(content.size() + data_bytes, 1);
  return content;
}

bool refused(std::string_view header, std::size_t data_bytes, std::string_view why) {
  INFO(header);
  return fails_with([&] { (void)parse_safetensors(file_of(header, data_bytes), "input"); }, "'input'", why);
}

const std::vector<float> weights{1.5f, -2, 3, 4, 5, 6};
const std::vector<std::uint64_t> counters{~std::uint64_t{0}, 7};
const std::vector<std::uint8_t> flags{1, 2, 3};

io::safetensors_writer sample() {
  io::safetensors_writer writer;
  writer.add("flags", flags);
  writer.add("weights", weights, {2, 3});
  writer.add("counters", counters);
  writer.metadata("step", "12");
  return writer;
}

}  // namespace

TEST_CASE("tensors and texts read back from a file as they were written") {
  const test::temporary_folder folder;
  sample().write(folder / "a.safetensors");
  const auto file = io::read_safetensors(folder / "a.safetensors");
  const auto read = file.get<float>("weights", 6);
  CHECK(std::vector<float>(read.begin(), read.end()) == weights);
  CHECK(file.tensor("weights").shape == std::vector<std::size_t>{2, 3});
  CHECK(file.get<std::uint64_t>("counters")[0] == ~std::uint64_t{0});
  CHECK(file.get<std::uint8_t>("flags")[2] == 3);
  CHECK(file.metadata("step") == "12");
  CHECK(file.contains("flags"));
  CHECK_FALSE(file.contains("step"));
  CHECK(file.tensors().size() == 3);
}

TEST_CASE("the bytes of a file are what the format says") {
  io::safetensors_writer writer;
  const std::vector<float> one{1.0f};
  writer.add("x", one);
  const io::bytes content = writer.serialize();
  std::uint64_t length = 0;
  std::memcpy(&length, content.data(), sizeof length);
  CHECK(length % 8 == 0);
  REQUIRE(content.size() == 8 + length + 4);
  const std::string_view header = io::as_text(io::byte_view(content).subspan(8, length));
  CHECK(header.starts_with(R"({"__metadata__": {"polder.checksum": ")"));
  CHECK(header.find(R"("x": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}})") != std::string_view::npos);
  CHECK(io::bytes(content.end() - 4, content.end()) == io::bytes{0, 0, 0x80, 0x3F});
}

TEST_CASE("tensors without numbers and tensors without dimensions are tensors") {
  io::safetensors_writer writer;
  const std::vector<double> none;
  const std::vector<double> one{2.5};
  writer.add("none", none, {3, 0});
  writer.add("scalar", one, {});
  const auto file = parse_safetensors(writer.serialize(), "x");
  CHECK(file.get<double>("none").empty());
  CHECK(file.get<double>("scalar")[0] == 2.5);
  CHECK(file.tensor("scalar").shape.empty());
  CHECK(parse_safetensors(io::safetensors_writer().serialize(), "empty").tensors().empty());
}

TEST_CASE("a file of another writer may place tensors where their type cannot be read in place") {
  // 3 bytes, then a float at an odd place, behind a header of 124 bytes.
  std::string header =
      R"({"a":{"dtype":"U8","shape":[3],"data_offsets":[0,3]},"b":{"dtype":"F32","shape":[1],"data_offsets":[3,7]}})";
  header.resize(124, ' ');
  io::bytes content = file_of(header, 7);
  const float value = 2.75f;
  std::memcpy(content.data() + content.size() - 4, &value, 4);
  const auto file = parse_safetensors(content, "foreign");
  CHECK(file.get<float>("b")[0] == 2.75f);
  CHECK(reinterpret_cast<std::uintptr_t>(file.get<float>("b").data()) % alignof(float) == 0);
  CHECK(file.get<std::uint8_t>("a")[1] == 1);
}

TEST_CASE("asking for what a file does not hold says what it holds") {
  const auto file = parse_safetensors(sample().serialize(), "input");
  CHECK(fails_with([&] { (void)file.get<double>("weights"); }, "'weights'", "F32, not F64"));
  CHECK(fails_with([&] { (void)file.get<float>("bias"); }, "'input' has no tensor 'bias'"));
  CHECK(fails_with([&] { (void)file.get<float>("weights", 7); }, "6 numbers where 7"));
  CHECK(fails_with([&] { (void)file.metadata("epoch"); }, "no metadata 'epoch'"));
}

TEST_CASE("no damaged byte gives other tensors or other texts than were written") {
  const io::bytes whole = sample().serialize();
  const std::string right = parse_safetensors(whole, "x").checksum();
  std::uint64_t header = 0;
  std::memcpy(&header, whole.data(), sizeof header);
  for (std::size_t i = 0; i < whole.size(); ++i) {
    io::bytes damaged = whole;
    damaged[i] ^= 0x01;
    bool found = false;
    try {
      const auto file = parse_safetensors(damaged, "damaged");
      // What still parses either says the same in other letters, or has lost the name of its check sum.
      found = file.checksum() == right || !file.metadata().contains(io::checksum_key);
    } catch (const data_error&) {
      found = true;
    }
    INFO("byte " << i);
    CHECK(found);
  }
}

TEST_CASE("a safetensors file cut anywhere is a data_error") {
  const io::bytes whole = sample().serialize();
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const io::bytes cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
    CHECK(fails_with([&] { (void)parse_safetensors(cut, "cut"); }, "'cut'"));
  }
}

TEST_CASE("the check sum does not depend on how the header is spelled") {
  const auto file = parse_safetensors(sample().serialize(), "x");
  std::string header = R"({ "__metadata__" : {"step":"12","polder.checksum":")" + file.metadata("polder.checksum") +
                       R"("}, "counters":{"shape":[2],"dtype":"U64","data_offsets":[0,16]},)"
                       R"("weights":{"shape":[2,3],"dtype":"F32","data_offsets":[16,40]},)"
                       R"("flags":{"shape":[3],"dtype":"U8","data_offsets":[40,43]}})";
  io::bytes content = file_of(header, 0);
  for (const auto& tensor : file.tensors()) {
    content.insert(content.end(), tensor.content.begin(), tensor.content.end());
  }
  CHECK(parse_safetensors(content, "respelled").get<float>("weights")[1] == -2);
}

TEST_CASE("a malformed safetensors file is refused with the reason") {
  const std::string good = R"("a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]})";
  CHECK(refused("", 0, "does not begin with '{'"));
  CHECK(refused("[]", 0, "does not begin with '{'"));
  CHECK(refused("{" + good, 8, "not valid JSON"));
  CHECK(refused("{" + good + "," + good + "}", 8, "appears twice"));
  CHECK(refused("{" + good + "}", 9, "1 bytes behind the last tensor"));
  CHECK(refused("{" + good + "}", 7, "lies at 0 to 8 of 7"));
  CHECK(refused(R"({"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}})", 8, "shape does not give"));
  CHECK(refused(R"({"a":{"dtype":"F33","shape":[2],"data_offsets":[0,8]}})", 8, "unknown dtype"));
  CHECK(refused(R"({"a":{"dtype":3,"shape":[2],"data_offsets":[0,8]}})", 8, "unknown dtype"));
  CHECK(refused(R"({"a":{"dtype":"F32","shape":[2]}})", 8, "lacks"));
  CHECK(refused(R"({"a":3})", 8, "lacks"));
  CHECK(refused(R"({"a":{"dtype":"F32","shape":2,"data_offsets":[0,8]}})", 8, "shape is no array"));
  CHECK(refused(R"({"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}})", 8, "no whole number"));
  CHECK(refused(R"({"a":{"dtype":"F32","shape":[2.0],"data_offsets":[0,8]}})", 8, "no whole number"));
  CHECK(refused(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}})", 8, "lies at 8 to 0"));
  CHECK(refused(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8,8]}})", 8, "not two"));
  CHECK(refused(R"({"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}})", 0, "does not give"));
  CHECK(refused("{" + good + R"(,"b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})", 8, "gaps and overlaps"));
  CHECK(refused("{" + good + R"(,"b":{"dtype":"F32","shape":[1],"data_offsets":[12,16]}})", 16, "gaps and overlaps"));
  CHECK(refused(R"({"__metadata__":3})", 0, "no object"));
  CHECK(refused(R"({"__metadata__":{"a":3}})", 0, "no text"));
  io::bytes huge(8, 0xFF);
  CHECK(fails_with([&] { (void)parse_safetensors(huge, "huge"); }, "100000000 are allowed"));
}

TEST_CASE("a writer refuses what would make no file") {
  io::safetensors_writer writer;
  writer.add("x", weights);
  CHECK(fails_with<config_error>([&] { writer.add("x", weights); }, "two tensors are called 'x'"));
  CHECK(fails_with<config_error>([&] { writer.add("y", weights, {7}); }, "'y' has 6 numbers"));
  CHECK(fails_with<config_error>([&] { writer.add("__metadata__", weights); }, "__metadata__"));
  CHECK(fails_with<config_error>([&] { writer.add("\xFF", weights); }, "UTF-8"));
  CHECK(fails_with<config_error>([&] { writer.metadata("a", "\xFF"); }, "UTF-8"));
}
