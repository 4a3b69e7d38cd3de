// One of the compressors, chosen at run time: a compressor itself.
#pragma once

#include <charconv>
#include <cstddef>
#include <optional>
#include <span>
#include <string_view>
#include <variant>

#include "polder/compress/half.hpp"
#include "polder/compress/qsgd.hpp"
#include "polder/compress/random_k.hpp"
#include "polder/compress/raw.hpp"
#include "polder/compress/sign.hpp"
#include "polder/compress/top_k.hpp"

namespace polder_train {

struct any_compressor {
  static constexpr bool fixed_size = true;
  static constexpr const char* names =
      "none, qsgd:BITS (2 to 8, sign included), sign, top_k:KEEP, random_k:KEEP, bf16, fp16";

  std::variant<polder::raw, polder::qsgd, polder::sign, polder::top_k, polder::random_k, polder::half> chosen{};

  template <class T>
  [[nodiscard]] polder::no_compressor_state init(const polder::layout& tensors) const {
    std::visit([&](const auto& k) { (void)k.template init<T>(tensors); }, chosen);
    return {};
  }
  [[nodiscard]] double contraction(const polder::layout& tensors) const {
    return std::visit([&](const auto& k) { return k.contraction(tensors); }, chosen);
  }
  [[nodiscard]] double effective_contraction(const polder::layout& tensors) const {
    return std::visit([&](const auto& k) { return polder::effective_contraction(k, tensors); }, chosen);
  }
  template <class T>
  [[nodiscard]] std::size_t max_bytes(const polder::layout& tensors) const {
    return std::visit([&](const auto& k) { return k.template max_bytes<T>(tensors); }, chosen);
  }
  template <class T>
  std::size_t compress(polder::no_compressor_state& s, std::span<const T> x, const polder::layout& tensors,
                       const polder::stamp& which, std::span<std::byte> out) const {
    return std::visit([&](const auto& k) { return k.template compress<T>(s, x, tensors, which, out); }, chosen);
  }
  template <class T>
  void decompress(std::span<const std::byte> bytes, const polder::layout& tensors, std::span<T> y) const {
    std::visit([&](const auto& k) { k.template decompress<T>(bytes, tensors, y); }, chosen);
  }
  template <class T>
  void decompress_add(std::span<const std::byte> bytes, const polder::layout& tensors, double weight,
                      std::span<T> y) const {
    std::visit([&](const auto& k) { k.template decompress_add<T>(bytes, tensors, weight, y); }, chosen);
  }

  /// The compressor that a text names, with contraction scaling where it has a choice; nothing if it names none.
  [[nodiscard]] static std::optional<any_compressor> parse(std::string_view text) {
    using polder::scaling;
    const std::size_t colon = text.find(':');
    const std::string_view name = text.substr(0, colon);
    double number = 0.0;
    if (colon != text.npos) {
      const std::string_view digits = text.substr(colon + 1);
      const auto end = std::from_chars(digits.data(), digits.data() + digits.size(), number);
      if (digits.empty() || end.ec != std::errc{} || end.ptr != digits.data() + digits.size()) return std::nullopt;
    }
    const bool share = colon != text.npos && number > 0.0 && number <= 1.0;
    if (name == "top_k") return share ? std::optional(any_compressor{polder::top_k{.keep = number}}) : std::nullopt;
    if (name == "random_k") {
      if (!share) return std::nullopt;
      return any_compressor{polder::random_k{.keep = number, .scale = scaling::contraction}};
    }
    if (name == "qsgd") {
      if (colon == text.npos || !(number >= 2.0 && number <= 8.0)) return std::nullopt;
      const auto bits = static_cast<unsigned>(number);
      if (static_cast<double>(bits) != number) return std::nullopt;
      return any_compressor{polder::qsgd{.bits = bits, .scale = scaling::contraction}};
    }
    if (colon != text.npos) return std::nullopt;
    if (name == "none") return any_compressor{};
    if (name == "sign") return any_compressor{polder::sign{}};
    if (name == "bf16") return any_compressor{polder::half{}};
    if (name == "fp16") return any_compressor{polder::half{.format = polder::half_format::fp16}};
    return std::nullopt;
  }
};

static_assert(polder::compressor<any_compressor, float>);

}  // namespace polder_train
