// polder — the header of a .npy file: a Python dictionary of type, memory order and shape.
#pragma once

#include <charconv>
#include <cstddef>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "polder/core/error.hpp"
#include "polder/io/dtype.hpp"

namespace polder::io::detail {

/// The Python dictionary in the header of a .npy file.
class npy_header {
 public:
  npy_header(std::string_view text, std::string_view name) : text_(text), name_(name) {
    expect('{');
    while (!accept('}')) {
      const std::string_view key = quoted();
      expect(':');
      read_field(key);
      if (!accept(',')) {
        expect('}');
        break;
      }
    }
    check(text_.find_first_not_of(" \n", at_) == std::string_view::npos, "other text behind the dictionary");
    check(has_descr_ && has_order_ && has_shape_, "descr, fortran_order or shape is missing");
  }

  dtype type = dtype::f32;
  bool big_endian = false;
  bool fortran_order = false;
  std::vector<std::size_t> shape;

 private:
  template <class... Pieces>
  void check(bool condition, const Pieces&... pieces) const {
    require<data_error>(condition, "'", name_, "' is not a valid .npy file: ", pieces...);
  }
  void skip_space() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n')) ++at_;
  }
  bool accept(char c) {
    skip_space();
    if (at_ == text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  void expect(char c) { check(accept(c), "expected '", c, "' at byte ", at_, " of its header"); }
  std::string_view quoted() {
    skip_space();
    const char quote = at_ < text_.size() ? text_[at_] : '\0';
    check(quote == '\'' || quote == '"', "expected a quoted word at byte ", at_, " of its header");
    const std::size_t end = text_.find(quote, at_ + 1);
    check(end != std::string_view::npos, "a quoted word in its header has no end");
    const std::string_view word = text_.substr(at_ + 1, end - at_ - 1);
    at_ = end + 1;
    return word;
  }
  bool accept_word(std::string_view word) {
    skip_space();
    if (!text_.substr(at_).starts_with(word)) return false;
    at_ += word.size();
    return true;
  }

  void read_field(std::string_view key) {
    bool* const seen = key == "descr"           ? &has_descr_
                       : key == "fortran_order" ? &has_order_
                       : key == "shape"         ? &has_shape_
                                                : nullptr;
    check(seen != nullptr && !*seen, "unexpected field '", key, "' in its header");
    *seen = true;
    if (key == "descr") {
      read_descr();
    } else if (key == "shape") {
      read_shape();
    } else {
      fortran_order = accept_word("True");
      check(fortran_order || accept_word("False"), "fortran_order is neither True nor False");
    }
  }

  void read_descr() {
    skip_space();
    check(at_ < text_.size() && text_[at_] != '[', "records with named fields are not read");
    const std::string_view descr = quoted();
    constexpr std::pair<std::string_view, dtype> known[] = {
        {"f8", dtype::f64}, {"f4", dtype::f32}, {"f2", dtype::f16}, {"i8", dtype::i64},
        {"i4", dtype::i32}, {"i2", dtype::i16}, {"i1", dtype::i8},  {"u8", dtype::u64},
        {"u4", dtype::u32}, {"u2", dtype::u16}, {"u1", dtype::u8},  {"b1", dtype::boolean}};
    const char order = descr.empty() ? '\0' : descr.front();
    for (const auto& [code, meaning] : known) {
      if (descr.substr(descr.empty() ? 0 : 1) != code || (order != '<' && order != '>' && order != '|')) continue;
      check(order != '|' || info_of(meaning).size == 1, "dtype '", descr, "' does not name a byte order");
      type = meaning;
      big_endian = order == '>';
      return;
    }
    check(false, "dtype '", descr, "' is not read; save it as float32, float64 or a whole-number type");
  }

  void read_shape() {
    expect('(');
    while (!accept(')')) {
      skip_space();
      std::size_t extent = 0;
      const char* const first = text_.data() + at_;
      const auto [end, status] = std::from_chars(first, text_.data() + text_.size(), extent);
      check(status == std::errc{}, "its shape holds something that is no size at byte ", at_, " of its header");
      at_ += static_cast<std::size_t>(end - first);
      accept_word("L");  // Python 2 wrote long numbers so
      shape.push_back(extent);
      if (!accept(',')) {
        expect(')');
        break;
      }
    }
    check(shape.size() <= 32, "it has ", shape.size(), " dimensions; NumPy knows 32");
  }

  std::string_view text_;
  std::string_view name_;
  std::size_t at_ = 0;
  bool has_descr_ = false;
  bool has_order_ = false;
  bool has_shape_ = false;
};

}  // namespace polder::io::detail
