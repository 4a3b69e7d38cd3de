#include "polder/io/file.hpp"

#include "io/support.hpp"

using namespace polder;
using test::fails_with;

TEST_CASE("a file that was written reads back byte for byte") {
  const test::temporary_folder folder;
  for (const std::size_t size : {0u, 1u, 4095u, 4096u, 100'000u}) {
    io::bytes content(size);
    for (std::size_t i = 0; i < size; ++i) content[i] = static_cast<std::uint8_t>(i * 7);
    io::write_file(folder / "a", content);
    CHECK(io::read_file(folder / "a") == content);
  }
  CHECK(folder.files() == 1);
}

TEST_CASE("a failed write leaves the old file and no other") {
  const test::temporary_folder folder;
  std::filesystem::create_directory(folder / "taken");
  io::write_file(folder / "taken/inside", std::string_view("old"));
  CHECK(fails_with([&] { io::write_file(folder / "taken", std::string_view("new")); }, "taken", "cannot rename"));
  CHECK(folder.files() == 1);
  CHECK(io::as_text(io::read_file(folder / "taken/inside")) == "old");
}

TEST_CASE("what cannot be read or written is named with the reason") {
  const test::temporary_folder folder;
  CHECK(fails_with([&] { (void)io::read_file(folder / "none"); }, "none", "No such file"));
  CHECK(fails_with([&] { (void)io::read_file(folder.path()); }, folder.path(), "folder"));
  CHECK(fails_with([&] { io::write_file(folder / "no/where", std::string_view("x")); }, "no/where", "No such file"));
}

TEST_CASE("a file above the limit is refused, one at the limit is read") {
  const test::temporary_folder folder;
  io::write_file(folder / "a", std::string_view("12345"));
  CHECK(io::read_file(folder / "a", 5).size() == 5);
  CHECK(fails_with([&] { (void)io::read_file(folder / "a", 4); }, "larger than the 4 bytes"));
}

TEST_CASE("a file without a promised size is read whole and within the limit") {
  if (!io::is_file("/proc/self/status")) {
    WARN("skipped: no /proc on this system");
    return;
  }
  CHECK(io::as_text(io::read_file("/proc/self/status")).find("Pid:") != std::string_view::npos);
  CHECK(fails_with([] { (void)io::read_file("/proc/self/status", 10); }, "larger than the 10 bytes"));
}

TEST_CASE("paths are put together and taken apart") {
  CHECK(io::join_path("a", "b") == "a/b");
  CHECK(io::join_path("a/", "b") == "a/b");
  CHECK(io::join_path("", "b") == "b");
  CHECK(io::folder_of("a/b/c") == "a/b");
  CHECK(io::folder_of("c") == ".");
  CHECK(io::folder_of("/c") == "/");
}
