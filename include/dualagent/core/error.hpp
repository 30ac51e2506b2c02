#pragma once

#include <stdexcept>
#include <string>
#include <utility>

namespace dualagent {

/// What every failure of dualagent throws: it names the thing, the place and the remedy.
///
/// `what()` reads "WHAT (WHERE). REMEDY"; empty parts are left out.
/// Example: Error{"row has 3 columns, expected 4", "ledger.csv:17", "Add the missing column"}.
class Error : public std::runtime_error {
 public:
  explicit Error(const std::string& what, std::string where = {}, std::string remedy = {})
      : std::runtime_error(compose(what, where, remedy)),
        problem_(what),
        where_(std::move(where)),
        remedy_(std::move(remedy)) {}

  /// What failed, without place and remedy.
  const std::string& problem() const { return problem_; }
  /// File, line, tensor, token index...: the place of the failure; may be empty.
  const std::string& where() const { return where_; }
  /// What the reader can do about it; may be empty.
  const std::string& remedy() const { return remedy_; }

 private:
  static std::string compose(const std::string& what, const std::string& where,
                             const std::string& remedy) {
    std::string text = what;
    if (!where.empty()) text += " (" + where + ")";
    if (!remedy.empty()) text += ". " + remedy;
    return text;
  }

  std::string problem_;
  std::string where_;
  std::string remedy_;
};

}  // namespace dualagent
