#pragma once

#include <filesystem>

#include "ledger_smollm2/play.hpp"
#include "retool_summary/tiny_folder.hpp"

/// Room for episodes in the tokens of `tiny_folder`, of which a byte is one: a prompt has 69, a
/// lookup with its result 65 to 100, so that a note is due after two or three of them.
namespace tiny_room {

inline constexpr ledger_smollm2::Room kRoom{
    .budget = 270, .window = 700, .sliding = 330, .unlimited = 1200, .turn = 64, .note = 80};

/// The dialect of a tiny model that is written into `folder`.
inline ledger_smollm2::Dialect dialect(const std::filesystem::path& folder,
                                       const ledger_smollm2::Room& room = kRoom) {
  tiny_folder::write(folder);
  return ledger_smollm2::make_dialect(folder, room);
}

/// Four debts; the total is 48.
inline const ledger_smollm2::Chain& chain() {
  static const ledger_smollm2::Chain four{
      .opening = 25,
      .debts = {{"David", 6, "Luke", "David owes 6 coins. Next is Luke."},
                {"Luke", 5, "John", "Luke has 6 keys and owes 5 coins. Next is John."},
                {"John", 3, "Mark", "John owes 3 coins. Next is Mark."},
                {"Mark", 9, "nobody", "Mark owes 9 coins. Next is nobody."}}};
  return four;
}

}  // namespace tiny_room
