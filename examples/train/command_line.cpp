#include "train/command_line.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "polder/core/error.hpp"
#include "train/usage_error.hpp"

namespace polder_train {
namespace {

/// Lines of at most 80 letters.
std::string wrapped(std::string_view words) {
  std::string lines;
  std::size_t used = 0;
  while (!words.empty()) {
    const std::string_view next = words.substr(0, words.find(' '));
    if (used > 0 && used + 1 + next.size() > 80) {
      lines += '\n';
      used = 0;
    }
    lines += polder::text(used > 0 ? " " : "", next);
    used += next.size() + (used > 0 ? 1 : 0);
    words.remove_prefix(std::min(words.size(), next.size() + 1));
  }
  return lines;
}

}  // namespace

command_line::command_line(const std::string& about, const std::string& program, const std::string& version,
                           const std::string& more)
    : app_(std::make_unique<CLI::App>(about, program)) {
  app_->get_formatter()->column_width(32);
  app_->set_help_flag("-h,--help", "print this and leave");
  app_->set_version_flag("--version", version, "print the version and leave");
  app_->footer(more);
}
command_line::~command_line() = default;

void command_line::flag(const std::string& name, bool& to, const std::string& help) {
  app_->add_flag(name, to, wrapped(help))->group(group_);
}
void command_line::operands(const std::string& name, std::vector<std::string>& to, const std::string& help) {
  app_->add_option(name, to, wrapped(help));
}

void command_line::parse(int argc, char** argv) {
  try {
    app_->parse(argc, argv);
  } catch (const CLI::Success& success) {
    std::exit(app_->exit(success));
  } catch (const CLI::ExtrasError&) {
    const std::vector<std::string> unknown = app_->remaining();
    polder::fail<usage_error>("unknown argument '", unknown.empty() ? "" : unknown.front(), "': ", app_->get_name(),
                              " --help lists the options");
  } catch (const CLI::ArgumentMismatch& e) {
    const std::string_view what = e.what();
    polder::fail<usage_error>(what.substr(0, what.find(':')), ": allowed: given once, with one value");
  } catch (const CLI::ParseError& e) {
    polder::fail<usage_error>(std::string(e.what()));
  }
}

bool command_line::given(const std::string& name) const { return app_->count(name) > 0; }
std::string command_line::value(const std::string& name) const { return app_->get_option(name)->results().front(); }

void command_line::add(const std::string& name, const std::string& type, const std::string& shown,
                       const std::string& help, std::function<void(const std::string&)> take) {
  app_->add_option_function<std::string>(name, std::move(take), wrapped(help))
      ->type_name(type)
      ->default_str(shown)
      ->group(group_);
}

}  // namespace polder_train
